// issue, show, list, serials, audit, backup: printing what node commands answer.
#include "session.hpp"
#include "terminal.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/csr_builder.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/soft_key.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <iostream>

namespace hanaper::cli {
namespace {

namespace fs = std::filesystem;

void print(const json::Value& value) { std::cout << json::write_pretty(value) << "\n"; }

// The DER of a PEM block with that label, or the text itself when it is DER.
Bytes der_of(const std::string& text, std::string_view label, const std::string& path) {
  if (text.starts_with('\x30')) return to_bytes(as_bytes(text));
  for (pem::Block& block : need(pem::decode(text)))
    if (block.label == label || (label == "CERTIFICATE REQUEST" && block.label == "NEW CERTIFICATE REQUEST"))
      return std::move(block.der);
  fail(malformed(path + ": no " + std::string(label) + " in it"));
}

// A new key in its file, and a request for it: the key never leaves this process by another way.
Bytes make_key_and_request(const Arguments& arguments) {
  const std::string key_out = arguments.text("--key-out");
  if (key_out.empty()) misuse("--key-out is needed with --name: the key is made here and written there");
  x509::CsrContent content;
  for (const std::string& name : arguments.texts("--name"))
    content.names.push_back(need(x509::guess_identifier(name)));
  const KeySpec spec = need(parse_key_spec(arguments.text("--key-type", "ec-p256")));
  const auto key = need(crypto::SoftKey::generate(spec));
  const Secret pem = need(key->to_pem());
  if (Status written = files::create(key_out, pem.reveal(), 0600); !written) fail(written.error());
  return need(x509::build_csr(*key, content));
}

std::int64_t number_option(const Arguments& arguments, std::string_view name, std::int64_t fallback) {
  const std::string text = arguments.text(name);
  if (text.empty()) return fallback;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 1)
    misuse("option " + std::string(name) + " needs a number above 0");
  return value;
}

std::string joined_names(const json::Value& certificate) {
  std::string text;
  if (const json::Value* names = certificate.find("names"); names && names->array())
    for (const json::Value& name : *names->array())
      if (name.text()) text += (text.empty() ? "" : " ") + *name.text();
  return text.empty() ? std::string(certificate.text_at("subject")) : text;
}

}  // namespace

json::Object certificate_argument(const std::string& word) {
  if (fs::exists(word))
    return {{"certificate", base64::encode(der_of(read_input(word), "CERTIFICATE", word))}};
  if (const auto serial = Serial::from_text(word); !serial)
    fail(not_found("\"" + word + "\" is neither a file nor a serial number in hexadecimal"));
  return {{"serial", word}};
}

int run_issue(Session& session) {
  const Arguments& arguments = session.arguments();
  if (arguments.has("--csr") == arguments.has("--name"))
    misuse("either --csr FILE or --name NAME --key-out FILE is needed");
  const bool own_key = arguments.has("--name");
  const Bytes csr =
      own_key ? make_key_and_request(arguments)
              : der_of(read_input(arguments.text("--csr")), "CERTIFICATE REQUEST", arguments.text("--csr"));
  json::Value result;
  try {
    const Progress progress("issuing");
    result = session.run("issue", json::Object{{"pipeline", arguments.text("--pipeline")},
                                               {"profile", arguments.text("--profile")},
                                               {"csr", base64::encode(csr)}});
  } catch (const Failure&) {
    if (own_key) ::unlink(arguments.text("--key-out").c_str());
    throw;
  }
  const std::string chain(result.text_at("chain"));
  if (arguments.has("--out")) {
    if (Status written = files::replace(arguments.text("--out"), chain, 0644); !written)
      fail(written.error());
  }
  if (arguments.has("--json")) {
    print(result);
    return 0;
  }
  if (!arguments.has("--out")) std::cout << chain;
  (arguments.has("--out") ? std::cout : std::cerr)
      << "issued " << result.text_at("serial") << " until " << result.text_at("not_after") << "\n";
  return 0;
}

int run_show(Session& session) {
  const Arguments& arguments = session.arguments();
  if (arguments.has("--authority") == !arguments.positional.empty())
    misuse("either FILE_OR_SERIAL or --authority NAME is needed");
  json::Object request = arguments.has("--authority")
                             ? json::Object{{"authority", arguments.text("--authority")}}
                             : certificate_argument(arguments.positional.front());
  const json::Value shown = session.run("show", std::move(request));
  if (arguments.has("--pem") || arguments.has("--chain")) {
    const std::string_view pem = shown.text_at(arguments.has("--chain") ? "chain" : "certificate");
    if (pem.empty())
      fail(not_found("the serial number was reserved but never signed; there is no certificate"));
    std::cout << pem;
    return 0;
  }
  if (arguments.has("--json")) {
    print(shown);
    return 0;
  }
  const std::pair<const char*, const char*> fields[] = {{"state", "state"},
                                                        {"serial", "serial number"},
                                                        {"subject", "subject"},
                                                        {"issuer", "issuer"},
                                                        {"key", "key"},
                                                        {"not_before", "not before"},
                                                        {"not_after", "not after"},
                                                        {"authority", "authority"},
                                                        {"profile", "profile"},
                                                        {"requester", "requester"},
                                                        {"issued_at", "issued"},
                                                        {"revoked_at", "revoked"},
                                                        {"reason", "reason"}};
  std::vector<std::vector<std::string>> rows;
  for (const auto& [key, label] : fields) {
    if (const std::string_view text = shown.text_at(key); !text.empty())
      rows.push_back({label, std::string(text)});
    if (std::string_view(key) == "subject") rows.push_back({"names", joined_names(shown)});
  }
  std::cout << table(rows);
  return 0;
}

