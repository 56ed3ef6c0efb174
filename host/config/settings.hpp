// From a table as written to Settings as declared: types, bounds, defaults, secrets, unknown keys.
#pragma once

#include "value.hpp"

#include <hanaper/plugin.hpp>

#include <span>

namespace hanaper::config {

struct SettingsContext {
  std::string state_folder;                      // where relative paths start
  bool read_secrets = true;                      // false: `hanaper plan` and `sample` need none
  std::span<const std::string> also_known = {};  // keys of this table that somebody else reads
  bool makes_pin = false;                        // `hanaper init` makes this table's pin when it is not there
  // Where given, such a pin may be missing still: it is named here, and another stands for it.
  std::vector<std::string>* missing_pins = nullptr;
};

// Checks `table` against `keys`; every violation is a message. `header` is where the table begins.
Settings make_settings(const std::string& name, const Table& table, const Position& header,
                       std::span<const SettingKey> keys, const SettingsContext& context, Messages& messages);

// The commented sample of a table, as `hanaper sample` prints it.
std::string sample(const std::string& name, std::span<const SettingKey> keys);

}  // namespace hanaper::config
