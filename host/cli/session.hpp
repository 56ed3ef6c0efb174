// One run of the command line: its arguments, the configuration they name, and the node behind it.
#pragma once

#include "../loader/catalog.hpp"
#include "../node/node.hpp"
#include "control_client.hpp"
#include "node_commands.hpp"
#include "options.hpp"

namespace hanaper::cli {

// Why a command ended without success.
struct Failure {
  int status;  // 1 failed, 2 wrong use or configuration
  std::vector<std::string> lines;
};

// Thrown to end the command; caught in main.
[[noreturn]] void fail(const Error& error);
[[noreturn]] void misuse(std::string line);

// What the result holds; without that, fail.
template <class T>
T need(Result<T> result) {
  if (!result) fail(result.error());
  return *std::move(result);
}

class Session {
 public:
  explicit Session(Arguments arguments);

  const Arguments& arguments() const noexcept { return arguments_; }
  std::string config_file() const { return arguments_.text("--config", "/etc/hanaper/hanaper.toml"); }
  loader::Catalog& catalog() noexcept { return catalog_; }

  // The configuration, or that of another file; ends the command with status 2 when it is wrong.
  config::Model model(bool read_secrets, const std::string& file = "");

  // A node with every plugin configured; status 2 when one of them objects.
  std::unique_ptr<Node> configured_node(const std::string& file = "");

  // Runs a node command: by the daemon when it runs, else here.
  json::Value run(std::string_view command, json::Value arguments);

 private:
  const Arguments arguments_;
  loader::Catalog catalog_;
  services::Logger logger_;
  std::optional<ControlClient> daemon_;
  std::unique_ptr<Node> node_;
};

// Takes the whole text of a file, or of standard input for "-"; ends the command with status 1 when it
// cannot.
std::string read_input(const std::string& path);

// A certificate by its file when there is one of that name, else by serial number.
json::Object certificate_argument(const std::string& word);

// Every command of the table, by name; each prints and returns the exit status.
int run_init(Session& session);
int run_check(Session& session);
int run_plan(Session& session);
int run_plugins(Session& session);
int run_sample(Session& session);
int run_new_plugin(Session& session);
int run_issue(Session& session);
int run_revoke(Session& session);
int run_crl(Session& session);
int run_requests(Session& session);
int run_scep(Session& session);
int run_ocsp(Session& session);
int run_acme(Session& session);
int run_show(Session& session);
int run_list(Session& session);
int run_serials(Session& session);
int run_audit(Session& session);
int run_keys(Session& session);
int run_backup(Session& session);
int run_restore(Session& session);
int run_storage(Session& session);

}  // namespace hanaper::cli
