// acme: what the instances that serve ACME are asked to do.
#include "session.hpp"
#include "terminal.hpp"

#include <iostream>

namespace hanaper::cli {
namespace {

json::Value ask(Session& session, const std::string& command, json::Array words, bool one = false) {
  return session.run("operate", json::Object{{"service", "acme"},
                                             {"command", command},
                                             {"instance", session.arguments().text("--instance")},
                                             {"one", one},
                                             {"words", std::move(words)}});
}

void add(json::Array& words, const Arguments& arguments, const std::string& option) {
  for (const std::string& text : arguments.texts("--" + option)) words.emplace_back(option + "=" + text);
}

std::string text_of(const json::Value& row, const std::string& column) {
  const json::Value* value = row.find(column);
  if (value == nullptr) return "";
  if (value->text()) return *value->text();
  if (value->integer()) return std::to_string(*value->integer());
  std::string list;
  if (value->array())
    for (const json::Value& item : *value->array())
      if (item.text()) list += (list.empty() ? "" : " ") + *item.text();
  return list;
}

// One line for each row, with those columns.
int print(const Session& session, const json::Value& rows,
          const std::vector<std::pair<std::string, std::string>>& columns) {
  if (session.arguments().has("--json")) {
    std::cout << json::write_pretty(rows) << "\n";
    return 0;
  }
  std::vector<std::vector<std::string>> cells(1);
  for (const auto& [title, column] : columns) cells.front().push_back(title);
  for (const json::Value& row : *rows.array()) {
    cells.emplace_back();
    for (const auto& [title, column] : columns) cells.back().push_back(text_of(row, column));
  }
  std::cout << table(cells);
  return 0;
}

int create(Session& session) {
  const Arguments& arguments = session.arguments();
  if (!arguments.has("--owner")) misuse("acme eab create needs --owner, who the key is for");
  json::Array words{"create"};
  for (const char* option : {"owner", "profile", "name", "quota", "accounts", "within"})
    add(words, arguments, option);
  const json::Value rows = ask(session, "eab", std::move(words), true);
  if (arguments.has("--json")) return print(session, rows, {});
  const json::Value& row = rows.array()->front();
  // The one time that the secret is shown.
  std::cout << "directory  " << row.text_at("directory") << "\nkid        " << row.text_at("kid")
            << "\nhmac       " << row.text_at("hmac") << "\n";
  return 0;
}

int external(Session& session) {
  const auto& positional = session.arguments().positional;
  const std::string verb = positional.size() > 1 ? positional[1] : "";
  if (verb == "create" && positional.size() == 2) return create(session);
  const std::vector<std::pair<std::string, std::string>> columns{{"KID", "kid"},
                                                                 {"OWNER", "owner"},
                                                                 {"STATE", "state"},
                                                                 {"NAMES", "names"},
                                                                 {"PROFILES", "profiles"},
                                                                 {"ACCOUNTS LEFT", "accounts_left"},
                                                                 {"ORDERS LEFT", "orders_left"},
                                                                 {"EXPIRES", "expires"}};
  if (verb == "list" && positional.size() == 2)
    return print(session, ask(session, "eab", json::Array{"list"}), columns);
  if (verb != "revoke" || positional.size() != 3) misuse("acme eab create, list or revoke KID is needed");
  const json::Value rows = ask(session, "eab", json::Array{"revoke", "kid=" + positional[2]});
  if (rows.array()->empty()) fail(not_found("no external key \"" + positional[2] + "\""));
  return print(session, rows, columns);
}

int explain(Session& session) {
  const auto& positional = session.arguments().positional;
  if (positional.size() != 2) misuse("acme explain needs an order, by its name or URL");
  const json::Value rows = ask(session, "explain", json::Array{positional[1]});
  if (rows.array()->empty()) fail(not_found("no order \"" + positional[1] + "\""));
  if (session.arguments().has("--json")) return print(session, rows, {});
  const json::Value& order = rows.array()->front();
  std::cout << "order " << order.text_at("order") << " of account " << order.text_at("account") << ": "
            << order.text_at("status") << ", expires " << order.text_at("expires") << "\n";
  for (const json::Value& one : *order.find("authorizations")->array())
    std::cout << "  " << one.text_at("name") << ": " << one.text_at("status") << ", expires "
              << one.text_at("expires") << "\n";
  std::vector<std::vector<std::string>> cells{{"TIME", "ABOUT", "WHAT"}};
  for (const json::Value& event : *order.find("events")->array())
    cells.push_back({text_of(event, "at"), text_of(event, "about"), text_of(event, "what")});
  std::cout << table(cells);
  return 0;
}

int renew_early(Session& session) {
  const Arguments& arguments = session.arguments();
  if (arguments.texts("--profile").size() != 1) misuse("acme renew-early needs one --profile");
  json::Array words;
  add(words, arguments, "profile");
  add(words, arguments, "within");
  const json::Value rows = ask(session, "renew-early", std::move(words));
  if (rows.array()->empty())
    fail(not_found("no ACME service issues by the profile \"" + arguments.text("--profile") + "\""));
  return print(session, rows, {{"PROFILE", "profile"}, {"FROM", "from"}, {"TO", "to"}});
}

}  // namespace

int run_acme(Session& session) {
  const Arguments& arguments = session.arguments();
  const std::string& verb = arguments.positional.front();
  if (verb == "eab") return external(session);
  if (verb == "explain") return explain(session);
  if (arguments.positional.size() != 1) misuse("acme " + verb + " takes no further words");
  if (verb == "renew-early") return renew_early(session);
  if (verb == "accounts")
    return print(session, ask(session, "accounts", {}),
                 {{"ACCOUNT", "account"},
                  {"STATUS", "status"},
                  {"CREATED", "created"},
                  {"OWNER", "owner"},
                  {"CONTACT", "contact"}});
  if (verb != "orders") misuse("acme eab, accounts, orders, explain or renew-early is needed");
  json::Array words;
  add(words, arguments, "account");
  return print(session, ask(session, "orders", std::move(words)),
               {{"ORDER", "order"},
                {"STATUS", "status"},
                {"ACCOUNT", "account"},
                {"EXPIRES", "expires"},
                {"NAMES", "names"},
                {"SERIAL", "serial"}});
}

}  // namespace hanaper::cli
