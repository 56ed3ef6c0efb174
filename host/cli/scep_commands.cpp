// hanaper scep challenge: what a device shows when it enrols for the first time.
#include "session.hpp"

#include <iostream>

namespace hanaper::cli {

int run_scep(Session& session) {
  const Arguments& arguments = session.arguments();
  if (arguments.positional.front() != "challenge") misuse("scep challenge is all there is");
  json::Array words{arguments.text("--profile", ""), arguments.text("--subject", "")};
  for (const std::string& name : arguments.texts("--name")) words.emplace_back(name);
  const json::Value rows = session.run("operate", json::Object{{"service", "scep"},
                                                               {"command", "challenge"},
                                                               {"instance", arguments.text("--instance")},
                                                               {"words", std::move(words)}});
  if (arguments.has("--json")) {
    std::cout << json::write_pretty(rows) << "\n";
    return 0;
  }
  for (const json::Value& row : *rows.array())
    std::cout << row.text_at("challenge") << "\n"
              << "for " << row.text_at("url") << ", until " << row.text_at("expires") << "\n";
  return 0;
}

}  // namespace hanaper::cli
