// issue, revoke, show, keys delete: where the command line does more than ask.
#include "print.hpp"
#include "terminal.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/csr_builder.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/soft_key.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iostream>

namespace hanaper::cli {
namespace {

namespace fs = std::filesystem;

// A new key in its file, and a request for it: the key never leaves this process by another way.
struct MadeHere {
  std::shared_ptr<crypto::SoftKey> key;
  std::string key_file;
  Bytes csr;
};

MadeHere make_key_and_request(const Session& session) {
  const CommandLine& line = session.line();
  // A PFX alone: the key has a file of its own for as long as there is no certificate.
  const std::string key_file = line.has("--key-out") ? line.text("--key-out")
                               : line.has("--p12")   ? line.text("--p12") + ".key"
                                                     : "";
  if (key_file.empty())
    session.misuse("--key-out or --p12 is needed with --name: the key is made here and written there");
  x509::CsrContent content;
  if (line.has("--subject")) content.subject = need(x509::parse_name_text(line.text("--subject")));
  for (const std::string& name : line.texts("--name"))
    content.names.push_back(need(x509::guess_identifier(name)));
  for (const std::string& mail : line.texts("--mail"))
    content.names.push_back(need(x509::normal_identifier(Identifier::Kind::email, mail)));
  const KeySpec spec = need(parse_key_spec(line.text("--key-type", "ec-p256")));
  auto key = need(crypto::SoftKey::generate(spec));
  const Secret pem = need(key->to_pem());
  if (Status written = files::create(key_file, pem.reveal(), 0600); !written) fail(written.error());
  Bytes csr = need(x509::build_csr(*key, content));
  return {std::move(key), key_file, std::move(csr)};
}

// The pin of a PFX, before anything is made that it would be for.
Secret pin_of_pfx(const Session& session) {
  const CommandLine& line = session.line();
  if (!line.has("--p12")) return {};
  if (!line.has("--p12-pin")) session.misuse("--p12-pin FILE is needed with --p12: what opens it");
  Secret pin = read_pin(line.text("--p12-pin"));
  if (pin.empty() || pin.reveal().find('\0') != std::string_view::npos)
    fail(malformed(line.text("--p12-pin") + ": one line of text is expected, the pin"));
  if (fs::exists(line.text("--p12"))) fail(conflict(line.text("--p12") + " exists already"));
  return pin;
}

void write_pfx(const CommandLine& line, const MadeHere& made, const Secret& pin, const std::string& chain) {
  std::vector<Bytes> certificates;
  for (pem::Block& block : need(pem::decode(chain))) certificates.push_back(std::move(block.der));
  const std::vector<Bytes> above(certificates.begin() + 1, certificates.end());
  const std::string name = line.has("--mail")   ? line.texts("--mail").front()
                           : line.has("--name") ? line.texts("--name").front()
                                                : line.text("--subject");
  const Bytes pfx = need(made.key->to_pkcs12(certificates.front(), above, pin, name));
  if (Status written = files::create(line.text("--p12"), as_text(pfx), 0600); !written) fail(written.error());
  if (!line.has("--key-out")) ::unlink(made.key_file.c_str());
}

// "5632 octets", "12.3 MiB".
std::string joined_names(const json::Value& certificate) {
  const std::string names = cell(certificate, "names");
  return names == "-" ? std::string(certificate.text_at("subject")) : names;
}

}  // namespace

std::string certificate_argument(const std::string& word) {
  if (fs::exists(word)) {
    std::string text = read_input(word);
    if (text.starts_with('\x30')) return pem::encode("CERTIFICATE", as_bytes(text));
    for (const pem::Block& block : need(pem::decode(text)))
      if (block.label == "CERTIFICATE") return pem::encode("CERTIFICATE", block.der);
    fail(malformed(word + ": no CERTIFICATE in it"));
  }
  if (const auto serial = Serial::from_text(word); !serial)
    fail(not_found("\"" + word + "\" is neither a file nor a serial number in hexadecimal"));
  return word;
}

namespace {

// What waits for approval is asked for again by the same request, and its certificate belongs to the same
// key.
void keep_request(const std::string& key_file, const Bytes& csr, Failure& failure) {
  const std::string file = key_file + ".csr";
  if (Status written = files::replace(file, pem::encode("CERTIFICATE REQUEST", csr), 0644); !written)
    failure.lines.front() += "; and its request cannot be kept: " + written.error().detail;
  else
    failure.lines.front() += "; the key stays in " + key_file + ", then it is hanaper issue --csr " + file;
}

}  // namespace

int run_issue(Session& session) {
  const CommandLine& line = session.line();
  const bool own_key = line.has("--name") || line.has("--mail") || line.has("--subject");
  if (line.has("--csr") == own_key)
    session.misuse("either --csr FILE or --name NAME --key-out FILE is needed");
  if (line.has("--p12") && !own_key)
    session.misuse("--p12 goes with --name: only a key that is made here can be in it");
  const Secret pin = pin_of_pfx(session);
  const MadeHere made = own_key ? make_key_and_request(session) : MadeHere{};
  json::Object arguments;
  for (const char* name : {"pipeline", "profile"})
    if (const std::string option = std::string("--") + name; line.has(option))
      arguments.emplace_back(name, line.text(option));
  const std::string given = own_key ? std::string() : read_input(line.text("--csr"));
  arguments.emplace_back("csr", base64::encode(own_key ? ByteView(made.csr) : as_bytes(given)));
  check_arguments(session, arguments);
  json::Value result;
  try {
    const Progress progress("issuing");
    result = session.run("issue", arguments);
  } catch (Failure& failure) {
    if (!own_key) throw;
    if (failure.code == Code::pending)
      keep_request(made.key_file, made.csr, failure);
    else if (failure.code == Code::internal)  // or nobody answered
      failure.lines.front() +=
          "; it may have been issued all the same, see hanaper list: the key stays in " + made.key_file;
    else
      ::unlink(made.key_file.c_str());
    throw;
  }
  const std::string chain(result.text_at("chain"));
  if (line.has("--p12")) write_pfx(line, made, pin, chain);
  if (line.has("--out")) {
    if (Status written = files::replace(line.text("--out"), chain, 0644); !written) fail(written.error());
  }
  if (line.has("--json")) {
    print_json(result);
    return 0;
  }
  const bool to_file = line.has("--out") || line.has("--p12");
  if (!to_file) std::cout << chain;
  (to_file ? std::cout : std::cerr) << "issued " << result.text_at("serial") << " until "
                                    << result.text_at("not_after") << "\n";
  return 0;
}

int run_show(Session& session) {
  const CommandLine& line = session.line();
  if (!line.has("--authority") && line.positional.empty())
    session.misuse("either FILE_OR_SERIAL or --authority NAME is needed");
  json::Object wanted;
  if (line.has("--authority")) wanted.emplace_back("authority", line.text("--authority"));
  if (!line.positional.empty())
    wanted.emplace_back("certificate", certificate_argument(line.positional.front()));
  const json::Value shown = session.run(line.positional.empty() ? "show.authority" : "show", wanted);
  if (line.has("--pem") || line.has("--chain")) {
    const std::string_view pem = shown.text_at(line.has("--chain") ? "chain" : "certificate");
    if (pem.empty())
      fail(not_found(shown.text_at("state") == "reserved"
                         ? "the serial number was reserved but never signed; there is no certificate"
                         : "only the serial number of that certificate is known, not its octets"));
    std::cout << pem;
    return 0;
  }
  if (line.has("--json")) {
    print_json(shown);
    return 0;
  }
  const std::pair<const char*, const char*> fields[] = {
      {"state", "state"},           {"serial", "serial number"}, {"subject", "subject"},
      {"issuer", "issuer"},         {"sha256", "SHA-256"},       {"key", "key"},
      {"not_before", "not before"}, {"not_after", "not after"},  {"authority", "authority"},
      {"profile", "profile"},       {"requester", "requester"},  {"issued_at", "issued"},
      {"revoked_at", "revoked"},    {"reason", "reason"}};
  std::vector<std::vector<std::string>> rows;
  for (const auto& [key, label] : fields) {
    if (const std::string_view text = shown.text_at(key); !text.empty())
      rows.push_back({label, std::string(text)});
    if (std::string_view(key) != "subject") continue;
    if (std::string names = joined_names(shown); !names.empty()) rows.push_back({"names", std::move(names)});
  }
  std::cout << table(rows);
  return 0;
}

namespace {

json::Object order_of(const CommandLine& line) {
  json::Object order;
  for (const char* name : {"reason", "invalidity"})
    if (const std::string option = std::string("--") + name; line.has(option))
      order.emplace_back(name, line.text(option));
  return order;
}

// "SERIAL", one on a line; empty lines and what follows '#' do not count.
std::vector<std::string> read_serials(const std::string& path) {
  std::vector<std::string> serials;
  std::istringstream lines(read_input(path));
  for (std::string text; std::getline(lines, text);) {
    std::istringstream words(text.substr(0, text.find('#')));
    if (std::string serial; words >> serial) serials.push_back(std::move(serial));
  }
  return serials;
}

int revoke_all(Session& session, const std::vector<std::string>& serials, const std::string& source) {
  constexpr std::size_t batch = 2000;
  const CommandLine& line = session.line();
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
      json::Object request = order_of(line);
      request.emplace_back("serials", std::move(some));
      if (line.has("--authority")) request.emplace_back("authority", line.text("--authority"));
      const json::Value result = session.run("revoke.many", request);
      revoked += *result.find("revoked")->integer();
      already += *result.find("already")->integer();
      for (const json::Value& why : *result.find("failures")->array())
        failures.push_back(source + *why.text());
      done = end;
    }
  }
  if (line.has("--json")) {
    json::Array lines;
    for (const std::string& why : failures) lines.emplace_back(why);
    print_json(json::Object{{"revoked", revoked}, {"already", already}, {"failures", std::move(lines)}});
  } else {
    std::cout << "revoked " << revoked << ", " << already << " were revoked already\n";
  }
  if (!failures.empty() && !line.has("--json")) throw Failure{1, std::move(failures)};
  return failures.empty() ? 0 : 1;
}

