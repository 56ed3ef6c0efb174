#include "methods.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/unicode.hpp>

#include <algorithm>
#include <charconv>

namespace hanaper::acme {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string counted(std::size_t number, std::string_view what) {
  return std::to_string(number) + " " + std::string(what) + (number == 1 ? "" : "s");
}

}  // namespace

bool is_dns_method(std::string_view method) { return method.starts_with("dns-"); }

bool is_draft(std::string_view method) {
  return method == "dns-account-01" || method == "dns-persist-01" || method == device_attest;
}

bool method_fits(std::string_view method, Identifier::Kind kind, bool below) {
  if (names_device(kind) || method == device_attest) return names_device(kind) && method == device_attest;
  if (kind == Identifier::Kind::ip) return !is_dns_method(method) && !below;
  return !below || is_dns_method(method);
}

Status judge_http_01(std::string_view body, std::string_view key_authorization) {
  while (!body.empty() && std::string_view(" \t\r\n").find(body.back()) != std::string_view::npos)
    body.remove_suffix(1);
  if (body == key_authorization) return {};
  // What else it answered is not told: it may be a server that the client cannot reach itself.
  const std::string_view token = key_authorization.substr(0, key_authorization.find('.') + 1);
  return malformed("answered " +
                   (body.starts_with(token) ? "with the key of another account"
                                            : counted(body.size(), "octet") + " of something else") +
                   " instead of \"" + std::string(key_authorization) + "\"");
}

Result<std::string> txt_of(ByteView rdata) {
  std::string text;
  while (!rdata.empty()) {
    const std::size_t size = rdata[0];
    if (rdata.size() < size + 1) return malformed("a TXT record is cut off");
    text += as_text(rdata.subspan(1, size));
    rdata = rdata.subspan(size + 1);
  }
  return text;
}

Status judge_dns_01(std::string_view name, std::span<const Bytes> records,
                    std::string_view key_authorization) {
  if (records.empty()) return not_found("dns: there is no TXT record at " + std::string(name));
  const std::string expected = base64::encode_url(crypto::sha256(as_bytes(key_authorization)));
  for (const Bytes& record : records)
    if (const auto text = txt_of(record); text && *text == expected) return {};
  return malformed("TXT at " + std::string(name) + " is " + counted(records.size(), "record") +
                   " of something else instead of \"" + expected + "\"");
}

std::string account_label(std::string_view account_url) {
  constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz234567";
  const Fingerprint digest = crypto::sha256(as_bytes(account_url));
  std::string label = "_";
  for (std::size_t bit = 0; bit < 80; bit += 5) {
    const unsigned pair = static_cast<unsigned>(digest[bit / 8]) << 8 | digest[bit / 8 + 1];
    label.push_back(alphabet[pair >> (11 - bit % 8) & 31]);
  }
  return label;
}

namespace {

struct PersistRecord {
  std::string issuer, account, policy;
  std::optional<Time> until;
};

// The syntax of CAA's issue value (RFC 8659 4.2): a domain, and parameters behind semicolons.
Result<PersistRecord> read_persist(std::string_view text) {
  PersistRecord record;
  const auto next = [&] {
    const std::size_t end = text.find(';');
    const std::string_view part = trimmed(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    return part;
  };
  record.issuer = unicode::ascii_lower(next());
  while (!text.empty()) {
    const std::string_view part = next();
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) return malformed("a parameter without value");
    const std::string key = unicode::ascii_lower(trimmed(part.substr(0, equals)));
    const std::string_view value = trimmed(part.substr(equals + 1));
    if (key == "accounturi") {
      if (!record.account.empty()) return malformed("accounturi twice");
      record.account = value;
    } else if (key == "policy") {
      record.policy = unicode::ascii_lower(value);
    } else if (key == "persistuntil") {
      std::int64_t seconds = 0;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
      if (error != std::errc{} || end != value.data() + value.size() || seconds < 0 || seconds > 253402300799)
        return malformed("persistUntil is no time");
      record.until = Time{std::chrono::seconds{seconds}};
    }
  }
  return record;
}

Status judge_persist(std::string_view text, std::span<const std::string> issuers,
                     std::string_view account_url, bool below, Time now) {
  HANAPER_TRY(const PersistRecord record, read_persist(text));
  if (std::ranges::none_of(
          issuers, [&](const std::string& ours) { return unicode::ascii_lower(ours) == record.issuer; }))
    return malformed("names another issuer");
  if (record.account != account_url) return malformed("names another account");
  if (below && record.policy != "wildcard") return malformed("does not say policy=wildcard");
  if (record.until && *record.until <= now) return malformed("has expired");
  return {};
}

}  // namespace

