// The commands of `hanaper`: its own, those of the operations, and those that plugins bring. Parsing, help,
// completion and manual are made out of this one list.
#pragma once

#include "../operations/command_line.hpp"
#include "../operations/table.hpp"

namespace hanaper::cli {

using operations::CommandLine;
using operations::CommandSpec;
using operations::Option;

class Session;

struct Command {
  CommandSpec spec;
  int (*run)(Session& session) = nullptr;  // null: asks for the operation and prints what it answers
  std::optional<operations::Described> operation = {};  // that it stands for
  std::vector<std::string> words = {};                  // that its first argument may be
};

// What does not depend on plugins.
std::vector<Command> own_commands();
// The command of an operation.
Command command_of(const operations::Described& operation);
// All of them: with those of the plugins that the configuration names, or of every plugin of the folder where
// there is no configuration that can be read.
std::vector<Command> all_commands(loader::Catalog& catalog, const std::string& config,
                                  const std::vector<std::string>& settings);

// The command whose words `words` begin with, as many as there are; null when there is none.
const Command* find_command(const std::vector<Command>& commands, std::span<const std::string> words);
// The words of a command, apart.
std::vector<std::string> split(const std::string& words);

std::string help(const std::vector<Command>& commands);
// Of the command with these words, or of all that begin with them; empty when none does.
std::string help(const std::vector<Command>& commands, std::span<const std::string> topic);
std::string bash_completion(const std::vector<Command>& commands);
std::string manual(const std::vector<Command>& commands);  // troff, hanaper(1)
std::string daemon_manual();                               // troff, hanaperd(8)
std::string file_manual(loader::Catalog& catalog);         // troff, hanaper.toml(5)

}  // namespace hanaper::cli
