// The texts of a new plugin: the files of host/cli/skeleton, compiled in.
#pragma once

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

struct NewFile {
  std::string name;
  std::string text;
};

// The files of a plugin's folder. malformed for a kind that does not exist or a name that no plugin can have.
Result<std::vector<NewFile>> skeleton(std::string_view kind, std::string_view name);

}  // namespace hanaper::cli