Status judge_dns_persist_01(std::string_view name, std::span<const Bytes> records,
                            std::span<const std::string> issuers, std::string_view account_url, bool below,
                            Time now) {
  if (records.empty()) return not_found("dns: there is no TXT record at " + std::string(name));
  std::string found;
  for (const Bytes& record : records) {
    const auto text = txt_of(record);
    const Status judged = text ? judge_persist(*text, issuers, account_url, below, now) : text.error();
    if (judged) return {};
    if (found.size() < 300) found += (found.empty() ? "" : ", ") + ("one " + judged.error().detail);
  }
  return malformed("TXT at " + std::string(name) + ": " + found);
}

std::string tls_server_name(const Identifier& identifier) {
  if (identifier.kind != Identifier::Kind::ip) return identifier.value;
  const Bytes octets = x509::ip_octets(identifier.value).value_or({});
  std::string name;
  for (auto octet = octets.rbegin(); octet != octets.rend(); ++octet) {
    if (octets.size() == 4) {
      name += std::to_string(*octet) + ".";
      continue;
    }
    constexpr char digits[] = "0123456789abcdef";
    for (const int nibble : {*octet & 15, *octet >> 4}) name += std::string(1, digits[nibble]) + ".";
  }
  return name + (octets.size() == 4 ? "in-addr.arpa" : "ip6.arpa");
}

Status judge_tls_alpn_01(const Identifier& identifier, ByteView certificate, std::string_view protocol,
                         std::string_view key_authorization) {
  if (protocol != "acme-tls/1")
    return malformed(protocol.empty() ? "chose no protocol instead of acme-tls/1"
                                      : "chose another protocol instead of acme-tls/1");
  // The certificate vouches for nothing but these two extensions: Apache's have serial numbers of 21 octets.
  const auto names = x509::foreign_extension(certificate, oid::subject_alt_name);
  const auto proof = x509::foreign_extension(certificate, oid::acme_identifier);
  if (!names || !proof)
    return malformed("sent a certificate that cannot be read: " + (names ? proof : names).error().detail);
  // "a subjectAltName extension containing the dNSName that is being validated and no other entries"
  const auto parsed = *names ? x509::parse_general_names((*names)->value)
                             : Result<x509::GeneralNames>(malformed("there is none"));
  if (!parsed) return malformed("sent a certificate whose subjectAltName is wrong: " + parsed.error().detail);
  if (parsed->names.size() != 1 || parsed->others != 0 || parsed->names.front().kind != identifier.kind ||
      unicode::ascii_lower(parsed->names.front().value) != identifier.value)
    return malformed("sent a certificate that names something else than " + identifier.value);
  if (!*proof) return malformed("sent a certificate without acmeIdentifier");
  if (!(*proof)->critical) return malformed("sent a certificate whose acmeIdentifier is not critical");
  const auto digest = der::only((*proof)->value, der::octet_string);
  if (!digest || digest->content.size() != 32)
    return malformed("sent a certificate whose acmeIdentifier is no digest");
  const Fingerprint expected = crypto::sha256(as_bytes(key_authorization));
  if (!crypto::equal_constant_time(digest->content, expected))
    return malformed("sent a certificate whose acmeIdentifier is " + to_hex(digest->content) +
                     " instead of " + to_hex(expected));
  return {};
}

}  // namespace hanaper::acme
