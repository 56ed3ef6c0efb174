// issue, revoke, show, backup, keys delete: where the command line does more than ask.
#include "print.hpp"
#include "terminal.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/csr_builder.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/soft_key.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <sstream>

namespace hanaper::cli {
namespace {

namespace fs = std::filesystem;

// A new key in its file, and a request for it: the key never leaves this process by another way.
Bytes make_key_and_request(const Session& session) {
  const std::string key_out = session.line().text("--key-out");
  if (key_out.empty())
    session.misuse("--key-out is needed with --name: the key is made here and written there");
  x509::CsrContent content;
  for (const std::string& name : session.line().texts("--name"))
    content.names.push_back(need(x509::guess_identifier(name)));
  const KeySpec spec = need(parse_key_spec(session.line().text("--key-type", "ec-p256")));
  const auto key = need(crypto::SoftKey::generate(spec));
  const Secret pem = need(key->to_pem());
  if (Status written = files::create(key_out, pem.reveal(), 0600); !written) fail(written.error());
  return need(x509::build_csr(*key, content));
}

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

int run_issue(Session& session) {
  const CommandLine& line = session.line();
  if (line.has("--csr") == line.has("--name"))
    session.misuse("either --csr FILE or --name NAME --key-out FILE is needed");
  const bool own_key = line.has("--name");
  json::Object arguments;
  for (const char* name : {"pipeline", "profile"})
    if (const std::string option = std::string("--") + name; line.has(option))
      arguments.emplace_back(name, line.text(option));
  arguments.emplace_back("csr", own_key ? base64::encode(make_key_and_request(session))
                                        : base64::encode(as_bytes(read_input(line.text("--csr")))));
  check_arguments(session, arguments);
  json::Value result;
  try {
    const Progress progress("issuing");
    result = session.run("issue", arguments);
  } catch (const Failure&) {
    if (own_key) ::unlink(line.text("--key-out").c_str());
    throw;
  }
  const std::string chain(result.text_at("chain"));
  if (line.has("--out")) {
    if (Status written = files::replace(line.text("--out"), chain, 0644); !written) fail(written.error());
  }
  if (line.has("--json")) {
    print_json(result);
    return 0;
  }
  if (!line.has("--out")) std::cout << chain;
  (line.has("--out") ? std::cout : std::cerr)
      << "issued " << result.text_at("serial") << " until " << result.text_at("not_after") << "\n";
  return 0;
}

int run_show(Session& session) {
  const CommandLine& line = session.line();
  if (line.has("--authority") == !line.positional.empty())
    session.misuse("either FILE_OR_SERIAL or --authority NAME is needed");
  const json::Value shown =
      line.has("--authority")
          ? session.run("show.authority", json::Object{{"authority", line.text("--authority")}})
          : session.run("show", json::Object{{"certificate", certificate_argument(line.positional.front())}});
  if (line.has("--pem") || line.has("--chain")) {
    const std::string_view pem = shown.text_at(line.has("--chain") ? "chain" : "certificate");
    if (pem.empty())
      fail(not_found("the serial number was reserved but never signed; there is no certificate"));
    std::cout << pem;
    return 0;
  }
  if (line.has("--json")) {
    print_json(shown);
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

int revoke_from(Session& session) {
  constexpr std::size_t batch = 2000;
  const CommandLine& line = session.line();
  const std::vector<std::string> serials = read_serials(line.text("--from"));
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
      const json::Value result = session.run("revoke.many", request);
      revoked += *result.find("revoked")->integer();
      already += *result.find("already")->integer();
      for (const json::Value& why : *result.find("failures")->array())
        failures.push_back(line.text("--from") + ": " + *why.text());
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

}  // namespace

int run_revoke(Session& session) {
  const CommandLine& line = session.line();
  if (line.has("--from") == !line.positional.empty())
    session.misuse("either FILE_OR_SERIAL... or --from FILE is needed");
  if (line.has("--from")) return revoke_from(session);
  json::Array results;
  std::size_t done = 0;
  const std::size_t all = line.positional.size();
  const Progress progress("revoking", [&] { return std::to_string(done) + " of " + std::to_string(all); });
  for (const std::string& word : line.positional) {
    json::Object request = order_of(line);
    request.emplace_back("certificate", certificate_argument(word));
    check_arguments(session, request);
    const json::Value result = session.run("revoke", request);
    ++done;
    if (!line.has("--json")) {
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
  if (line.has("--json")) print_items(std::move(results));
  return 0;
}

int run_backup(Session& session) {
  const std::string target = session.line().positional.front();
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
  if (session.line().has("--json")) {
    print_json(result);
    return 0;
  }
  std::cout << target << ": " << *result.find("entries")->integer() << " entries, "
            << size_text(ByteCount{static_cast<std::uint64_t>(*result.find("octets")->integer())})
            << "; pins are not in it\n";
  return 0;
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
