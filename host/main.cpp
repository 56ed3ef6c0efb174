// hanaperd: the daemon. Reads the configuration, runs a node, ends it on SIGTERM, reads again on SIGHUP.
#include "node/node.hpp"
#include "operations/command_line.hpp"
#include "operations/control.hpp"
#include "operations/reloads.hpp"
#include "services/memory.hpp"
#include "services/notify_socket.hpp"
#include "services/process.hpp"

#include <hanaper/toolkit/locked_memory.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>

namespace {

using namespace hanaper;

constexpr int done = 0, failed = 1, misconfigured = 2;

struct CommandLine {
  std::string config, plugins;
  std::vector<std::string> settings;
};

int complain(const std::vector<std::string>& lines, int status) {
  for (const std::string& line : lines) std::cerr << "hanaperd: " << line << "\n";
  return status;
}

config::Model read_model(const CommandLine& line, loader::Catalog& catalog, config::Messages& messages) {
  const config::Table root = config::read(line.config, line.settings, messages);
  if (!messages.empty()) return {};
  return config::make_model(
      root, [&](std::string_view kind, std::string_view plugin) { return catalog.find(kind, plugin); }, true,
      messages);
}

Result<std::vector<std::string>> reload(const CommandLine& line, loader::Catalog& catalog, Node& node) {
  config::Messages messages;
  config::Model model = read_model(line, catalog, messages);
  if (messages.empty()) return node.reload(std::move(model));
  std::string all;
  for (const std::string& text : messages.lines()) all += (all.empty() ? "" : "; ") + text;
  return malformed(all);
}

Result<std::vector<std::string>> logged_reload(const CommandLine& line, loader::Catalog& catalog, Node& node,
                                               services::Logger& logger) {
  services::notify_manager("RELOADING=1");
  auto outcome = reload(line, catalog, node);
  node.reloaded(outcome);
  if (!outcome) logger.error("configuration not taken over", {{"error", outcome.error().detail}});
  if (outcome && outcome->empty()) logger.info("configuration read again, nothing changed");
  if (outcome)
    for (const std::string& text : *outcome) logger.info("configuration read again", {{"change", text}});
  services::notify_manager("READY=1");
  return outcome;
}

int run(const CommandLine& line) {
  // Every thread inherits the mask, so that signals come to this one only.
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  services::Logger logger;
  loader::Catalog catalog(line.plugins);
  config::Messages messages;
  config::Model model = read_model(line, catalog, messages);
  if (!messages.empty()) {
    // That explains whatever could not be read there.
    if (const Status own = check_state_owner(model.node.state); !own && own.error().code == Code::forbidden)
      return complain({own.error().detail}, failed);
    return complain(messages.lines(), misconfigured);
  }
  if (Status applied = logger.apply(model.log); !applied)
    return complain({applied.error().detail}, misconfigured);

  if (!crypto::lock_keys_in_memory())
    logger.warning("private keys may be written to swap space: the limit of locked memory is below 4 MiB");

  operations::Reloads reloads;
  Node node(std::move(model), catalog, logger);
  if (const std::vector<std::string> failures = node.configure(); !failures.empty())
    return complain(failures, misconfigured);
  std::atomic<bool> displaced{false};
  node.on_displaced = [&](const Error& why) {
    logger.error("ends", {{"error", why.detail}});
    displaced = true;
    ::kill(::getpid(), SIGTERM);
  };
  node.on_drain = [] { ::kill(::getpid(), SIGTERM); };
  node.on_reload = [&reloads](Call& call) { return reloads.ask(call); };
  Status running = node.start();
  if (running) running = node.serve(std::make_shared<operations::ControlEndpoint>(node));
  if (!running)
    return complain({running.error().detail}, is_misconfigured(running.error()) ? misconfigured : failed);
  logger.info("ready", {{"version", HANAPER_VERSION}, {"node", node.model().node.name}});
  services::notify_manager("READY=1");

  for (int signal = 0; sigwait(&signals, &signal) == 0 && signal == SIGHUP;)
    reloads.answer([&] { return logged_reload(line, catalog, node, logger); });
  reloads.end();
  services::notify_manager("STOPPING=1");
  logger.info("stopping");
  const bool clean = node.stop();
  logger.info(clean ? "stopped" : "stopped; what took too long was cut off");
  // Nobody starts it again before the name was changed.
  const int status = displaced ? misconfigured : done;
  if (clean) return status;
  // A thread is inside of a plugin still, and destructors that wait for it might wait for ever.
  logger.flush();
  std::_Exit(status);
}

}  // namespace

int main(int count, char** words) {
  ::umask(0077);
  services::keep_memory_private();
  services::tune_allocator();
  const auto arguments =
      operations::parse(operations::daemon(), std::vector<std::string>(words + 1, words + count));
  if (!arguments) return complain({arguments.error().detail}, misconfigured);
  if (arguments->has("--help")) return std::cout << operations::help(operations::daemon()), done;
  if (arguments->has("--version")) return std::cout << "hanaperd " HANAPER_VERSION "\n", done;
  try {
    return run({arguments->text("--config", "/etc/hanaper/hanaper.toml"),
                arguments->text("--plugins", loader::default_plugin_folder()), arguments->texts("--set")});
  } catch (const std::exception& error) {
    return complain({error.what()}, failed);
  }
}
