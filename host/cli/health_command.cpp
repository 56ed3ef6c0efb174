// health: how fit the daemon is, from its memory, for scripts that ask often.
#include "print.hpp"

#include <iostream>

namespace hanaper::cli {
namespace {

// Longer than any stall in which a daemon still answers.
constexpr std::chrono::milliseconds patience{2000};

std::string path_of(const Session& session) {
  const auto& words = session.line().positional;
  const std::string purpose = words.empty() ? "issue" : words.front();
  if (purpose == "issue") return "/health/ready";
  if (purpose == "status" || purpose == "node") return "/health/" + purpose;
  session.misuse("\"" + purpose + "\": issue, status or node is expected");
}

}  // namespace

int run_health(Session& session) {
  const std::string path = path_of(session);
  auto daemon = session.find_daemon();
  if (!daemon) fail(unavailable("no daemon answers"));
  const json::Value report = need(daemon->get(path, patience));
  const bool well = report.text_at("status") == "ready" || report.text_at("status") == "good";
  if (session.line().has("--json")) {
    print_json(report);
    return well ? 0 : 1;
  }
  const json::Value* checks = report.find("checks");
  if (checks != nullptr && checks->object() != nullptr)
    for (const auto& [name, outcome] : *checks->object())
      if (const std::string* text = outcome.text(); text != nullptr && *text != "ok")
        std::cerr << "hanaper: " << name << ": " << *text << "\n";
  if (well) std::cout << report.text_at("status") << "\n";
  return well ? 0 : 1;
}

}  // namespace hanaper::cli
