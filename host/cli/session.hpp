// One run of the command line: its arguments, the configuration they name, and the node behind it.
#pragma once

#include "../loader/catalog.hpp"
#include "../node/node.hpp"
#include "commands.hpp"
#include "control_client.hpp"

namespace hanaper::cli {

inline constexpr std::string_view default_config = "/etc/hanaper/hanaper.toml";

// Why a command ended without success.
struct Failure {
  int status;  // 1 failed, 2 wrong use or configuration, 3 waits for approval
  std::vector<std::string> lines;
  Code code = Code::malformed;
};

// Thrown to end the command; caught in main.
[[noreturn]] void fail(const Error& error);
[[noreturn]] void misuse(std::string line);
// That a node cannot be started: status 2 where that is what is configured.
[[noreturn]] void fail_start(const Error& error);

// What the result holds; without that, fail.
template <class T>
T need(Result<T> result) {
  if (!result) fail(result.error());
  return *std::move(result);
}

class Session {
 public:
  Session(const Command& command, CommandLine line, loader::Catalog& catalog);

  const Command& command() const noexcept { return command_; }
  const CommandLine& line() const noexcept { return line_; }
  std::string config_file() const { return line_.text("--config", std::string(default_config)); }
  loader::Catalog& catalog() noexcept { return catalog_; }

  // The configuration, or that of another file; ends the command with status 2 when it is wrong.
  // Pins that are still to be made end it too, unless `missing_pins` takes their names.
  config::Model model(bool read_secrets, const std::string& file = "",
                      std::vector<std::string>* missing_pins = nullptr);

  // A node with every plugin configured; status 2 when one of them objects.
  std::unique_ptr<Node> configured_node(const std::string& file = "",
                                        std::vector<std::string>* missing_pins = nullptr);

  // Runs an operation: by the daemon when it runs, else here.
  json::Value run(std::string_view operation, const json::Value& arguments);

  // The daemon that serves this state folder, if one runs.
  std::optional<ControlClient> find_daemon();

  // Ends the command with status 2 and how to get help.
  [[noreturn]] void misuse(const std::string& what) const;

 private:
  void check_clock(std::string_view operation);

  const Command& command_;
  const CommandLine line_;
  loader::Catalog& catalog_;
  services::Logger logger_;
  std::optional<ControlClient> daemon_;
  std::unique_ptr<Node> node_;
};

// Takes the whole text of a file, or of standard input for "-"; ends the command with status 1 when it
// cannot.
std::string read_input(const std::string& path);

// Makes it if need be, and has it closed to others; ends the command with status 1 when it is another user's.
void create_state_folder(const std::string& state);

// A pin or a passphrase in a file: what stands before the line end.
Secret read_pin(const std::string& path);

// A certificate as arguments name it: that of the file when there is one of that name, else a serial number.
std::string certificate_argument(const std::string& word);

// The arguments of the command's operation as the line gives them: files are read. Ends the command with
// status 2 where the operation would not take them.
json::Object arguments_of(const Session& session);
void check_arguments(const Session& session, const json::Object& arguments);

// Asks for the command's operation with those, page by page, and prints what it answers.
int run_operation(Session& session);

// What the command line does itself; each prints and returns the exit status.
int run_init(Session& session);
int run_check(Session& session);
int run_plan(Session& session);
int run_plugins(Session& session);
int run_sample(Session& session);
int run_new_plugin(Session& session);
int run_ha_templates(Session& session);
int run_issue(Session& session);
int run_revoke(Session& session);
int run_show(Session& session);
int run_delete_key(Session& session);
int run_repin(Session& session);
int run_backup(Session& session);
int run_import(Session& session);
int run_restore(Session& session);
int run_bootstrap(Session& session);
int run_probe(Session& session);
int run_health(Session& session);
int run_accounts_line(Session& session);
int run_storage_migrate(Session& session);
int run_storage_check(Session& session);
int run_storage_copy(Session& session);

}  // namespace hanaper::cli