constexpr const char* filters[] = {"requester", "profile", "authority"};

// Those that a filter finds, once somebody has seen how many they are.
int revoke_filtered(Session& session) {
  const CommandLine& line = session.line();
  json::Object wanted{{"state", "issued"}};
  for (const char* name : filters)
    if (const std::string option = std::string("--") + name; line.has(option))
      wanted.emplace_back(name, line.text(option));
  std::vector<std::string> serials;
  {
    const Progress progress("looking", [&] { return std::to_string(serials.size()); });
    json::Object page = wanted;
    for (std::string next = "begin"; !next.empty();) {
      const json::Value found = session.run("list", page);
      // The node's own renew themselves, and nobody could answer for it without them.
      for (const json::Value& row : *found.find("items")->array())
        if (const std::string_view profile = row.text_at("profile");
            line.has("--profile") ||
            (profile != "authority" && profile != "ocsp-responder" && profile != "registrar"))
          serials.emplace_back(row.text_at("serial"));
      next = found.text_at("next");
      page = wanted;
      page.emplace_back("after", next);
    }
  }
  if (serials.empty()) fail(not_found("no certificate that is issued fits"));
  if (!line.has("--yes")) {
    const std::string count = std::to_string(serials.size());
    if (::isatty(STDIN_FILENO) == 0)
      misuse("revoke would revoke " + count + " certificates; without a terminal it wants --yes");
    std::cerr << "revoke " << count << " certificates? Type their number again: ";
    std::string answer;
    std::getline(std::cin, answer);
    if (answer != count) misuse("nothing revoked");
  }
  return revoke_all(session, serials, "");
}

