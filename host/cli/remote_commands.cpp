// bootstrap, probe: what is asked of a node from another machine.
#include "../http/probe.hpp"
#include "print.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/name.hpp>
#include <hanaper/toolkit/time_text.hpp>
#include <hanaper/toolkit/unicode.hpp>
#include <hanaper/toolkit/url.hpp>

#include <iostream>

namespace hanaper::cli {

using namespace http::outside;

namespace {

// As people write a SHA-256: with colons or without, in either case.
std::string plain_fingerprint(const Session& session) {
  std::string plain;
  for (char c : session.line().text("--fingerprint"))
    if (c != ':' && c != ' ') plain.push_back(unicode::ascii_lower(c));
  if (plain.size() != 64 || plain.find_first_not_of("0123456789abcdef") != std::string::npos)
    session.misuse(
        "--fingerprint: 64 hexadecimal digits are expected, the SHA-256 of the root's certificate");
  return plain;
}

url::Url url_of(const Session& session) {
  const std::string& text = session.line().positional.front();
  auto place = url::parse(text);
  if (!place)
    session.misuse("\"" + text + "\": " + place.error().detail +
                   "; write it as in https://pki.example.test:8443/acme/directory");
  return *std::move(place);
}

}  // namespace

int run_bootstrap(Session& session) {
  const CommandLine& line = session.line();
  if (!line.has("--fingerprint")) session.misuse("--fingerprint is needed: without it anybody could answer");
  const std::string wanted = plain_fingerprint(session);
  url::Url place = url_of(session);
  place.target = "/roots.pem";
  const std::string url = place.text();
  const Fetched fetched = need(fetch(url, {.trust = {Anchors::Kind::anybody, {}}}));
  if (fetched.status != 200) fail(not_found(url + ": HTTP " + std::to_string(fetched.status)));
  std::string others;
  for (const pem::Block& block : need(pem::decode(fetched.body))) {
    const std::string fingerprint = to_hex(crypto::sha256(block.der));
    if (fingerprint != wanted) {
      others += (others.empty() ? "" : ", ") + fingerprint;
      continue;
    }
    const x509::CertificateView root = need(x509::parse_certificate(block.der));
    const std::string text = pem::encode("CERTIFICATE", block.der);
    if (line.has("--out")) {
      if (Status written = files::create(line.text("--out"), text, 0644); !written) fail(written.error());
    }
    const auto name = x509::parse_name(root.subject);
    const std::string subject = name ? x509::name_text(*name) : "";
    if (line.has("--json")) {
      print_json(json::Object{{"subject", subject},
                              {"not_after", time_text(root.not_after)},
                              {"sha256", fingerprint},
                              {"certificate", text}});
      return 0;
    }
    if (!line.has("--out")) std::cout << text;
    (line.has("--out") ? std::cout : std::cerr)
        << subject << ", until " << time_text(root.not_after) << ", SHA-256 " << fingerprint << "\n";
    return 0;
  }
  fail(rejected(url + ": none of its roots has that fingerprint; it has " +
                (others.empty() ? "none" : others) + ", which you should not trust"));
}

int run_probe(Session& session) {
  const CommandLine& line = session.line();
  const std::string url = url_of(session).text();
  ProbeOptions options;
  if (line.has("--roots")) options.trust = {Anchors::Kind::file, line.text("--roots")};
  const auto warn = parse_duration(line.text("--warn", "7d"));
  if (!warn) session.misuse("--warn: " + warn.error().detail);
  options.warn = *warn;
  const std::vector<Finding> findings = probe(url, options);
  constexpr std::string_view words[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};
  // Critical before warning, unknown last: as monitoring plugins rank them.
  constexpr int rank[] = {0, 2, 3, 1};
  int worst = 0;
  for (const Finding& finding : findings)
    if (rank[static_cast<int>(finding.state)] > rank[worst]) worst = static_cast<int>(finding.state);
  if (line.has("--json")) {
    json::Array rows;
    for (const Finding& finding : findings)
      rows.emplace_back(json::Object{{"check", finding.check},
                                     {"state", words[static_cast<std::size_t>(finding.state)]},
                                     {"text", finding.text}});
    print_items(std::move(rows));
    return worst;
  }
  std::string text;
  // What is wrong first: pagers cut lines off.
  for (const int state : {2, 1, 3, 0})
    for (const Finding& finding : findings)
      if (static_cast<int>(finding.state) == state)
        text += (text.empty() ? "" : "; ") + finding.check + ": " + finding.text;
  std::cout << words[worst] << " - " << text << "\n";
  return worst;
}

}  // namespace hanaper::cli
