#include "commands.hpp"

#include "session.hpp"

#include <algorithm>
#include <iterator>
#include <sstream>

namespace hanaper::cli {
namespace {

using operations::Described;

struct LocalOption {
  std::string_view name, value, doc;
  bool repeats = false, file = false;
  std::string_view choices = {};
};

constexpr LocalOption common[] = {
    {"--config", "FILE", "configuration; default /etc/hanaper/hanaper.toml (short: -c)", false, true},
    {"--set", "KEY=VALUE", "lay a value over the configuration, as in listener.public.bind=127.0.0.1:8443",
     true},
    {"--plugins", "DIR", "where plugins are", false, true},
    {"--json", "", "print data as JSON, errors too"},
    {"--help", "", "explain the command"},
};

constexpr LocalOption init_options[] = {
    {"--install", "FILE",
     "take an outside issuer's answer: PEM, the authority's certificate first; or its root, later", false,
     true},
    {"--import", "NAME", "take over an existing authority, with --key and --certificate"},
    {"--key", "FILE", "private key to import, PEM", false, true},
    {"--key-pin", "FILE", "file with the pin of that key, when it is encrypted", false, true},
    {"--certificate", "FILE", "certificate to import, PEM, with those above it", false, true},
};
constexpr LocalOption check_options[] = {
    {"--deep", "",
     "do all that a start would do, and change nothing: open storage and keys, look authorities up"},
};
constexpr LocalOption new_plugin_options[] = {
    {"--folder", "DIR", "where it goes; default KIND-NAME", false, true},
};
constexpr LocalOption ha_options[] = {
    {"--out", "DIR", "where they go; must not exist", false, true},
    {"--a", "ADDRESS", "of the machine at the first site"},
    {"--b", "ADDRESS", "of the machine at the second site"},
    {"--c", "ADDRESS", "of the arbiter"},
    {"--issue", "ADDRESS", "floating address of ACME, EST and SCEP"},
    {"--status", "ADDRESS", "floating address of CRLs and OCSP"},
    {"--back", "ADDRESS", "floating address of health and metrics"},
    {"--interface", "NAME", "that has the addresses; default eth0"},
    {"--domain", "NAME", "where issue, status and back are names of the floating addresses"},
};
constexpr LocalOption issue_options[] = {
    {"--name", "NAME", "DNS name, IP address, mail address or URI, when a key is made here", true},
    {"--key-type", "TYPE", "of that key; default ec-p256", false, false, key_spec_choices},
    {"--mail", "ADDRESS", "mail address, when a key is made here", true},
    {"--subject", "DN",
     "subject, when a key is made here, as in \"CN=Joe,O=Example\", where the profile takes it over"},
    {"--key-out", "FILE", "where that key goes; never overwritten", false, true},
    {"--p12", "FILE", "a PFX (PKCS#12) with key, certificate and those above it; never overwritten", false,
     true},
    {"--p12-pin", "FILE", "file with the pin that the PFX gets", false, true},
    {"--out", "FILE", "where certificate and chain go; default standard output", false, true},
};
constexpr LocalOption revoke_options[] = {
    {"--from", "FILE", "those whose serial numbers are in the file, one on a line", false, true},
    {"--requester", "NAME",
     "all that are issued and were asked for by that one; token:red* for all that begin so"},
    {"--profile", "NAME", "all that are issued, of that profile"},
    {"--yes", "", "do not ask before all of those are revoked"},
    {"--unknown", "",
     "revoke serial numbers that the ledger does not know; with --authority, whose they are"},
};
constexpr LocalOption show_options[] = {
    {"--pem", "", "print the certificate as PEM"},
    {"--chain", "", "print the certificate and those above it as PEM"},
};
constexpr LocalOption delete_options[] = {
    {"--yes", "", "do not ask"},
};

constexpr LocalOption import_options[] = {
    {"--authority", "NAME", "whose certificates and CRLs they are"},
    {"--dry-run", "", "say what would be taken in, and change nothing"},
    {"--pin", "FILE", "file with the pin that opens what is a PKCS#12", false, true},
};
constexpr LocalOption account_options[] = {
    {"--token", "FILE", "make a token instead and write it to that file; never overwritten", false, true},
    {"--names", "PATTERNS",
     "what it may ask for, as policy/names has it, separated by commas; default what its name says"},
    {"--ra", "", "lets it ask for others (RFC 7030 3.7)"},
};
constexpr LocalOption backup_options[] = {
    {"--seal", "", "under a passphrase that is made for it and printed once"},
    {"--passphrase", "FILE", "seal it under the passphrase in that file", false, true},
};
constexpr LocalOption restore_options[] = {
    {"--passphrase", "FILE", "file with the passphrase of a sealed backup", false, true},
    {"--crl", "FILE", "a CRL as it was published, DER or PEM: what it says is revoked is revoked here", true,
     true},
};
constexpr LocalOption bootstrap_options[] = {
    {"--fingerprint", "SHA256", "of the root's certificate, as init and show print it"},
    {"--out", "FILE", "where the root goes; default standard output", false, true},
};
constexpr LocalOption probe_options[] = {
    {"--roots", "FILE", "whom to trust, PEM; default whom the machine trusts", false, true},
    {"--warn", "DURATION", "warn when a certificate of the server ends within; default 7d"},
};

// What the command line does itself, beside and around operations.
struct Local {
  std::string_view words, arguments, summary;
  std::span<const LocalOption> options = {};
  std::size_t least = 0, most = 0;
  int (*run)(Session&) = nullptr;
};

constexpr Local before[] = {
    {"init", "", "create state folder, pin, keys and authorities; changes nothing that exists", init_options,
     0, 0, run_init},
    {"check", "", "check the configuration and every file it names", check_options, 0, 0, run_check},
    {"plan", "", "show how requests travel", {}, 0, 0, run_plan},
    {"plugins", "", "list the plugins found and why others were refused", {}, 0, 0, run_plugins},
    {"sample", "[KIND.NAME]", "print the commented sample of a table", {}, 0, 1, run_sample},
    {"new-plugin", "KIND NAME", "make a folder with the source of a new plugin, which builds and has a test",
     new_plugin_options, 2, 2, run_new_plugin},
    {"ha templates", "", "write the files of two sites and an arbiter, with addresses that follow",
     ha_options, 0, 0, run_ha_templates},
};
constexpr Local behind[] = {
    {"health",
     "[issue|status|node]",
     "ask the daemon how fit it is, for scripts: ends with 0, or with 1 and what keeps it from issuing "
     "(issue, without "
     "a word), from telling the status, or what else is wrong",
     {},
     0,
     1,
     run_health},
    {"accounts line", "NAME",
     "print a line for the file of an authenticator/accounts; the password is read from standard input",
     account_options, 1, 1, run_accounts_line},
    {"import", "FILE_OR_FOLDER...",
     "take in what an authority has issued and revoked elsewhere: certificates, OpenSSL's index.txt, CRLs",
     import_options, 1, 10'000, run_import},
    {"restore", "FILE", "put a backup into an empty state folder", restore_options, 1, 1, run_restore},
    {"bootstrap", "URL", "fetch the root of a PKI from another machine and check its fingerprint",
     bootstrap_options, 1, 1, run_bootstrap},
    {"probe", "URL",
     "look at a PKI as its clients have it; ends with 0 ok, 1 warning, 2 critical, 3 unknown, as monitoring "
     "wants it",
     probe_options, 1, 1, run_probe},
    {"storage migrate", "", "bring the schema up to date", {}, 0, 0, run_storage_migrate},
    {"storage check", "", "count and digest what is stored", {}, 0, 0, run_storage_check},
    {"storage copy",
     "NEW_CONFIG",
     "move what is stored into the storage of another configuration",
     {},
     1,
     1,
     run_storage_copy},
    {"openapi", "", "describe the operations as OpenAPI 3.1"},
    {"completion", "", "print the completion for bash"},
    {"manual",
     "[hanaperd|hanaper.toml]",
     "print the manual page, or the daemon's, or the configuration's",
     {},
     0,
     1},
    {"help", "[COMMAND...]", "explain a command", {}, 0, 4},
};
// Where the command of an operation does more than ask for it: options of its own, other arguments (unless
// empty).
constexpr Local around[] = {
    {"issue", "", "", issue_options, 0, 0, run_issue},
    {"revoke", "FILE_OR_SERIAL...", "", revoke_options, 0, 10'000, run_revoke},
    {"show", "[FILE_OR_SERIAL]", "", show_options, 0, 1, run_show},
    {"backup", "FILE", "", backup_options, 1, 1, run_backup},
    {"keys delete", "", "", delete_options, 1, 1, run_delete_key},
    {"keys repin", "", "", {}, 0, 1, run_repin},
};

Option option_of(const LocalOption& local) {
  Option option{.name = std::string(local.name),
                .value = std::string(local.value),
                .doc = std::string(local.doc),
                .repeats = local.repeats,
                .file = local.file};
  std::istringstream choices{std::string(local.choices)};
  for (std::string choice; std::getline(choices, choice, '|');) option.choices.push_back(choice);
  return option;
}

void add_common(CommandSpec& spec) {
  for (const LocalOption& local : common) {
    spec.options.push_back(option_of(local));
    spec.options.back().common = true;
  }
}

Option option_of(const Parameter& parameter) {
  Option option{.name = operations::written(parameter, operations::Door::command_line),
                .value = {},
                .doc = std::string(parameter.doc),
                .repeats = parameter.is(Parameter::repeats)};
  for (std::string_view choice : operations::choices_of(parameter)) option.choices.emplace_back(choice);
  switch (parameter.type) {
    case ParameterType::boolean:
      return option;
    case ParameterType::content:
    case ParameterType::secret:
      option.value = "FILE";
      option.file = true;
      return option;
    case ParameterType::place:
      option.value = "PATH";
      option.file = true;
      return option;
    case ParameterType::integer:
      option.value = "NUMBER";
      return option;
    case ParameterType::duration:
      option.value = "DURATION";
      return option;
    case ParameterType::time:
      option.value = "TIME";
      return option;
    case ParameterType::certificate:
      option.value = "FILE_OR_SERIAL";
      option.file = true;
      return option;
    default:
      option.value = option.name.substr(2);
      for (char& c : option.value) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
      return option;
  }
}

void add_word(CommandSpec& spec, const Parameter& parameter) {
  const std::string name = operations::written(parameter, operations::Door::command_line);
  const bool required = parameter.is(Parameter::required), repeats = parameter.is(Parameter::repeats);
  spec.arguments +=
      (spec.arguments.empty() ? "" : " ") + (required ? name : "[" + name + "]") + (repeats ? "..." : "");
  spec.least += required ? 1 : 0;
  spec.most += repeats ? 10'000 : 1;
}

bool writes_content(const Operation& operation) {
  return std::ranges::find(operation.columns, ColumnType::content, &Column::type) != operation.columns.end();
}

Command local_command(const Local& local) {
  Command command;
  command.spec = {"hanaper",
                  std::string(local.words),
                  std::string(local.arguments),
                  std::string(local.summary),
                  {},
                  local.least,
                  local.most};
  for (const LocalOption& option : local.options) command.spec.options.push_back(option_of(option));
  add_common(command.spec);
  command.run = local.run;
  if (local.words == "new-plugin") command.words.assign(std::begin(config::kinds), std::end(config::kinds));
  if (local.words == "manual") command.words = {"hanaperd", "hanaper.toml"};
  return command;
}

}  // namespace

Command command_of(const Described& operation) {
  Command command;
  CommandSpec& spec = command.spec;
  spec.program = "hanaper";
  spec.words = operation.words;
  spec.summary = std::string(operation.what->summary);
  const auto more = std::ranges::find(around, operation.words, &Local::words);
  const bool other_words = more != std::end(around) && !more->arguments.empty();
  for (const Parameter& parameter : operation.parameters) {
    if (parameter.is(Parameter::word)) {
      if (!other_words) add_word(spec, parameter);
      if (command.words.empty())
        for (std::string_view choice : operations::choices_of(parameter)) command.words.emplace_back(choice);
    } else if (!(operation.id == "backup")) {
      spec.options.push_back(option_of(parameter));
    }
  }
  if (more != std::end(around)) {
    for (const LocalOption& option : more->options) spec.options.push_back(option_of(option));
    if (other_words) {
      spec.arguments = std::string(more->arguments);
      spec.least = more->least;
      spec.most = more->most;
    }
    command.run = more->run;
  }
  if (writes_content(*operation.what))
    spec.options.push_back(
        {.name = "--out", .value = "FILE", .doc = "where it goes; default standard output", .file = true});
  add_common(spec);
  command.operation = operation;
  return command;
}

std::vector<Command> own_commands() {
  std::vector<Command> commands;
  for (const Local& local : before) commands.push_back(local_command(local));
  for (const Described& operation : operations::describe_host())
    if (!operation.words.empty()) commands.push_back(command_of(operation));
  for (const Local& local : behind) commands.push_back(local_command(local));
  return commands;
}

namespace {

// Kind and name of the plugins of a configuration's instances; none when it cannot be read.
std::vector<std::pair<std::string, std::string>> named_plugins(const std::string& file,
                                                               const std::vector<std::string>& settings) {
  std::vector<std::pair<std::string, std::string>> plugins;
  config::Messages messages;
  const config::Table root = config::read(file, settings, messages);
  if (!messages.empty()) return plugins;
  for (const std::string_view kind : config::kinds) {
    const config::Entry* group = root.find(kind);
    const config::Table* instances = group != nullptr ? group->value.table() : nullptr;
    if (instances == nullptr) continue;
    for (const config::Entry& instance : *instances) {
      const config::Table* keys = instance.value.table();
      const config::Entry* plugin = keys != nullptr ? keys->find("plugin") : nullptr;
      const std::string* name = plugin != nullptr ? plugin->value.text() : nullptr;
      const std::pair<std::string, std::string> found{kind, name != nullptr ? *name : instance.key};
      if (std::ranges::find(plugins, found) == plugins.end()) plugins.push_back(found);
    }
  }
  return plugins;
}

}  // namespace

std::vector<Command> all_commands(loader::Catalog& catalog, const std::string& config,
                                  const std::vector<std::string>& settings) {
  std::vector<Command> commands = own_commands();
  auto plugins = named_plugins(config, settings);
  if (plugins.empty()) plugins = operations::plugins_of(catalog);
  std::vector<Command> brought;
  for (const Described& operation : operations::describe_all(catalog, plugins))
    if (!operation.plugin.empty()) brought.push_back(command_of(operation));
  // Behind the host's operations, ahead of what is about the program itself.
  commands.insert(commands.end() - std::ssize(behind), std::make_move_iterator(brought.begin()),
                  std::make_move_iterator(brought.end()));
  return commands;
}

std::vector<std::string> split(const std::string& words) {
  std::istringstream in(words);
  return {std::istream_iterator<std::string>(in), {}};
}

const Command* find_command(const std::vector<Command>& commands, std::span<const std::string> words) {
  const Command* best = nullptr;
  std::size_t most = 0;
  for (const Command& command : commands) {
    const std::vector<std::string> own = split(command.spec.words);
    if (own.size() > most && own.size() <= words.size() &&
        std::equal(own.begin(), own.end(), words.begin())) {
      best = &command;
      most = own.size();
    }
  }
  return best;
}

}  // namespace hanaper::cli
