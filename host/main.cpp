// hanaperd: the daemon. Reads the configuration, runs a node, ends it on SIGTERM, reads again on SIGHUP.
#include "cli/node_commands.hpp"
#include "node/node.hpp"
#include "services/memory.hpp"
#include "services/notify_socket.hpp"

#include <sys/stat.h>

#include <csignal>
#include <exception>
#include <iostream>

namespace {

using namespace hanaper;

constexpr int done = 0, failed = 1, misconfigured = 2;

struct CommandLine {
  std::string config = "/etc/hanaper/hanaper.toml";
  std::string plugins = loader::default_plugin_folder();
  std::vector<std::string> settings;
};

constexpr const char* usage =
    "usage: hanaperd [-c FILE] [--set KEY=VALUE]... [--plugins DIR]\n\n"
    "  -c FILE           configuration; default /etc/hanaper/hanaper.toml\n"
    "  --set KEY=VALUE   lay a value over the configuration, as in listener.public.bind=127.0.0.1:8443\n"
    "  --plugins DIR     where plugins are\n"
    "  --version, --help\n\n"
    "SIGTERM and SIGINT end it after the running requests; SIGHUP reads the configuration again.\n"
    "exit status: 0 done, 1 failed, 2 wrong use or configuration\n";

int complain(const std::vector<std::string>& lines, int status) {
  for (const std::string& line : lines) std::cerr << "hanaperd: " << line << "\n";
  return status;
}

// False when the program is to end with `status`.
bool parse(int count, char** words, CommandLine& line, int& status) {
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    status = done;
    if (word == "--help" || word == "-h") return std::cout << usage, false;
    if (word == "--version") return std::cout << "hanaperd " HANAPER_VERSION "\n", false;
    status = misconfigured;
    const bool takes_value = word == "-c" || word == "--config" || word == "--set" || word == "--plugins";
    if (!takes_value) return complain({"unexpected \"" + word + "\"; see hanaperd --help"}, status), false;
    if (i + 1 >= count)
      return complain({"option " + word + " needs a value; see hanaperd --help"}, status), false;
    const std::string value = words[++i];
    if (word == "--set")
      line.settings.push_back(value);
    else
      (word == "--plugins" ? line.plugins : line.config) = value;
  }
  return true;
}

config::Model read_model(const CommandLine& line, loader::Catalog& catalog, config::Messages& messages) {
  const config::Table root = config::read(line.config, line.settings, messages);
  if (!messages.empty()) return {};
  return config::make_model(
      root, [&](std::string_view kind, std::string_view plugin) { return catalog.find(kind, plugin); }, true,
      messages);
}

void reload(const CommandLine& line, loader::Catalog& catalog, Node& node, services::Logger& logger) {
  services::notify_manager("RELOADING=1");
  config::Messages messages;
  config::Model model = read_model(line, catalog, messages);
  for (const std::string& text : messages.lines())
    logger.error("configuration not taken over", {{"error", text}});
  if (messages.empty()) {
    const auto outcome = node.reload(std::move(model));
    if (!outcome) logger.error("configuration not taken over", {{"error", outcome.error().detail}});
    if (outcome && outcome->empty()) logger.info("configuration read again, nothing changed");
    if (outcome)
      for (const std::string& text : *outcome) logger.info("configuration read again", {{"change", text}});
  }
  services::notify_manager("READY=1");
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
  if (!messages.empty()) return complain(messages.lines(), misconfigured);
  if (Status applied = logger.apply(model.log); !applied)
    return complain({applied.error().detail}, misconfigured);

  Node node(std::move(model), catalog, logger);
  if (const std::vector<std::string> failures = node.configure(); !failures.empty())
    return complain(failures, misconfigured);
  Status running = node.start();
  if (running) running = node.serve(std::make_shared<cli::ControlEndpoint>(node));
  if (!running) return complain({running.error().detail}, failed);
  logger.info("ready", {{"version", HANAPER_VERSION}, {"node", node.model().node.name}});
  services::notify_manager("READY=1");

  for (int signal = 0; sigwait(&signals, &signal) == 0 && signal == SIGHUP;)
    reload(line, catalog, node, logger);
  services::notify_manager("STOPPING=1");
  logger.info("stopping");
  const bool clean = node.stop();
  logger.info(clean ? "stopped" : "stopped; requests that took too long were cut off");
  return done;
}

}  // namespace

int main(int count, char** words) {
  ::umask(0077);
  services::tune_allocator();
  CommandLine line;
  int status = done;
  if (!parse(count, words, line, status)) return status;
  try {
    return run(line);
  } catch (const std::exception& error) {
    return complain({error.what()}, failed);
  }
}
