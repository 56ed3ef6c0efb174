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

// Within the quotes of a macro's argument.
std::string quoted(std::string text) {
  for (std::size_t at = 0; (at = text.find('"', at)) != std::string::npos; at += 2)
    text.replace(at, 1, "\"\"");
  return text;
}

// A line that begins with a full stop or an apostrophe would be a request.
std::string guarded(std::string text) {
  return text.starts_with('.') || text.starts_with('\'') ? "\\&" + text : text;
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
  return page + std::string(manual_end) + ".SH SEE ALSO\n.BR hanaperd (8),\n.BR hanaper.toml (5)\n";
}

namespace {

std::string type_of(const SettingKey& key) {
  constexpr std::string_view types[] = {"text", "texts",  "integer",   "boolean",    "duration", "size",
                                        "path", "secret", "reference", "references", "tables",   "map"};
  std::string text(types[static_cast<std::size_t>(key.type)]);
  const bool refers = key.type == SettingType::reference || key.type == SettingType::references;
  if (key.bounds != nullptr)
    text += refers ? " to " + std::string(key.bounds) : ", " + std::string(key.bounds);
  if (key.fallback == nullptr) return text + ", required";
  return *key.fallback == '\0' ? text : text + ", default " + key.fallback;
}

void append_keys(std::string& page, std::span<const SettingKey> keys) {
  for (const SettingKey& key : keys)
    page += ".TP\n.BR " + troff(key.name) + " \" (" + troff(quoted(type_of(key))) + ")\"\n" +
            guarded(troff(key.doc)) + ".\n";
}

constexpr std::string_view file_manual_begin =
    ".ad l\n.SH NAME\nhanaper.toml \\- the configuration of a hanaper PKI host\n"
    ".SH SYNOPSIS\n.I /etc/hanaper/hanaper.toml\n"
    ".SH DESCRIPTION\n"
    "One TOML file says what a node is made of: listeners, authorities, profiles of certificates, pipelines "
    "that lead from\n"
    "a request to a certificate, and plugins.\n"
    "A plugin is configured as [KIND.NAME]; NAME is chosen, and\n.B plugin\nnames the plugin where it is "
    "another.\n"
    "hanaper check tells what is wrong with file, line and column; hanaper plan tells what it means; hanaper "
    "sample prints\n"
    "any table with comments.\n"
    ".PP\nA top-level\n.B include\nnames further files, relative to the one that names them. No key may be "
    "given twice.\n"
    ".PP\nDurations are written as 90d, 12h, 15m, 10s or 100ms, sizes as 64KiB, 16MiB or 4GiB.\n"
    "Paths are relative to the state folder, which is relative to the file.\n"
    "A secret never stands in the file: { file = \\(dqpin\\(dq } reads it from a file of mode 600, { "
    "credential = "
    "\\(dqpin\\(dq }\nfrom systemd.\n"
    "A reference is the name of another table.\n";

}  // namespace

std::string file_manual(loader::Catalog& catalog) {
  std::string page = ".TH HANAPER.TOML 5 \"\" \"hanaper " HANAPER_VERSION "\" \"File Formats\"\n" +
                     std::string(file_manual_begin) + ".SH TABLES\n";
  constexpr std::string_view single[] = {"node", "log", "outbound"};
  for (const std::string& table : config::host_tables()) {
    const bool once = std::ranges::find(single, table) != std::end(single);
    page += ".SS \"[" + troff(table) + (once ? "" : ".NAME") + "]\"\n";
    append_keys(page, config::host_keys(table));
  }
  page += ".SH PLUGINS\n";
  for (const std::string_view kind : config::kinds) {
    page += ".SS \"[" + troff(kind) + ".NAME]\"\nWhatever the plugin is:\n";
    append_keys(page, config::host_keys(kind));
    for (const loader::Found& found : catalog.list()) {
      if (found.manifest == nullptr || found.manifest->kind != kind) continue;
      page += ".SS \"[" + troff(kind) + "." + troff(found.manifest->name) + "]\"\n" +
              guarded(troff(found.manifest->summary)) + ".\n";
      append_keys(page, std::span(found.manifest->keys, found.manifest->key_count));
    }
  }
  return page +
         ".SH FILES\n.TP\n.I /usr/share/doc/hanaper/config\nconfigurations to begin with\n"
         ".TP\n.I /usr/share/doc/hanaper/plugins\na page for each plugin\n"
         ".SH SEE ALSO\n.BR hanaper (1),\n.BR hanaperd (8)\n";
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
  return page + std::string(manual_end) + ".SH SEE ALSO\n.BR hanaper (1),\n.BR hanaper.toml (5)\n";
}

}  // namespace hanaper::cli
