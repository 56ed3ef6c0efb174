// Texts that are compiled in: those of a new plugin (host/cli/skeleton) and those of two sites (config/ha).
#pragma once

#include "../operations/command_line.hpp"

#include <hanaper/result.hpp>

#include <span>
#include <vector>

namespace hanaper::cli {

// A text of that folder under its name there, e.g. "policy.cpp".
struct Template {
  std::string_view name;
  std::string_view text;
};
std::span<const Template> templates();
// Likewise of config/ha, e.g. "site/etc/nftables.conf".
std::span<const Template> ha_templates();

struct NewFile {
  std::string name;
  std::string text;
};

// The files of a plugin's folder. malformed for a kind that does not exist or a name that no plugin can have.
Result<std::vector<NewFile>> skeleton(std::string_view kind, std::string_view name);

// The files of two sites and an arbiter, for the addresses of the line. malformed when one is missing, is
// none, or is there twice.
Result<std::vector<NewFile>> ha_files(const operations::CommandLine& line);

}  // namespace hanaper::cli