void print_revoked(const json::Value& result) {
  if (result.find("already") != nullptr)
    std::cout << result.text_at("serial") << " is " << result.text_at("state") << " already, "
              << result.text_at("reason") << "\n";
  else if (result.text_at("state") == "issued")
    std::cout << "released " << result.text_at("serial") << "\n";
  else
    std::cout << "revoked " << result.text_at("serial") << ", " << result.text_at("reason") << "\n";
}

// One after the other; one that fails leaves the others to be done.
int revoke_each(Session& session, std::string_view operation,
                const std::function<json::Object(const std::string&)>& what) {
  const CommandLine& line = session.line();
  json::Array results;
  Failure failed{0, {}};
  std::size_t done = 0;
  const std::size_t all = line.positional.size();
  const Progress progress("revoking", [&] { return std::to_string(done) + " of " + std::to_string(all); });
  for (const std::string& word : line.positional) {
    try {
      json::Object request = order_of(line);
      for (auto& member : what(word)) request.push_back(std::move(member));
      if (operation == "revoke") check_arguments(session, request);
      const json::Value result = session.run(operation, request);
      if (!line.has("--json")) print_revoked(result);
      results.push_back(result);
    } catch (const Failure& failure) {
      if (all == 1) throw;
      failed.status = std::max(failed.status, failure.status);
      failed.code = failure.code;
      for (const std::string& why : failure.lines) failed.lines.push_back(word + ": " + why);
    }
    ++done;
  }
  if (line.has("--json")) print_items(std::move(results));
  if (failed.status != 0) throw failed;
  return 0;
}

