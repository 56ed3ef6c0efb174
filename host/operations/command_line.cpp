#include "command_line.hpp"

#include "../config/value.hpp"

#include <algorithm>

namespace hanaper::operations {
namespace {

// Of the word at `at` and perhaps the next: an option with its value.
Status read_option(const CommandSpec& command, std::span<const std::string> words, std::size_t& at,
                   CommandLine& line) {
  std::string word = words[at];
  if (word == "-c") word = "--config";
  if (word == "-h") word = "--help";
  const std::size_t equals = word.find('=');
  const std::string name = word.substr(0, equals);
  const auto option = std::ranges::find(command.options, name, &Option::name);
  if (option == command.options.end()) {
    std::vector<std::string> known;
    for (const Option& other : command.options) known.push_back(other.name);
    return malformed("unknown option " + name + config::suggestion(name, known));
  }
  if (option->value.empty() && equals != std::string::npos)
    return malformed("option " + name + " takes no value");
  std::string value;
  if (equals != std::string::npos)
    value = word.substr(equals + 1);
  else if (!option->value.empty() && at + 1 >= words.size())
    return malformed("option " + name + " needs a value: " + option->value);
  else if (!option->value.empty())
    value = words[++at];
  auto& values = line.options[name];
  if (!values.empty() && !option->repeats) return malformed("option " + name + " is given twice");
  values.push_back(value);
  return {};
}

}  // namespace

std::string CommandSpec::help_words() const {
  return words.empty() ? program + " --help" : program + " help " + words;
}

Result<CommandLine> parse(const CommandSpec& command, std::span<const std::string> words) {
  const auto wrong = [&](const std::string& what) {
    return malformed(what + "; see " + command.help_words());
  };
  CommandLine line;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--") {
      line.positional.insert(line.positional.end(), words.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                             words.end());
      break;
    }
    if (!words[i].starts_with("--") && words[i] != "-c" && words[i] != "-h") {
      line.positional.push_back(words[i]);
      continue;
    }
    if (Status read = read_option(command, words, i, line); !read) return wrong(read.error().detail);
  }
  if (line.has("--help")) return line;
  if (line.positional.size() < command.least) return wrong(command.arguments + " is missing");
  if (line.positional.size() > command.most)
    return wrong("unexpected \"" + line.positional[command.most] + "\"");
  return line;
}

std::string synopsis(const CommandSpec& command) {
  std::string text = command.program + (command.words.empty() ? "" : " ") + command.words;
  if (std::ranges::any_of(command.options, [](const Option& option) { return !option.common; }))
    text += " [OPTION...]";
  if (!command.arguments.empty()) text += " " + command.arguments;
  return text;
}

std::string option_lines(std::span<const Option> options) {
  std::string text;
  for (const Option& option : options) {
    std::string left = "  " + option.name + (option.value.empty() ? "" : " " + option.value);
    left.resize(std::max<std::size_t>(left.size() + 2, 28), ' ');
    text += left + option.doc;
    for (const std::string& choice : option.choices)
      text += (&choice == &option.choices.front() ? ": " : ", ") + choice;
    text += "\n";
  }
  return text;
}

std::string help(const CommandSpec& command) {
  std::string text = "usage: " + synopsis(command) + "\n\n" + command.summary + "\n";
  const auto common = std::ranges::find_if(command.options, &Option::common);
  const std::span own(command.options.begin(), common), others(common, command.options.end());
  if (!own.empty()) text += "\n" + option_lines(own);
  if (!others.empty()) text += "\nevery command takes:\n" + option_lines(others);
  if (command.words.empty()) text += "\n" + std::string(daemon_signals) + std::string(exit_status);
  return text;
}

const CommandSpec& daemon() {
  static const CommandSpec spec{
      .program = "hanaperd",
      .summary = "run the node that the configuration describes, in the foreground",
      .options = {
          {.name = "--config",
           .value = "FILE",
           .doc = "configuration; default /etc/hanaper/hanaper.toml (short: -c)",
           .file = true},
          {.name = "--set",
           .value = "KEY=VALUE",
           .doc = "lay a value over the configuration, as in listener.public.bind=127.0.0.1:8443",
           .repeats = true},
          {.name = "--plugins", .value = "DIR", .doc = "where plugins are", .file = true},
          {.name = "--version", .value = "", .doc = "print the version"},
          {.name = "--help", .value = "", .doc = "explain the program"},
      }};
  return spec;
}

}  // namespace hanaper::operations
