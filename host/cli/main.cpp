// hanaper: the command line.
#include "../operations/control.hpp"
#include "../operations/openapi.hpp"
#include "print.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <exception>
#include <iostream>

namespace {

using namespace hanaper::cli;
using Words = std::vector<std::string>;

int print(const std::string& text) {
  std::cout << text;
  return 0;
}

// The values of an option, read before the command is known: so everything that looks like one is taken.
Words values_of(const Words& words, const std::string& option, const std::string& short_form = "") {
  Words values;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i].starts_with(option + "=")) values.push_back(words[i].substr(option.size() + 1));
    if ((words[i] == option || words[i] == short_form) && i + 1 < words.size())
      values.push_back(words[i + 1]);
  }
  return values;
}

std::string last_or(const Words& values, std::string fallback) {
  return values.empty() ? fallback : values.back();
}

// The commands that the first words of the line may mean. Plugins are asked only where they can matter.
std::vector<Command> commands_for(hanaper::loader::Catalog& catalog, const Words& words, const Words& line) {
  constexpr std::string_view about_all[] = {"help", "completion", "manual", "openapi"};
  if (!line.empty() && std::ranges::find(about_all, line.front()) == std::end(about_all)) {
    std::vector<Command> own = own_commands();
    if (find_command(own, line) != nullptr) return own;
  }
  return all_commands(catalog, last_or(values_of(words, "--config", "-c"), std::string(default_config)),
                      values_of(words, "--set"));
}

[[noreturn]] void unknown(const std::vector<Command>& commands, const Words& line) {
  if (const std::string some = help(commands, std::span(line).first(1)); !some.empty()) {
    std::string known;
    for (const Command& command : commands)
      if (command.spec.words.starts_with(line.front() + " "))
        known += (known.empty() ? "" : ", ") + command.spec.words;
    misuse("no command \"" + line.front() + (line.size() > 1 ? " " + line[1] : "") + "\"; there are " +
           known);
  }
  Words known;
  for (const Command& command : commands) known.push_back(split(command.spec.words).front());
  misuse("no command \"" + line.front() + "\"" + hanaper::config::suggestion(line.front(), known) +
         "; hanaper help lists them");
}

int run_about(const std::vector<Command>& commands, const std::string& name, const CommandLine& line,
              hanaper::loader::Catalog& catalog) {
  if (name == "completion") return print(bash_completion(commands));
  if (name == "openapi") {
    std::vector<hanaper::operations::Described> described = hanaper::operations::describe_host();
    for (const Command& command : commands)
      if (command.operation && !command.operation->plugin.empty()) described.push_back(*command.operation);
    return print(hanaper::json::write_pretty(hanaper::operations::openapi(described)) + "\n");
  }
  if (name == "manual") {
    if (line.positional.empty()) return print(manual(commands));
    if (line.positional.front() == hanaper::operations::daemon().program) return print(daemon_manual());
    if (line.positional.front() == "hanaper.toml") return print(file_manual(catalog));
    misuse("no manual page \"" + line.positional.front() + "\"; see hanaper help manual");
  }
  if (line.positional.empty()) return print(help(commands));
  const std::string text = help(commands, line.positional);
  if (text.empty()) unknown(commands, line.positional);
  return print(text);
}

int run(const Words& words) {
  if (words.empty()) misuse("a command is needed; hanaper help lists them");
  if (words.front() == "--version") return print("hanaper " HANAPER_VERSION "\n");
  hanaper::loader::Catalog catalog(
      last_or(values_of(words, "--plugins"), hanaper::loader::default_plugin_folder()));
  // The words of the command stand first.
  const Words line(words.begin(),
                   std::ranges::find_if(words, [](const auto& word) { return word.starts_with("-"); }));
  const std::vector<Command> commands = commands_for(catalog, words, line);
  if (words.front() == "--help" || words.front() == "-h") return print(help(commands));
  if (line.empty()) misuse("a command stands before its options; hanaper help lists them");
  const Command* command = find_command(commands, line);
  if (command == nullptr) unknown(commands, line);
  const std::size_t own = split(command->spec.words).size();
  auto parsed = hanaper::operations::parse(command->spec, std::span(words).subspan(own));
  if (!parsed) misuse(parsed.error().detail);
  if (parsed->has("--help")) return print(hanaper::operations::help(command->spec));
  if (command->run == nullptr && !command->operation)
    return run_about(commands, command->spec.words, *parsed, catalog);
  Session session(*command, *std::move(parsed), catalog);
  return command->run != nullptr ? command->run(session) : run_operation(session);
}

bool writes_to_pipe() {
  struct stat output {};
  return ::fstat(STDOUT_FILENO, &output) == 0 && (S_ISFIFO(output.st_mode) || S_ISSOCK(output.st_mode));
}

void complain(const Failure& failure, bool as_json) {
  std::cout.flush();
  if (!as_json) {
    for (const std::string& line : failure.lines) std::cerr << "hanaper: " << line << "\n";
    return;
  }
  std::string all;
  for (const std::string& line : failure.lines) all += (all.empty() ? "" : "; ") + line;
  const hanaper::json::Value error(
      hanaper::json::Object{{"error", hanaper::operations::error_value({failure.code, all})}});
  std::cerr << hanaper::json::write(error) << "\n";
}

}  // namespace

int main(int count, char** arguments) {
  ::umask(0077);
  std::signal(SIGPIPE, SIG_IGN);
  const Words words(arguments + 1, arguments + count);
  const bool as_json = std::ranges::find(words, "--json") != words.end();
  try {
    const int status = run(words);
    // What was asked for has to arrive; but who reads from a pipe decides how far.
    if (status == 0 && !std::cout.flush() && !writes_to_pipe())
      throw Failure{
          1, {"standard output: cannot be written; its disk may be full"}, hanaper::Code::unavailable};
    return status;
  } catch (const Failure& failure) {
    complain(failure, as_json);
    return failure.status;
  } catch (const std::exception& error) {
    complain({1, {error.what()}, hanaper::Code::internal}, as_json);
    return 1;
  }
}
