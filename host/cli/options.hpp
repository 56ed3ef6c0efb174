// The grammar of both programs' command lines: one table from which parsing, help, completion and manual are
// made.
#pragma once

#include <hanaper/result.hpp>

#include <map>
#include <span>
#include <string>
#include <vector>

namespace hanaper::cli {

struct Option {
  std::string_view name;   // "--pipeline"
  std::string_view value;  // "NAME"; empty: a switch
  std::string_view doc;    // one sentence without full stop
  bool repeats = false;
  std::string_view choices;  // "a|b", for completion; "file" completes file names
};

struct CommandSpec {
  std::string_view name;
  std::string_view arguments;  // "FILE_OR_SERIAL..."
  std::string_view summary;    // one sentence without full stop
  std::span<const Option> options;
  std::size_t least = 0, most = 0;  // positional arguments
};

std::span<const CommandSpec> commands();
// Those every command takes.
std::span<const Option> common_options();
// hanaperd itself, which takes no command.
const CommandSpec& daemon();

// What was written: options by name, and what is left.
struct Arguments {
  std::map<std::string, std::vector<std::string>, std::less<>> options;
  std::vector<std::string> positional;

  bool has(std::string_view name) const { return options.contains(name); }
  std::string text(std::string_view name, std::string fallback = {}) const {
    const auto found = options.find(name);
    return found == options.end() ? fallback : found->second.back();
  }
  std::vector<std::string> texts(std::string_view name) const {
    const auto found = options.find(name);
    return found == options.end() ? std::vector<std::string>{} : found->second;
  }
};

// Reads `words` by the command's options and the common ones. malformed says what is wrong and how to get
// help.
Result<Arguments> parse(const CommandSpec& command, std::span<const std::string> words);
const CommandSpec* find_command(std::string_view name);

std::string help();
std::string help(const CommandSpec& command);
std::string bash_completion();
std::string manual();         // troff, hanaper(1)
std::string daemon_manual();  // troff, hanaperd(8)

}  // namespace hanaper::cli
