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

// The keys of each table of the `tables` key of that name, without its name in front.
std::vector<SettingKey> keys_below(std::span<const SettingKey> keys, const SettingKey& tables);
// Whether it is a key of some `tables` key's.
bool is_below_tables(std::span<const SettingKey> keys, const SettingKey& key);

// visit(settings, key) for each key, those of every table of a `tables` key among them.
template <class Visit>
void each_key(const Settings& settings, std::span<const SettingKey> keys, Visit&& visit) {
  for (const SettingKey& key : keys) {
    if (is_below_tables(keys, key)) continue;
    if (key.type != SettingType::tables) {
      visit(settings, key);
      continue;
    }
    const std::vector<SettingKey> below = keys_below(keys, key);
    for (const Settings& table : settings.tables(key.name)) each_key(table, below, visit);
  }
}

// The commented sample of a table, as `hanaper sample` prints it.
std::string sample(const std::string& name, std::span<const SettingKey> keys);

}  // namespace hanaper::config
