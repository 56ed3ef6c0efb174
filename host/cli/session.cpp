#include "session.hpp"

#include "../services/process.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>

#include <unistd.h>

#include <iostream>
#include <iterator>

namespace hanaper::cli {

void fail(const Error& error) {
  throw Failure{error.code == Code::pending ? 3 : 1, {error.detail}, error.code};
}
void fail_start(const Error& error) {
  throw Failure{is_misconfigured(error) ? 2 : 1, {error.detail}, error.code};
}
void misuse(std::string line) { throw Failure{2, {std::move(line)}}; }

Session::Session(const Command& command, CommandLine line, loader::Catalog& catalog)
    : command_(command), line_(std::move(line)), catalog_(catalog) {
  // A command tells its user what matters; the log is the daemon's.
  static_cast<void>(logger_.apply({"error", "text", "", {}}));
}

void Session::misuse(const std::string& what) const {
  cli::misuse(what + "; see " + command_.spec.help_words());
}

config::Model Session::model(bool read_secrets, const std::string& file,
                             std::vector<std::string>* missing_pins) {
  config::Messages messages;
  const config::Table root =
      config::read(file.empty() ? config_file() : file, line_.texts("--set"), messages);
  if (!messages.empty()) throw Failure{2, messages.lines()};
  config::Model model = config::make_model(
      root, [&](std::string_view kind, std::string_view plugin) { return catalog_.find(kind, plugin); },
      read_secrets, messages, missing_pins);
  if (!messages.empty()) throw Failure{2, messages.lines()};
  return model;
}

std::unique_ptr<Node> Session::configured_node(const std::string& file,
                                               std::vector<std::string>* missing_pins) {
  // Not before. A command that only asks the daemon keeps its /proc entry open: the daemon reads there who
  // logged in.
  services::keep_memory_private();
  auto node = std::make_unique<Node>(model(true, file, missing_pins), catalog_, logger_);
  if (std::vector<std::string> failures = node->configure(); !failures.empty())
    throw Failure{2, std::move(failures)};
  return node;
}

// The daemon that serves this state folder, if one runs. A file that was broken since it started keeps nobody
// from it: it has read another.
std::optional<ControlClient> Session::find_daemon() {
  config::Messages messages;
  const config::Table root = config::read(config_file(), line_.texts("--set"), messages);
  const std::string socket =
      config::socket_of(messages.empty() ? root : config::read_node(config_file(), line_.texts("--set")));
  if (socket.empty()) return std::nullopt;
  auto connected = ControlClient::connect(socket);
  if (!connected) fail(connected.error());
  if (*connected && line_.has("--set"))
    std::cerr
        << "hanaper: a daemon runs, with the configuration that it has read; --set changes nothing in it\n";
  return *std::move(connected);
}

// Commands that only read need no clock, nor do a backup and the acceptance of the clock.
void Session::check_clock(std::string_view operation) {
  const auto* own = operations::find_host_operation(operation);
  const Operation* what = own != nullptr       ? &own->what
                          : command_.operation ? command_.operation->what
                                               : nullptr;
  const bool reads = what != nullptr && operations::only_reads(*what);
  if (reads || operation == "backup" || operation == "audit.accept-clock") return;
  if (Status clock = node_->writer().check_clock(); !clock) fail(clock.error());
}

json::Value Session::run(std::string_view operation, const json::Value& arguments) {
  if (!node_ && !daemon_) {
    daemon_ = find_daemon();
    if (!daemon_ && (operation == "reload" || operation == "drain"))
      fail(unavailable("no daemon answers at " + model(false).node.socket +
                       (operation == "reload" ? "; it reads the configuration when it starts" : "")));
    if (!daemon_) {
      // Whoever owns the folder is told before its secrets are looked at.
      if (const Status own = check_state_owner(model(false).node.state);
          !own && own.error().code == Code::forbidden)
        fail(own.error());
      node_ = configured_node();
      if (Status started = node_->start(); !started) fail_start(started.error());
      check_clock(operation);
    }
  }
  if (daemon_) return need(daemon_->run(operation, arguments));
  Call call{crypto::random_name(9), std::chrono::steady_clock::now() + std::chrono::minutes{10}};
  return need(operations::run(*node_, operations::own_caller(), operation, arguments,
                              operations::Door::command_line, call));
}

std::string read_input(const std::string& path) {
  if (path == "-") return {std::istreambuf_iterator<char>(std::cin), {}};
  auto text = files::read_stream(path, 16 * 1024 * 1024);
  if (!text) fail(text.error());
  return *std::move(text);
}

Secret read_pin(const std::string& path) {
  std::string text = read_input(path);
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  return Secret(std::move(text));
}

void create_state_folder(const std::string& state) {
  if (Status made = files::create_folder(state); !made) fail(made.error());
  if (Status own = check_state_owner(state); !own) fail(own.error());
  if (need(close_state_folder(state)))
    std::cerr << "hanaper: others could look into " << state << "; its mode is 700 now\n";
}

}  // namespace hanaper::cli
