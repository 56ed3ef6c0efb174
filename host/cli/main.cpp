// hanaper: the command line.
#include "session.hpp"

#include <sys/stat.h>

#include <csignal>
#include <exception>
#include <iostream>

namespace {

using namespace hanaper::cli;

using Run = int (*)(Session&);

Run find_run(std::string_view name) {
  constexpr std::pair<std::string_view, Run> runs[] = {
      {"init", run_init},         {"check", run_check},     {"plan", run_plan},
      {"plugins", run_plugins},   {"sample", run_sample},   {"issue", run_issue},
      {"revoke", run_revoke},     {"show", run_show},       {"list", run_list},
      {"serials", run_serials},   {"audit", run_audit},     {"keys", run_keys},
      {"backup", run_backup},     {"restore", run_restore}, {"storage", run_storage},
      {"crl", run_crl},           {"ocsp", run_ocsp},       {"acme", run_acme},
      {"requests", run_requests}, {"scep", run_scep},       {"new-plugin", run_new_plugin}};
  for (const auto& [known, run] : runs)
    if (known == name) return run;
  return nullptr;
}

int print(const std::string& text) {
  std::cout << text;
  return 0;
}

int run(const std::vector<std::string>& words) {
  if (words.empty()) misuse("a command is needed; hanaper help lists them");
  const std::string& name = words.front();
  if (name == "--help" || name == "-h") return print(help());
  if (name == "--version") return print("hanaper " HANAPER_VERSION "\n");
  const CommandSpec* command = find_command(name);
  if (command == nullptr) {
    std::vector<std::string> known;
    for (const CommandSpec& other : commands()) known.emplace_back(other.name);
    misuse("no command \"" + name + "\"" + hanaper::config::suggestion(name, known) +
           "; hanaper help lists them");
  }
  auto arguments = parse(*command, std::span(words).subspan(1));
  if (!arguments) misuse(arguments.error().detail);
  if (arguments->has("--help")) return print(help(*command));
  if (name == "completion") return print(bash_completion());
  if (name == "manual") {
    if (arguments->positional.empty()) return print(manual());
    if (arguments->positional.front() == daemon().name) return print(daemon_manual());
    misuse("no manual page \"" + arguments->positional.front() + "\"; see hanaper help manual");
  }
  if (name == "help") {
    if (arguments->positional.empty()) return print(help());
    const CommandSpec* topic = find_command(arguments->positional.front());
    if (topic == nullptr) misuse("no command \"" + arguments->positional.front() + "\"");
    return print(help(*topic));
  }
  Session session(*std::move(arguments));
  return find_run(name)(session);
}

}  // namespace

int main(int count, char** words) {
  ::umask(0077);
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return run({words + 1, words + count});
  } catch (const Failure& failure) {
    std::cout.flush();
    for (const std::string& line : failure.lines) std::cerr << "hanaper: " << line << "\n";
    return failure.status;
  } catch (const std::exception& error) {
    std::cerr << "hanaper: " << error.what() << "\n";
    return 1;
  }
}