int run_list(Session& session) {
  const Arguments& arguments = session.arguments();
  const auto limit = static_cast<std::size_t>(number_option(arguments, "--limit", INT64_MAX));
  json::Object request{{"expires_within", arguments.text("--expires-within")},
                       {"name", arguments.text("--name")},
                       {"state", arguments.text("--state")},
                       {"authority", arguments.text("--authority")}};
  json::Array all;
  {
    const Progress progress("listing", [&] { return std::to_string(all.size()); });
    for (std::optional<json::Value> after;;) {
      json::Object page = request;
      page.emplace_back("limit", static_cast<std::int64_t>(std::min<std::size_t>(limit - all.size(), 500)));
      if (after) page.emplace_back("after", *after);
      const json::Value answer = session.run("list", std::move(page));
      if (const json::Value* rows = answer.find("certificates"); rows && rows->array())
        all.insert(all.end(), rows->array()->begin(), rows->array()->end());
      const json::Value* next = answer.find("after");
      if (next == nullptr || all.size() >= limit) break;
      after = *next;
    }
  }
  if (arguments.has("--json")) {
    print(json::Value(std::move(all)));
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {
      {"SERIAL", "STATE", "AUTHORITY", "PROFILE", "NOT AFTER", "NAMES"}};
  for (const json::Value& row : all)
    rows.push_back({std::string(row.text_at("serial")), std::string(row.text_at("state")),
                    std::string(row.text_at("authority")), std::string(row.text_at("profile")),
                    std::string(row.text_at("not_after")), joined_names(row)});
  std::cout << table(rows);
  return 0;
}

int run_serials(Session& session) {
  const json::Value answer = session.run("serials", json::Object{});
  if (session.arguments().has("--json")) {
    print(answer);
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {
      {"AUTHORITY", "KIND", "NEXT", "CURRENT END", "FOLLOWING BEGIN", "FOLLOWING END"}};
  const json::Value none;
  for (const json::Value& authority : *answer.find("authorities")->array()) {
    const json::Value* current = authority.find("current");
    const json::Value* following = authority.find("following");
    const auto text = [&](const json::Value* range, std::string_view key) {
      return range ? std::string(range->text_at(key)) : std::string("-");
    };
    const std::string next(authority.text_at("next"));
    rows.push_back({std::string(authority.text_at("authority")), std::string(authority.text_at("kind")),
                    next.empty() ? "-" : next, text(current, "end"), text(following, "begin"),
                    text(following, "end")});
  }
  std::cout << table(rows);
  return 0;
}

int run_audit(Session& session) {
  const Arguments& arguments = session.arguments();
  const std::string what = arguments.positional.front();
  if (what != "verify" && what != "tail") misuse("audit verify or audit tail; see hanaper help audit");
  json::Object request{{"node", arguments.text("--node")}};
  if (what == "tail") {
    request.emplace_back("lines", number_option(arguments, "--lines", 20));
    const json::Value answer = session.run("audit_tail", std::move(request));
    for (const json::Value& line : *answer.find("lines")->array()) std::cout << *line.text() << "\n";
    return 0;
  }
  json::Value answer;
  {
    const Progress progress("verifying the audit");
    answer = session.run("audit_verify", std::move(request));
  }
  if (arguments.has("--json")) {
    print(answer);
    return 0;
  }
  for (const json::Value& chain : *answer.find("chains")->array())
    std::cout << "node " << chain.text_at("node") << ": " << *chain.find("pages")->integer() << " pages, "
              << *chain.find("lines")->integer() << " lines, unbroken, last " << chain.text_at("last")
              << ", head " << chain.text_at("head") << "\n";
  return 0;
}

int run_backup(Session& session) {
  const std::string target = session.arguments().positional.front();
  if (fs::exists(target)) fail(conflict(target + " exists already"));
  // The daemon writes into its state folder only; from there the file is ours to take.
  const std::string name = "backup-" + crypto::random_name(9) + ".tar";
  const fs::path made = fs::path(session.model(false).node.state) / name;
  json::Value result;
  {
    const Progress progress("backing up", [&] {
      std::error_code ec;
      const auto size = fs::file_size(made, ec);
      return ec ? std::string() : std::to_string(size / (1024 * 1024)) + " MiB";
    });
    result = session.run("backup", json::Object{{"name", name}});
    std::error_code ec;
    fs::rename(made, target, ec);
    if (ec) {
      fs::copy_file(made, target, ec);
      const std::string why = ec.message();
      const bool failed = static_cast<bool>(ec);
      fs::remove(made, ec);
      if (failed) fail(unavailable(target + ": " + why));
    }
  }
  if (session.arguments().has("--json")) {
    print(result);
    return 0;
  }
  std::cout << target << ": " << *result.find("entries")->integer() << " entries, "
            << size_text(ByteCount{static_cast<std::uint64_t>(*result.find("octets")->integer())})
            << "; pins are not in it\n";
  return 0;
}

}  // namespace hanaper::cli
