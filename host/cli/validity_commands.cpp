// revoke, alone and in bulk; crl and ocsp: what the instances that publish validity are asked to do.
#include "node_commands.hpp"
#include "session.hpp"
#include "terminal.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <sstream>

namespace hanaper::cli {
namespace {

Result<RevocationReason> parse_reason(std::string_view text) {
  using enum RevocationReason;
  if (text.empty()) return unspecified;
  for (RevocationReason reason :
       {unspecified, key_compromise, ca_compromise, affiliation_changed, superseded, cessation_of_operation,
        certificate_hold, remove_from_crl, privilege_withdrawn})
    if (to_string(reason) == text) return reason;
  return malformed("\"" + std::string(text.substr(0, 40)) +
                   "\" is no reason; there are unspecified, keyCompromise, cACompromise, affiliationChanged, "
                   "superseded, cessationOfOperation, privilegeWithdrawn, certificateHold and removeFromCRL, "
                   "which ends a hold");
}

Result<issuance::RevocationOrder> parse_order(const json::Value& arguments) {
  issuance::RevocationOrder order;
  HANAPER_TRY(order.reason, parse_reason(arguments.text_at("reason")));
  if (const std::string_view text = arguments.text_at("invalidity"); !text.empty()) {
    HANAPER_TRY(order.invalidity, parse_time_text(text));
  }
  order.requester = "command:" + std::string(arguments.text_at("user"));
  return order;
}

// Whether it is as ordered, so that a command that is repeated succeeds again. Without a reason any will do.
bool stands_already(const CertificateRow& row, const issuance::RevocationOrder& order, bool reason_given) {
  if (!row.revoked || row.released) return false;
  if (*row.revoked == order.reason) return true;
  return !reason_given && *row.revoked != RevocationReason::certificate_hold;
}

std::string_view state_after(RevocationReason reason) {
  if (reason == RevocationReason::remove_from_crl) return "issued";
  return reason == RevocationReason::certificate_hold ? "on hold" : "revoked";
}

// One of many changes that are committed as groups.
class PendingChange final : public services::Submission {
 public:
  void committed(Status status) noexcept override {
    outcome = std::move(status);
    done.set();
  }
  issuance::Revoker::Change change;
  Status outcome;
  bool submitted = false;
  services::Completion done;
};

}  // namespace

Result<json::Value> revoke(Node& node, const json::Value& arguments, Call& call) {
  HANAPER_TRY(const issuance::RevocationOrder order, parse_order(arguments));
  HANAPER_TRY(const CertificateRow row, find_row(node, arguments));
  if (stands_already(row, order, !arguments.text_at("reason").empty()))
    return json::Value(json::Object{{"serial", row.serial.hex()},
                                    {"state", state_after(*row.revoked)},
                                    {"reason", to_string(*row.revoked)},
                                    {"already", true}});
  if (const auto pipeline = node.pipeline_of(row.authority)) {
    HANAPER_CHECK((*pipeline)->revoke(row, order, call));
  } else {
    HANAPER_CHECK(node.revoker().revoke(authority_name(node, row.authority), row, order, call));
  }
  return json::Value(json::Object{{"serial", row.serial.hex()},
                                  {"state", state_after(order.reason)},
                                  {"reason", to_string(order.reason)}});
}

// Takes up to some thousand serial numbers; what is revoked already, for that reason, is as good as revoked.
Result<json::Value> revoke_many(Node& node, const json::Value& arguments, Call& call) {
  HANAPER_TRY(const issuance::RevocationOrder order, parse_order(arguments));
  const json::Value* list = arguments.find("serials");
  if (list == nullptr || list->array() == nullptr) return malformed("serials is missing");
  const bool reason_given = !arguments.text_at("reason").empty();
  const issuance::Revoker revoker = node.revoker();
  HANAPER_TRY(const std::vector<AuthorityRow> authorities, node.storage().ledger().authorities());
  const auto name_of = [&](AuthorityId id) {
    const auto known = std::ranges::find(authorities, id, &AuthorityRow::id);
    return known == authorities.end() ? std::to_string(id) : known->name;
  };
  std::vector<std::unique_ptr<PendingChange>> pending;
  std::size_t already = 0;
  json::Array failures;
  const auto failed = [&](std::string_view serial, const Error& error) {
    failures.emplace_back(std::string(serial.substr(0, 64)) + ": " + error.detail);
  };
  for (const json::Value& item : *list->array()) {
    const std::string serial(item.text() ? *item.text() : "");
    const auto row = find_row(node, authorities, serial);
    if (!row) {
      failed(serial, row.error());
      continue;
    }
    auto change = revoker.prepare(name_of(row->authority), *row, order, call);
    if (!change) {
      // Not every conflict is that: it may have expired, or be revoked for another reason.
      if (stands_already(*row, order, reason_given))
        ++already;
      else
        failed(serial, change.error());
      continue;
    }
    auto made = std::make_unique<PendingChange>();
    made->change = *std::move(change);
    made->write = made->change.write;
    made->expiry = made->change.expiry;
    made->deadline = call.deadline;
    made->outcome = node.writer().submit(*made);
    made->submitted = made->outcome.has_value();
    pending.push_back(std::move(made));
  }
  std::size_t revoked = 0;
  for (const auto& one : pending) {
    if (one->submitted) one->done.wait();
    if (one->outcome) {
      revoker.done(one->change);
      ++revoked;
      continue;
    }
    const Revocation& wanted = *one->change.write.revocation;
    // Somebody may have been faster, and for another reason.
    const bool faster = one->outcome.error().code == Code::conflict;
    const auto row = faster ? node.storage().ledger().certificate(wanted.authority, wanted.serial)
                            : Result<CertificateRow>(one->outcome.error());
    if (row && stands_already(*row, order, reason_given))
      ++already;
    else
      failed(wanted.serial.hex(), one->outcome.error());
  }
  return json::Value(json::Object{{"revoked", static_cast<std::int64_t>(revoked)},
                                  {"already", static_cast<std::int64_t>(already)},
                                  {"failures", std::move(failures)}});
}

// Asks every protocol instance that offers the service; only one that has a name when `instance` says it, and
// the only one there is when `one` is true.
Result<json::Value> operate(Node& node, const json::Value& arguments, Call& call) {
  const std::string service(arguments.text_at("service"));
  const std::string_view named = arguments.text_at("instance");
  const json::Value* one = arguments.find("one");
  const bool only_one = one && one->boolean() && *one->boolean();
  std::vector<std::string> words;
  if (const json::Value* list = arguments.find("words"); list && list->array())
    for (const json::Value& word : *list->array())
      if (word.text()) words.emplace_back(*word.text());
  json::Array results;
  bool asked = false;
  for (const auto& instance : node.instances()) {
    const config::InstanceConfig& config = instance->config();
    if (config.kind != "protocol" || !node.catalog().offers(config.kind, config.plugin, service)) continue;
    auto* operable = ability_of<Operable>(instance->plugin());
    if (operable == nullptr || (!named.empty() && named != config.name)) continue;
    if (only_one && asked)
      return conflict("several instances serve " + service + "; name one with --instance");
    asked = true;
    HANAPER_TRY(const std::string text, instance->guard().run("operate", call.id, [&] {
      return operable->operate(arguments.text_at("command"), words, call);
    }));
    HANAPER_TRY(json::Value value, json::parse(text, {16 * 1024 * 1024, 8, 100'000}));
    if (value.array())
      for (json::Value& row : *value.array()) results.push_back(std::move(row));
  }
  if (!asked)
    return not_found("no protocol instance " + (named.empty() ? "" : "\"" + std::string(named) + "\" ") +
                     "of the configuration serves " + service);
  return json::Value(std::move(results));
}

namespace {

void print_json(const json::Value& value) { std::cout << json::write_pretty(value) << "\n"; }

// "SERIAL", one on a line; empty lines and what follows '#' do not count.
std::vector<std::string> read_serials(const std::string& path) {
  std::vector<std::string> serials;
  std::istringstream lines(read_input(path));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    if (std::string serial; words >> serial) serials.push_back(std::move(serial));
  }
  return serials;
}

int revoke_from(Session& session) {
  constexpr std::size_t batch = 2000;
  const Arguments& arguments = session.arguments();
  const std::vector<std::string> serials = read_serials(arguments.text("--from"));
  std::size_t done = 0;
  std::int64_t revoked = 0, already = 0;
  std::vector<std::string> failures;
  {
    const Progress progress("revoking",
                            [&] { return std::to_string(done) + " of " + std::to_string(serials.size()); });
    while (done < serials.size()) {
      json::Array some;
      const std::size_t end = std::min(serials.size(), done + batch);
      for (std::size_t i = done; i < end; ++i) some.emplace_back(serials[i]);
      const json::Value result =
          session.run("revoke_many", json::Object{{"serials", std::move(some)},
                                                  {"reason", arguments.text("--reason")},
                                                  {"invalidity", arguments.text("--invalidity")}});
      revoked += *result.find("revoked")->integer();
      already += *result.find("already")->integer();
      for (const json::Value& line : *result.find("failures")->array())
        failures.push_back(arguments.text("--from") + ": " + std::string(*line.text()));
      done = end;
    }
  }
  if (arguments.has("--json")) {
    json::Array lines;
    for (const std::string& line : failures) lines.emplace_back(line);
    print_json(json::Object{{"revoked", revoked}, {"already", already}, {"failures", std::move(lines)}});
  } else {
    std::cout << "revoked " << revoked << ", " << already << " were revoked already\n";
  }
  if (!failures.empty() && !arguments.has("--json")) throw Failure{1, std::move(failures)};
  return failures.empty() ? 0 : 1;
}

}  // namespace

int run_revoke(Session& session) {
  const Arguments& arguments = session.arguments();
  if (arguments.has("--from") == !arguments.positional.empty())
    misuse("either FILE_OR_SERIAL... or --from FILE is needed");
  if (arguments.has("--from")) return revoke_from(session);
  json::Array results;
  std::size_t done = 0;
  const std::size_t all = arguments.positional.size();
  const Progress progress("revoking", [&] { return std::to_string(done) + " of " + std::to_string(all); });
  for (const std::string& word : arguments.positional) {
    json::Object request = certificate_argument(word);
    request.emplace_back("reason", arguments.text("--reason"));
    request.emplace_back("invalidity", arguments.text("--invalidity"));
    const json::Value result = session.run("revoke", std::move(request));
    ++done;
    if (!arguments.has("--json")) {
      if (result.find("already") != nullptr)
        std::cout << result.text_at("serial") << " is " << result.text_at("state") << " already, "
                  << result.text_at("reason") << "\n";
      else if (result.text_at("state") == "issued")
        std::cout << "released " << result.text_at("serial") << "\n";
      else
        std::cout << "revoked " << result.text_at("serial") << ", " << result.text_at("reason") << "\n";
    }
    results.push_back(result);
  }
  if (arguments.has("--json")) print_json(json::Value(std::move(results)));
  return 0;
}

namespace {

json::Value ask_crl(Session& session, const std::string& command) {
  const Arguments& arguments = session.arguments();
  json::Array words;
  if (arguments.positional.size() > 1) words.emplace_back(arguments.positional[1]);
  return session.run("operate",
                     json::Object{{"service", "crl"}, {"command", command}, {"words", std::move(words)}});
}

void print_crls(const json::Value& rows) {
  std::vector<std::vector<std::string>> cells{
      {"AUTHORITY", "SHARD", "KIND", "NUMBER", "ENTRIES", "SIZE", "THIS UPDATE", "NEXT UPDATE"}};
  const auto number = [](const json::Value& row, const char* name) {
    const json::Value* value = row.find(name);
    return std::to_string(value && value->integer() ? *value->integer() : 0);
  };
  for (const json::Value& row : *rows.array())
    cells.push_back({std::string(row.text_at("authority")), std::string(row.text_at("shard")),
                     std::string(row.text_at("kind")), number(row, "number"), number(row, "entries"),
                     number(row, "size"), std::string(row.text_at("this_update")),
                     std::string(row.text_at("next_update"))});
  std::cout << table(cells);
}

// The one that --shard and --delta choose.
const json::Value& chosen(const json::Value& rows, const Arguments& arguments) {
  const std::string shard = arguments.text("--shard", "0");
  for (const json::Value& row : *rows.array()) {
    if ((row.text_at("kind") == "delta") == arguments.has("--delta") && row.text_at("shard") == shard)
      return row;
  }
  fail(not_found("there is no such CRL; hanaper crl list shows those there are"));
}

// The CRL that was listed, or the next where that has just taken its place.
std::string listed(Session& session, json::Value rows) {
  for (int left = 3;; --left) {
    const json::Value& row = chosen(rows, session.arguments());
    const std::string path(row.text_at("path"));
    auto der = files::read(path, std::size_t{4} * 1024 * 1024 * 1024);
    if (!der) fail(der.error());
    if (to_hex(crypto::sha256(as_bytes(*der))) == row.text_at("sha256")) return *std::move(der);
    if (left == 0)
      fail(unavailable(path + ": is not the CRL that is served; hanaper crl generate makes another"));
    rows = ask_crl(session, "list");
  }
}

int download(Session& session, const json::Value& rows) {
  const Arguments& arguments = session.arguments();
  std::string der = listed(session, rows);
  const std::string text = arguments.has("--pem") ? pem::encode("X509 CRL", as_bytes(der)) : std::move(der);
  if (!arguments.has("--out")) {
    std::cout << text << std::flush;
    return 0;
  }
  if (Status written = files::replace(arguments.text("--out"), text, 0644); !written) fail(written.error());
  return 0;
}

}  // namespace

int run_crl(Session& session) {
  const Arguments& arguments = session.arguments();
  const std::string& verb = arguments.positional.front();
  if (verb != "generate" && verb != "list" && verb != "show" && verb != "download")
    misuse("crl generate, list, show or download is needed");
  if ((verb == "show" || verb == "download") && arguments.positional.size() != 2)
    misuse("crl " + verb + " needs the name of an authority");
  const Progress progress(verb == "generate" ? "making CRLs" : "asking");
  const json::Value rows = ask_crl(session, verb == "generate" ? "generate" : "list");
  if (arguments.positional.size() == 2 && rows.array()->empty())
    fail(not_found("no CRL of an authority \"" + arguments.positional[1] + "\""));
  if (verb == "download") return download(session, rows);
  if (verb == "show") {
    print_json(chosen(rows, arguments));
    return 0;
  }
  if (arguments.has("--json"))
    print_json(rows);
  else
    print_crls(rows);
  return 0;
}

int run_ocsp(Session& session) {
  const Arguments& arguments = session.arguments();
  if (arguments.positional.front() != "export" || arguments.positional.size() != 2 ||
      arguments.positional[1].empty())
    misuse("ocsp export DIR is needed");
  const std::string folder = std::filesystem::absolute(arguments.positional[1]).string();
  const Progress progress("signing responses");
  const json::Value rows = session.run(
      "operate", json::Object{{"service", "ocsp"}, {"command", "export"}, {"words", json::Array{folder}}});
  if (arguments.has("--json")) {
    print_json(rows);
    return 0;
  }
  for (const json::Value& row : *rows.array())
    std::cout << row.text_at("authority") << ": " << *row.find("responses")->integer() << " responses in "
              << folder << "\n";
  return 0;
}

}  // namespace hanaper::cli
