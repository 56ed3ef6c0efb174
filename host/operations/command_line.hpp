// The grammar of both programs' command lines.
#pragma once

#include <hanaper/result.hpp>

#include <map>
#include <span>
#include <string>
#include <vector>

namespace hanaper::operations {

struct Option {
  std::string name;   // "--pipeline"
  std::string value;  // "NAME"; empty: a switch
  std::string doc;    // one sentence without full stop
  bool repeats = false;
  std::vector<std::string> choices = {};  // all there are; empty: anything
  bool file = false;                      // the value is the name of a file or folder
  bool common = false;                    // every command takes it
};

struct CommandSpec {
  std::string program;              // "hanaper"
  std::string words = {};           // "crl generate"; empty: the program takes no command
  std::string arguments = {};       // "FILE_OR_SERIAL..."
  std::string summary = {};         // one sentence without full stop
  std::vector<Option> options;      // the common ones last
  std::size_t least = 0, most = 0;  // positional arguments

  std::string help_words() const;  // "hanaper help crl generate", "hanaperd --help"
};

// What was written: options by name, and what is left.
struct CommandLine {
  std::map<std::string, std::vector<std::string>, std::less<>> options = {};
  std::vector<std::string> positional = {};

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

// Reads `words` by the command's options. malformed says what is wrong and how to get help.
Result<CommandLine> parse(const CommandSpec& command, std::span<const std::string> words);

// "hanaper crl generate [OPTION...] [AUTHORITY]"
std::string synopsis(const CommandSpec& command);
// One line for each.
std::string option_lines(std::span<const Option> options);
std::string help(const CommandSpec& command);

// hanaperd, which takes no command.
const CommandSpec& daemon();

inline constexpr std::string_view exit_status =
    "exit status: 0 done, 1 failed, 2 wrong use or configuration, 3 waits for approval\n";
inline constexpr std::string_view daemon_signals =
    "SIGTERM and SIGINT end it after the running requests; SIGHUP reads the configuration again.\n";

}  // namespace hanaper::operations