// By serial number alone: whoever says so says whose they are, for nothing can be looked up.
int revoke_unknown(Session& session) {
  const CommandLine& line = session.line();
  if (!line.has("--authority") || line.positional.empty() || line.has("--from") || line.has("--requester") ||
      line.has("--profile"))
    session.misuse("--unknown wants serial numbers, and --authority NAME whose they are");
  return revoke_each(session, "revoke.unknown", [&](const std::string& word) {
    return json::Object{{"authority", line.text("--authority")}, {"serial", word}};
  });
}

}  // namespace

int run_revoke(Session& session) {
  const CommandLine& line = session.line();
  if (line.has("--unknown")) return revoke_unknown(session);
  // With serial numbers, --authority says whose they are.
  const bool named = line.has("--from") || !line.positional.empty();
  const bool filtered = std::ranges::any_of(filters, [&](std::string_view name) {
    return line.has("--" + std::string(name)) && !(named && name == "authority");
  });
  if ((line.has("--from") ? 1 : 0) + (line.positional.empty() ? 0 : 1) + (filtered ? 1 : 0) != 1)
    session.misuse(
        "either FILE_OR_SERIAL... or --from FILE is needed, or one of --requester, --profile, --authority");
  if (filtered) return revoke_filtered(session);
  if (line.has("--from"))
    return revoke_all(session, read_serials(line.text("--from")), line.text("--from") + ": ");
  return revoke_each(session, "revoke", [&](const std::string& word) {
    json::Object request{{"certificate", certificate_argument(word)}};
    if (line.has("--authority")) request.emplace_back("authority", line.text("--authority"));
    return request;
  });
}

int run_delete_key(Session& session) {
  const std::string& place = session.line().positional.front();
  static_cast<void>(arguments_of(session));
  if (!session.line().has("--yes")) {
    if (::isatty(STDIN_FILENO) == 0) misuse("keys delete asks; without a terminal it wants --yes");
    std::cerr << "delete " << place << " for good? nothing brings it back. Type its name again: ";
    std::string answer;
    std::getline(std::cin, answer);
    if (answer != place) misuse("nothing deleted");
  }
  return run_operation(session);
}

}  // namespace hanaper::cli
