#include "event.hpp"

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/name.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/time_text.hpp>

namespace hanaper::events {
namespace {

constexpr json::Limits event_limits{.octets = 512 * 1024, .depth = 16, .values = 20'000};

// Who is certified, as text, and by its common name if it has one.
void add_name(json::Object& data, ByteView name) {
  const auto parsed = x509::parse_name(name);
  data.emplace_back("name", parsed ? x509::name_text(*parsed) : std::string());
  const std::string_view common = parsed ? x509::attribute(*parsed, x509::common_name_oid) : "";
  if (!common.empty()) data.emplace_back("common_name", common);
}

json::Array names_of(const x509::TbsView& tbs) {
  json::Array names;
  const auto* extension = tbs.find(oid::subject_alt_name);
  const auto parsed = extension ? x509::parse_general_names(extension->value)
                                : Result<x509::GeneralNames>(x509::GeneralNames{});
  if (parsed)
    for (const Identifier& name : parsed->names)
      names.emplace_back(std::string(to_string(name.kind)) + ":" + name.value);
  return names;
}

// What events about a certificate have in common.
Happening about(std::string_view type, const std::string& authority, const CertificateRow& row,
                ByteView certificate) {
  Happening happening;
  happening.type = type;
  happening.source = source_of("authorities", authority);
  happening.subject = row.serial.hex();
  happening.id = happening.type + "/" + std::to_string(row.authority) + "/" + row.serial.hex();
  happening.data = {{"authority", authority},     {"serial", row.serial.hex()},
                    {"pipeline", row.pipeline},   {"profile", row.profile},
                    {"requester", row.requester}, {"sha256", to_hex(crypto::sha256(certificate))}};
  if (const auto tbs = x509::parse_tbs(row.tbs)) {
    add_name(happening.data, tbs->subject);
    happening.data.emplace_back("names", names_of(*tbs));
  }
  happening.data.emplace_back("not_before", time_text(row.not_before));
  happening.data.emplace_back("not_after", time_text(row.not_after));
  return happening;
}

}  // namespace

// RFC 3986 3.3: pchar without what is reserved.
std::string source_of(std::string_view kind, std::string_view name) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string source = "/" + std::string(kind) + "/";
  for (char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    const auto octet = static_cast<std::uint8_t>(c);
    if (plain)
      source.push_back(c);
    else
      source.append({'%', digits[octet >> 4], digits[octet & 15]});
  }
  return source;
}

Event make_event(const Happening& happening, Bytes object) {
  // CloudEvents 1.0, JSON format 3: the envelope and the data in one object.
  json::Object envelope{{"specversion", "1.0"},
                        {"id", happening.id},
                        {"source", happening.source},
                        {"type", happening.type},
                        {"subject", happening.subject},
                        {"time", time_text_ms(happening.at)},
                        {"datacontenttype", "application/json"},
                        {"data", happening.data}};
  return Event{.id = happening.id,
               .source = happening.source,
               .type = happening.type,
               .subject = happening.subject,
               .at = happening.at,
               .json = json::write(json::Value(std::move(envelope))),
               .object = std::move(object)};
}

Result<Event> read_event(std::string text, Bytes object) {
  const auto value = json::parse(text, event_limits);
  const auto at = value ? parse_time_text(value->text_at("time")) : Result<Time>(value.error());
  if (!at) return internal("a stored event is damaged: " + at.error().detail);
  Event event{.id = std::string(value->text_at("id")),
              .source = std::string(value->text_at("source")),
              .type = std::string(value->text_at("type")),
              .subject = std::string(value->text_at("subject")),
              .at = *at,
              .json = std::move(text),
              .object = std::move(object)};
  if (event.id.empty() || event.type.empty()) return internal("a stored event has no id or no type");
  return event;
}

Event certificate_issued(const std::string& authority, const CertificateRow& row) {
  Bytes certificate = x509::assemble_certificate(row.tbs, row.signature);
  Happening happening = about("certificate.issued", authority, row, certificate);
  happening.at = row.issued_at.value_or(row.not_before);
  return make_event(happening, std::move(certificate));
}

Event certificate_revoked(const std::string& authority, const CertificateRow& row,
                          const RevocationRow& change) {
  Bytes certificate = x509::assemble_certificate(row.tbs, row.signature);
  const bool released = change.reason == RevocationReason::remove_from_crl;
  Happening happening =
      about(released ? "certificate.released" : "certificate.revoked", authority, row, certificate);
  happening.at = change.at;
  happening.id += "/" + std::to_string(milliseconds(change.at));
  if (!released) happening.data.emplace_back("reason", to_string(change.reason));
  if (change.invalidity) happening.data.emplace_back("invalid_since", time_text(*change.invalidity));
  return make_event(happening, std::move(certificate));
}

Event authority_certified(const std::string& authority, ByteView certificate) {
  const std::string digest = to_hex(crypto::sha256(certificate));
  Happening happening;
  happening.type = "authority.certified";
  happening.source = source_of("authorities", authority);
  happening.subject = authority;
  happening.id = happening.type + "/" + digest;
  happening.data = {{"authority", authority}, {"sha256", digest}};
  if (const auto view = x509::parse_certificate(certificate)) {
    happening.at = view->not_before;
    add_name(happening.data, view->subject);
    happening.data.emplace_back("not_before", time_text(view->not_before));
    happening.data.emplace_back("not_after", time_text(view->not_after));
  }
  return make_event(happening, to_bytes(certificate));
}

Event crl_made(const std::string& authority, const CrlRow& row, Bytes crl) {
  const std::string digest = to_hex(crypto::sha256(crl));
  Happening happening;
  happening.type = "crl.made";
  happening.source = source_of("authorities", authority);
  happening.subject = authority;
  happening.id = happening.type + "/" + digest;
  happening.at = row.this_update;
  happening.data = {{"authority", authority},
                    {"shard", shard_text(row.shard)},
                    {"number", static_cast<std::int64_t>(row.number)},
                    {"entries", static_cast<std::int64_t>(row.entries)},
                    {"size", static_cast<std::int64_t>(crl.size())},
                    {"sha256", digest},
                    {"this_update", time_text(row.this_update)},
                    {"next_update", time_text(row.next_update)}};
  return make_event(happening, std::move(crl));
}

}  // namespace hanaper::events
