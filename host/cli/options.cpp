#include "options.hpp"

#include "../config/model.hpp"

#include <algorithm>

namespace hanaper::cli {
namespace {

constexpr Option common[] = {
    {"--config", "FILE", "configuration; default /etc/hanaper/hanaper.toml (short: -c)", false, "file"},
    {"--set", "KEY=VALUE", "lay a value over the configuration, as in listener.public.bind=127.0.0.1:8443",
     true, ""},
    {"--plugins", "DIR", "where plugins are", false, "file"},
    {"--json", "", "print data as JSON", false, ""},
    {"--help", "", "explain the command", false, ""},
};

constexpr Option init_options[] = {
    {"--install", "FILE", "take an outside issuer's answer: PEM, the authority's certificate first", false,
     "file"},
    {"--import", "NAME", "take over an existing authority, with --key and --certificate", false, ""},
    {"--key", "FILE", "private key to import, PEM", false, "file"},
    {"--key-pin", "FILE", "file with the pin of that key, when it is encrypted", false, "file"},
    {"--certificate", "FILE", "certificate to import, PEM, with those above it", false, "file"},
};
constexpr Option issue_options[] = {
    {"--pipeline", "NAME", "pipeline to issue by; default the only one", false, ""},
    {"--profile", "NAME", "one of the pipeline's profiles; default its first", false, ""},
    {"--csr", "FILE", "certification request, PEM or DER", false, "file"},
    {"--name", "NAME", "DNS name or address, when a key is made here", true, ""},
    {"--key-type", "TYPE", "of that key; default ec-p256", false,
     "ec-p256|ec-p384|ec-p521|ed25519|rsa-2048|rsa-3072|rsa-4096"},
    {"--key-out", "FILE", "where that key goes; never overwritten", false, "file"},
    {"--out", "FILE", "where certificate and chain go; default standard output", false, "file"},
};
constexpr Option new_plugin_options[] = {
    {"--folder", "DIR", "where it goes; default KIND-NAME", false, "file"},
};
constexpr Option revoke_options[] = {
    {"--reason", "REASON", "RFC 5280 reason; default unspecified", false,
     "unspecified|keyCompromise|cACompromise|affiliationChanged|superseded|cessationOfOperation|"
     "privilegeWithdrawn|certificateHold|removeFromCRL"},
    {"--invalidity", "TIME", "since when not to trust it, as in 2026-11-21T18:50:00Z", false, ""},
    {"--from", "FILE", "those whose serial numbers are in the file, one on a line", false, "file"},
};
constexpr Option crl_options[] = {
    {"--out", "FILE", "download: where it goes; default standard output", false, "file"},
    {"--pem", "", "download: as PEM", false, ""},
    {"--delta", "", "show, download: the delta CRL", false, ""},
    {"--shard", "NUMBER", "show, download: which of several, or ca; default 0", false, ""},
};
constexpr Option acme_options[] = {
    {"--instance", "NAME", "of the protocol instances that serve ACME; default all, or the only one", false,
     ""},
    {"--owner", "TEXT", "eab create: who the key is for", false, ""},
    {"--profile", "NAME", "eab create, renew-early: one of the pipeline's profiles", true, ""},
    {"--name", "NAME", "eab create: a domain, with all below, or an address range it is limited to", true,
     ""},
    {"--quota", "NUMBER", "eab create: how many orders it is good for; default any number", false, ""},
    {"--accounts", "NUMBER", "eab create: how many accounts may be bound to it; default 1", false, ""},
    {"--within", "DURATION",
     "eab create: how long it may be used; renew-early: over how long to spread; default 1d", false, ""},
    {"--account", "NAME", "orders: only those of that account", false, ""},
};
constexpr Option show_options[] = {
    {"--authority", "NAME", "show an authority's certificate", false, ""},
    {"--pem", "", "print the certificate as PEM", false, ""},
    {"--chain", "", "print the certificate and those above it as PEM", false, ""},
};
constexpr Option list_options[] = {
    {"--expires-within", "DURATION", "only those that expire within, as in 30d", false, ""},
    {"--name", "NAME", "only those for that name; .example.test for every name below", false, ""},
    {"--state", "STATE", "only those in that state", false, "reserved|issued|revoked"},
    {"--authority", "NAME", "only those of that authority", false, ""},
    {"--limit", "NUMBER", "no more than that many", false, ""},
};
constexpr Option audit_options[] = {
    {"--lines", "NUMBER", "tail: how many lines; default 20", false, ""},
    {"--node", "NAME", "only that node's chain", false, ""},
};

constexpr Option keys_options[] = {
    {"--key-type", "TYPE", "create: default ec-p256", false,
     "ec-p256|ec-p384|ec-p521|ed25519|rsa-2048|rsa-3072|rsa-4096"},
    {"--key", "FILE", "import: private key, PEM", false, "file"},
    {"--key-pin", "FILE", "import: file with the pin of that key, when it is encrypted", false, "file"},
    {"--yes", "", "delete: do not ask", false, ""},
};

constexpr Option requests_options[] = {
    {"--state", "STATE", "list: those that are pending (the default), approved, denied, issuing or issued",
     false, ""},
    {"--reason", "TEXT", "deny: what the requester is told", false, ""},
};

constexpr Option scep_options[] = {
    {"--subject", "NAME", "distinguished name that it is good for: \"CN=router-7\"", false, ""},
    {"--name", "NAME", "with --subject: a DNS name or address that may stand beside it", true, ""},
    {"--profile", "PROFILE", "what is issued; default the pipeline's first", false, ""},
    {"--instance", "NAME", "of the protocol instances that serve SCEP; default all", false, ""},
};

constexpr CommandSpec command_table[] = {
    {"init", "", "create state folder, pin, keys and authorities; changes nothing that exists", init_options,
     0, 0},
    {"check", "", "check the configuration and every file it names", {}, 0, 0},
    {"plan", "", "show how requests travel", {}, 0, 0},
    {"plugins", "", "list the plugins found and why others were refused", {}, 0, 0},
    {"sample", "[KIND.NAME]", "print the commented sample of a table", {}, 0, 1},
    {"new-plugin", "KIND NAME", "make a folder with the source of a new plugin, which builds and has a test",
     new_plugin_options, 2, 2},
    {"issue", "", "issue a certificate", issue_options, 0, 0},
    {"revoke", "FILE_OR_SERIAL...", "revoke certificates, hold them, or release them", revoke_options, 0,
     10000},
    {"requests", "list|approve|deny [REQUEST]", "look at requests that wait for approval, and decide",
     requests_options, 1, 2},
    {"scep", "challenge", "make a challengePassword that is good once", scep_options, 1, 1},
    {"crl", "generate|list|show|download [AUTHORITY]", "make CRLs now, look at them, or get one", crl_options,
     1, 2},
    {"ocsp", "export DIR", "write all OCSP responses as files for a web server", {}, 2, 2},
    {"acme", "eab create|eab list|eab revoke KID|accounts|orders|explain ORDER|renew-early",
     "make keys for external accounts, look at accounts and orders, or have certificates renewed early",
     acme_options, 1, 3},
    {"show", "[FILE_OR_SERIAL]", "show a certificate and what has become of it", show_options, 0, 1},
    {"list", "", "list certificates", list_options, 0, 0},
    {"serials", "", "show where serial numbers come from", {}, 0, 0},
    {"keys", "list|create|import|delete|replicate [INSTANCE[:LABEL]]",
     "look at keys, make, take over, delete them, or copy them to every token of a group", keys_options, 1,
     2},
    {"audit", "verify|tail", "check the audit's hash chains, or print its last lines", audit_options, 1, 1},
    {"backup", "FILE", "write a consistent copy of ledger and keys, while the daemon runs", {}, 1, 1},
    {"restore", "FILE", "put a backup into an empty state folder", {}, 1, 1},
    {"storage",
     "migrate|check|copy [NEW_CONFIG]",
     "bring the schema up to date, count and digest what is stored, or move it into the storage of another "
     "configuration",
     {},
     1,
     2},
    {"completion", "", "print the completion for bash", {}, 0, 0},
    {"manual", "[hanaperd]", "print the manual page, or the daemon's", {}, 0, 1},
    {"help", "[COMMAND]", "explain a command", {}, 0, 1},
};

constexpr Option daemon_options[] = {
    {"--config", "FILE", "configuration; default /etc/hanaper/hanaper.toml (short: -c)", false, "file"},
    {"--set", "KEY=VALUE", "lay a value over the configuration, as in listener.public.bind=127.0.0.1:8443",
     true, ""},
    {"--plugins", "DIR", "where plugins are", false, "file"},
    {"--version", "", "print the version", false, ""},
    {"--help", "", "explain the program", false, ""},
};
constexpr CommandSpec daemon_spec{
    "hanaperd", "", "run the node that the configuration describes, in the foreground", daemon_options, 0, 0};
constexpr std::string_view exit_status = "exit status: 0 done, 1 failed, 2 wrong use or configuration\n";
constexpr std::string_view daemon_signals =
    "SIGTERM and SIGINT end it after the running requests; SIGHUP reads the configuration again.\n";

// The command's own and those every command takes.
std::vector<Option> options_of(const CommandSpec& command) {
  std::vector<Option> options(command.options.begin(), command.options.end());
  if (&command != &daemon_spec) options.insert(options.end(), std::begin(common), std::end(common));
  return options;
}

const Option* find_option(std::span<const Option> options, std::string_view name) {
  const auto found = std::ranges::find(options, name, &Option::name);
  return found == options.end() ? nullptr : &*found;
}

std::string synopsis(const CommandSpec& command) {
  std::string text = (&command == &daemon_spec ? "" : "hanaper ") + std::string(command.name);
  if (!command.options.empty()) text += " [OPTION...]";
  if (!command.arguments.empty()) text += " " + std::string(command.arguments);
  return text;
}

void append_options(std::string& text, std::span<const Option> options) {
  for (const Option& option : options) {
    std::string left =
        "  " + std::string(option.name) + (option.value.empty() ? "" : " " + std::string(option.value));
    left.resize(std::max<std::size_t>(left.size() + 2, 28), ' ');
    text += left + std::string(option.doc) + "\n";
  }
}

}  // namespace

std::span<const CommandSpec> commands() { return command_table; }
std::span<const Option> common_options() { return common; }
const CommandSpec& daemon() { return daemon_spec; }

const CommandSpec* find_command(std::string_view name) {
  const auto found = std::ranges::find(command_table, name, &CommandSpec::name);
  return found == std::end(command_table) ? nullptr : &*found;
}

Result<Arguments> parse(const CommandSpec& command, std::span<const std::string> words) {
  const auto wrong = [&](const std::string& what) {
    return malformed(
        what + "; see " +
        (&command == &daemon_spec ? "hanaperd --help" : "hanaper help " + std::string(command.name)));
  };
  const std::vector<Option> options = options_of(command);
  Arguments arguments;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string word = words[i];
    if (word == "--") {
      arguments.positional.insert(arguments.positional.end(),
                                  words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
      break;
    }
    if (word == "-c") word = "--config";
    if (word == "-h") word = "--help";
    if (!word.starts_with("--")) {
      arguments.positional.push_back(word);
      continue;
    }
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const Option* option = find_option(options, name);
    if (option == nullptr) {
      std::vector<std::string> known;
      for (const Option& other : options) known.emplace_back(other.name);
      return wrong("unknown option " + name + config::suggestion(name, known));
    }
    if (option->value.empty() && equals != std::string::npos)
      return wrong("option " + name + " takes no value");
    std::string value;
    if (equals != std::string::npos)
      value = word.substr(equals + 1);
    else if (!option->value.empty()) {
      if (i + 1 >= words.size())
        return wrong("option " + name + " needs a value: " + std::string(option->value));
      value = words[++i];
    }
    auto& values = arguments.options[name];
    if (!values.empty() && !option->repeats) return wrong("option " + name + " is given twice");
    values.push_back(value);
  }
  if (arguments.has("--help")) return arguments;
  if (arguments.positional.size() < command.least)
    return wrong(std::string(command.arguments) + " is missing");
  if (arguments.positional.size() > command.most)
    return wrong("unexpected \"" + arguments.positional[command.most] + "\"");
  return arguments;
}

std::string help() {
  std::string text = "usage: hanaper COMMAND [OPTION...] [ARGUMENT...]\n\n";
  for (const CommandSpec& command : command_table) {
    std::string left = "  " + std::string(command.name);
    left.resize(14, ' ');
    text += left + std::string(command.summary) + "\n";
  }
  text += "\nevery command takes:\n";
  append_options(text, common);
  return text + "\n" + std::string(exit_status);
}

std::string help(const CommandSpec& command) {
  std::string text = "usage: " + synopsis(command) + "\n\n" + std::string(command.summary) + "\n";
  if (!command.options.empty()) {
    text += "\n";
    append_options(text, command.options);
  }
  if (&command == &daemon_spec) return text + "\n" + std::string(daemon_signals) + std::string(exit_status);
  text += "\nevery command takes:\n";
  append_options(text, common);
  return text;
}

std::string bash_completion() {
  std::string names, cases;
  for (const CommandSpec& command : command_table) {
    names += (names.empty() ? "" : " ") + std::string(command.name);
    std::string words;
    for (const Option& option : options_of(command))
      words += (words.empty() ? "" : " ") + std::string(option.name);
    if (command.name == "audit") words += " verify tail";
    if (command.name == "new-plugin")
      for (std::string_view kind : config::kinds) words += " " + std::string(kind);
    if (command.name == "scep") words += " challenge";
    if (command.name == "requests") words += " list approve deny";
    if (command.name == "keys") words += " list create import delete replicate";
    cases += "    " + std::string(command.name) + ") words=\"" + words + "\" ;;\n";
  }
  std::string values;
  for (std::span<const Option> options :
       {std::span<const Option>(common), std::span<const Option>(issue_options),
        std::span<const Option>(revoke_options), std::span<const Option>(list_options)}) {
    for (const Option& option : options) {
      if (option.choices.empty() || option.choices == "file") continue;
      std::string choices(option.choices);
      std::ranges::replace(choices, '|', ' ');
      values += "    " + std::string(option.name) + ") COMPREPLY=($(compgen -W \"" + choices +
                "\" -- \"$word\")); return ;;\n";
    }
  }
  return "# bash completion for hanaper; made from the program's own option table\n"
         "_hanaper() {\n"
         "  local word=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\" words=\"\"\n"
         "  COMPREPLY=()\n"
         "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
         "    COMPREPLY=($(compgen -W \"" +
         names +
         "\" -- \"$word\")); return\n"
         "  fi\n"
         "  case \"$before\" in\n" +
         values +
         "  esac\n"
         "  case \"${COMP_WORDS[1]}\" in\n" +
         cases +
         "  esac\n"
         "  case \"$word\" in\n"
         "    -*) COMPREPLY=($(compgen -W \"$words\" -- \"$word\")) ;;\n"
         "    *) COMPREPLY=($(compgen -W \"$words\" -- \"$word\") $(compgen -f -- \"$word\")) ;;\n"
         "  esac\n"
         "}\n"
         "complete -o filenames -F _hanaper hanaper\n";
}

namespace {

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

void append_manual_options(std::string& page, std::span<const Option> options) {
  for (const Option& option : options) {
    page += ".TP\n.B " + troff(option.name);
    if (!option.value.empty()) page += " \\fI" + troff(option.value) + "\\fR";
    page += "\n" + troff(option.doc) + ".\n";
  }
}

constexpr std::string_view manual_end =
    ".SH EXIT STATUS\n.TP\n.B 0\ndone\n.TP\n.B 1\nfailed\n.TP\n.B 2\nwrong use or configuration\n"
    ".SH FILES\n.TP\n.I /etc/hanaper/hanaper.toml\nconfiguration\n.TP\n.I /var/lib/hanaper\nstate folder\n";

}  // namespace

std::string manual() {
  std::string page = ".TH HANAPER 1 \"\" \"hanaper " HANAPER_VERSION
                     "\" \"User Commands\"\n"
                     ".SH NAME\nhanaper \\- operate a hanaper PKI host\n"
                     ".SH SYNOPSIS\n.B hanaper\n.I COMMAND\n[\\fIOPTION\\fR...] [\\fIARGUMENT\\fR...]\n"
                     ".SH DESCRIPTION\n"
                     "Commands that need the node's state ask the running daemon over its unix socket; when "
                     "no daemon runs they open\n"
                     "the state folder themselves. Only root and the daemon's own user may do either.\n"
                     ".SH COMMON OPTIONS\n";
  append_manual_options(page, common);
  page += ".SH COMMANDS\n";
  for (const CommandSpec& command : command_table) {
    page += ".SS \"" + troff(synopsis(command)) + "\"\n" + troff(command.summary) + ".\n";
    append_manual_options(page, command.options);
  }
  return page + std::string(manual_end) + ".SH SEE ALSO\n.BR hanaperd (8)\n";
}

std::string daemon_manual() {
  std::string page = ".TH HANAPERD 8 \"\" \"hanaper " HANAPER_VERSION
                     "\" \"System Administration\"\n"
                     ".SH NAME\nhanaperd \\- the daemon of a hanaper PKI host\n"
                     ".SH SYNOPSIS\n.B hanaperd\n[\\fIOPTION\\fR...]\n"
                     ".SH DESCRIPTION\nIts duty is to " +
                     troff(daemon_spec.summary) + ".\n" + troff(daemon_signals) + ".SH OPTIONS\n";
  append_manual_options(page, daemon_options);
  return page + std::string(manual_end) + ".SH SEE ALSO\n.BR hanaper (1)\n";
}

}  // namespace hanaper::cli
