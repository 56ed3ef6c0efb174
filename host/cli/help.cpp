// Help and manual pages, out of the list of commands.
#include "commands.hpp"

#include <algorithm>

namespace hanaper::cli {
namespace {

bool begins_with(const Command& command, std::span<const std::string> words) {
  const std::vector<std::string> own = split(command.spec.words);
  return own.size() >= words.size() && std::equal(words.begin(), words.end(), own.begin());
}

std::string summary_line(const Command& command) {
  std::string left = "  " + command.spec.words;
  left.resize(std::max<std::size_t>(left.size() + 2, 22), ' ');
  return left + command.spec.summary + "\n";
}

std::vector<Option> common_options(const std::vector<Command>& commands) {
  std::vector<Option> options;
  std::ranges::copy_if(commands.front().spec.options, std::back_inserter(options), &Option::common);
  return options;
}

std::string troff(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

void append_options(std::string& page, std::span<const Option> options, bool common) {
  for (const Option& option : options) {
    if (option.common != common) continue;
    page += ".TP\n.B " + troff(option.name);
    if (!option.value.empty()) page += " \\fI" + troff(option.value) + "\\fR";
    page += "\n" + troff(option.doc);
    for (const std::string& choice : option.choices)
      page += (&choice == &option.choices.front() ? ": " : ", ") + troff(choice);
    page += ".\n";
  }
}

constexpr std::string_view manual_end =
    ".SH EXIT STATUS\n.TP\n.B 0\ndone\n.TP\n.B 1\nfailed\n.TP\n.B 2\nwrong use or configuration: starting "
    "again does not help\n.TP\n.B 3\na request waits for approval\n"
    ".SH FILES\n.TP\n.I /etc/hanaper/hanaper.toml\nconfiguration, see hanaper.toml(5)\n.TP\n.I "
    "/var/lib/hanaper\nstate folder\n";

}  // namespace

std::string help(const std::vector<Command>& commands) {
  std::string text = "usage: hanaper COMMAND [OPTION...] [ARGUMENT...]\n\n";
  for (const Command& command : commands) text += summary_line(command);
  return text + "\nevery command takes:\n" + operations::option_lines(common_options(commands)) + "\n" +
         std::string(operations::exit_status);
}

std::string help(const std::vector<Command>& commands, std::span<const std::string> topic) {
  const Command* exact = find_command(commands, topic);
  if (exact != nullptr && split(exact->spec.words).size() == topic.size())
    return operations::help(exact->spec);
  std::string text;
  for (const Command& command : commands)
    if (begins_with(command, topic)) text += summary_line(command);
  return text;
}

std::string manual(const std::vector<Command>& commands) {
  std::string page = ".TH HANAPER 1 \"\" \"hanaper " HANAPER_VERSION
                     "\" \"User Commands\"\n"
                     ".SH NAME\nhanaper \\- operate a hanaper PKI host\n"
                     ".SH SYNOPSIS\n.B hanaper\n.I COMMAND\n[\\fIOPTION\\fR...] [\\fIARGUMENT\\fR...]\n"
                     ".SH DESCRIPTION\n"
                     "Commands that need the node's state ask the running daemon over its unix socket; when "
                     "no daemon runs they open\n"
                     "the state folder themselves. Only root and the daemon's own user may do either.\n"
                     "Plugins bring commands of their own, those that the configuration names.\n"
                     ".SH COMMON OPTIONS\n";
  append_options(page, commands.front().spec.options, true);
  page += ".SH COMMANDS\n";
  for (const Command& command : commands) {
    page +=
        ".SS \"" + troff(operations::synopsis(command.spec)) + "\"\n" + troff(command.spec.summary) + ".\n";
    append_options(page, command.spec.options, false);
  }
  return page + std::string(manual_end) + ".SH SEE ALSO\n.BR hanaperd (8)\n";
}

std::string daemon_manual() {
  const CommandSpec& daemon = operations::daemon();
  std::string page = ".TH HANAPERD 8 \"\" \"hanaper " HANAPER_VERSION
                     "\" \"System Administration\"\n"
                     ".SH NAME\nhanaperd \\- the daemon of a hanaper PKI host\n"
                     ".SH SYNOPSIS\n.B hanaperd\n[\\fIOPTION\\fR...]\n"
                     ".SH DESCRIPTION\nIts duty is to " +
                     troff(daemon.summary) + ".\n" + troff(operations::daemon_signals) + ".SH OPTIONS\n";
  append_options(page, daemon.options, false);
  return page + std::string(manual_end) + ".SH SEE ALSO\n.BR hanaper (1)\n";
}

}  // namespace hanaper::cli
