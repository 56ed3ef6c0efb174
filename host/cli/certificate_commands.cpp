// issue, show, list.
#include "node_commands.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/identifiers.hpp>
#include <hanaper/toolkit/name.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>

namespace hanaper::cli {
namespace {

std::string pem_chain(ByteView certificate, const std::vector<Bytes>& chain) {
  std::string text = pem::encode("CERTIFICATE", certificate);
  for (const Bytes& above : chain) text += pem::encode("CERTIFICATE", above);
  return text;
}

Result<issuance::Pipeline*> pipeline_for(Node& node, const json::Value& arguments) {
  const std::string_view name = arguments.text_at("pipeline");
  if (!name.empty()) return node.pipeline(name);
  const auto& pipelines = node.model().pipelines;
  if (pipelines.size() == 1) return node.pipeline(pipelines.begin()->first);
  std::string known;
  for (const auto& [other, unused] : pipelines) known += (known.empty() ? "" : ", ") + other;
  return malformed("--pipeline is needed; there are " + known);
}

std::string_view state_text(const CertificateRow& row) {
  if (row.revoked == RevocationReason::certificate_hold) return "on hold";
  if (row.revoked) return "revoked";
  return row.signature.empty() ? "reserved" : "issued";
}

json::Value describe(const CertificateRow& row, const std::string& authority) {
  json::Object object{{"serial", row.serial.hex()},
                      {"state", state_text(row)},
                      {"authority", authority},
                      {"profile", row.profile},
                      {"requester", row.requester},
                      {"not_before", time_text(row.not_before)},
                      {"not_after", time_text(row.not_after)}};
  if (row.issued_at) object.emplace_back("issued_at", time_text(*row.issued_at));
  if (row.revoked_at) object.emplace_back("revoked_at", time_text(*row.revoked_at));
  if (row.revoked) object.emplace_back("reason", to_string(*row.revoked));
  if (const auto tbs = x509::parse_tbs(row.tbs)) {
    if (const auto subject = x509::parse_name(tbs->subject))
      object.emplace_back("subject", x509::name_text(*subject));
    if (const auto issuer = x509::parse_name(tbs->issuer))
      object.emplace_back("issuer", x509::name_text(*issuer));
    if (const auto key = x509::parse_public_key(tbs->spki)) object.emplace_back("key", to_string(key->spec));
    json::Array names;
    if (const auto* extension = tbs->find(oid::subject_alt_name))
      if (const auto parsed = x509::parse_general_names(extension->value))
        for (const Identifier& name : parsed->names) names.emplace_back(name.value);
    object.emplace_back("names", std::move(names));
  }
  return object;
}

}  // namespace

std::string authority_name(Node& node, AuthorityId id) {
  if (const auto rows = node.storage().ledger().authorities())
    for (const AuthorityRow& row : *rows)
      if (row.id == id) return row.name;
  return std::to_string(id);
}

Result<CertificateRow> find_row(Node& node, const json::Value& arguments) {
  HANAPER_TRY(const std::vector<AuthorityRow> authorities, node.storage().ledger().authorities());
  if (const std::string_view encoded = arguments.text_at("certificate"); !encoded.empty()) {
    HANAPER_TRY(const Bytes der, base64::decode(encoded));
    HANAPER_TRY(const x509::CertificateView view, x509::parse_certificate(der));
    for (const AuthorityRow& authority : authorities) {
      auto row = node.storage().ledger().certificate(authority.id, view.serial);
      if (row && !row->signature.empty() && equal(x509::assemble_certificate(row->tbs, row->signature), der))
        return row;
      if (!row && row.error().code != Code::not_found) return row;
    }
    return not_found("the certificate with serial number " + view.serial.hex() + " was not issued here");
  }
  return find_row(node, authorities, arguments.text_at("serial"));
}

Result<CertificateRow> find_row(Node& node, const std::vector<AuthorityRow>& authorities,
                                std::string_view text) {
  HANAPER_TRY(const Serial serial, Serial::from_text(text));
  std::optional<CertificateRow> found;
  for (const AuthorityRow& authority : authorities) {
    auto row = node.storage().ledger().certificate(authority.id, serial);
    if (!row && row.error().code != Code::not_found) return row;
    if (!row) continue;
    if (found)
      return conflict("serial number " + serial.hex() +
                      " belongs to more than one authority; name the certificate's file instead");
    found = *std::move(row);
  }
  if (!found) return not_found("no certificate with serial number " + serial.hex());
  return *std::move(found);
}

Result<json::Value> issue(Node& node, const json::Value& arguments, Call& call) {
  HANAPER_TRY(issuance::Pipeline * pipeline, pipeline_for(node, arguments));
  HANAPER_TRY(const Bytes csr, base64::decode(arguments.text_at("csr")));
  IssueRequest request;
  request.profile = arguments.text_at("profile");
  request.requester = "command:" + std::string(arguments.text_at("user"));
  request.csr = csr;
  HANAPER_TRY(const Issued issued, pipeline->issue(request, call));
  return json::Value(json::Object{{"serial", issued.serial.hex()},
                                  {"not_before", time_text(issued.not_before)},
                                  {"not_after", time_text(issued.not_after)},
                                  {"certificate", pem::encode("CERTIFICATE", issued.certificate)},
                                  {"chain", pem_chain(issued.certificate, issued.chain)}});
}

Result<json::Value> show(Node& node, const json::Value& arguments, Call&) {
  if (const std::string name(arguments.text_at("authority")); !name.empty()) {
    const auto authority = node.authorities().find(name);
    if (!authority && !node.model().authorities.contains(name)) {
      std::vector<std::string> known;
      for (const auto& [other, unused] : node.model().authorities) known.push_back(other);
      return not_found("no authority \"" + name + "\"" + config::suggestion(name, known));
    }
    if (!authority) return unavailable("authority " + name + " has no certificate yet; run hanaper init");
    HANAPER_TRY(const x509::CertificateView view, x509::parse_certificate(authority->certificate()));
    CertificateRow row;
    row.authority = authority->id();
    row.serial = view.serial;
    row.not_before = view.not_before;
    row.not_after = view.not_after;
    row.tbs = to_bytes(view.whole);
    row.signature = to_bytes(view.signature);
    json::Value described = describe(row, name);
    described.object()->emplace_back("certificate", pem::encode("CERTIFICATE", authority->certificate()));
    const std::vector<Bytes>& chain = authority->chain();
    described.object()->emplace_back(
        "chain", chain.empty() ? pem::encode("CERTIFICATE", authority->certificate())
                               : pem_chain(chain.front(), {chain.begin() + 1, chain.end()}));
    return described;
  }
  HANAPER_TRY(const CertificateRow row, find_row(node, arguments));
  const std::string name = authority_name(node, row.authority);
  json::Value described = describe(row, name);
  if (!row.signature.empty()) {
    const Bytes certificate = x509::assemble_certificate(row.tbs, row.signature);
    const auto authority = node.authorities().find(name);
    described.object()->emplace_back("certificate", pem::encode("CERTIFICATE", certificate));
    described.object()->emplace_back(
        "chain", pem_chain(certificate, authority ? authority->chain() : std::vector<Bytes>{}));
  }
  return described;
}

Result<json::Value> list(Node& node, const json::Value& arguments, Call& call) {
  CertificateQuery query;
  HANAPER_TRY(const std::vector<AuthorityRow> authorities, node.storage().ledger().authorities());
  if (const std::string_view name = arguments.text_at("authority"); !name.empty()) {
    for (const AuthorityRow& row : authorities)
      if (row.name == name) query.authority = row.id;
    if (!query.authority) return not_found("no authority \"" + std::string(name) + "\" in the ledger");
  }
  const std::string_view state = arguments.text_at("state");
  if (state == "reserved") query.state = CertificateQuery::State::reserved;
  if (state == "issued") query.state = CertificateQuery::State::issued;
  if (state == "revoked") query.state = CertificateQuery::State::revoked;
  if (query.state == CertificateQuery::State::any && !state.empty())
    return malformed("--state is reserved, issued or revoked");
  if (const std::string_view within = arguments.text_at("expires_within"); !within.empty()) {
    HANAPER_TRY(const std::chrono::milliseconds duration, parse_duration(within));
    query.expires_from = node.shared().clock.now();
    query.expires_before = *query.expires_from + duration;
  }
  if (std::string_view name = arguments.text_at("name"); !name.empty()) {
    HANAPER_CHECK(node.names().catch_up(call));
    query.name_is_prefix = name.starts_with('.');
    if (query.name_is_prefix) {
      query.name = x509::search_prefix(name.substr(1));
    } else {
      HANAPER_TRY(const Identifier identifier, x509::guess_identifier(name));
      query.name = x509::search_key(identifier);
    }
  }
  if (const json::Value* after = arguments.find("after")) {
    HANAPER_TRY(const Serial serial, Serial::from_text(after->text_at("serial")));
    HANAPER_TRY(const Time not_after, parse_time_text(after->text_at("not_after")));
    const json::Value* authority = after->find("authority");
    query.after = CertificateCursor{
        not_after, authority && authority->integer() ? static_cast<AuthorityId>(*authority->integer()) : 0,
        serial};
  }
  if (const json::Value* limit = arguments.find("limit"); limit && limit->integer())
    query.limit = static_cast<std::uint32_t>(std::clamp<std::int64_t>(*limit->integer(), 1, 1000));
  HANAPER_TRY(const std::vector<CertificateRow> rows, node.storage().ledger().search(query));
  json::Array certificates;
  for (const CertificateRow& row : rows) {
    const auto authority = std::ranges::find(authorities, row.authority, &AuthorityRow::id);
    certificates.push_back(describe(row, authority == authorities.end() ? "?" : authority->name));
  }
  json::Object answer{{"certificates", std::move(certificates)}};
  if (rows.size() == query.limit)
    answer.emplace_back("after", json::Object{{"serial", rows.back().serial.hex()},
                                              {"not_after", time_text(rows.back().not_after)},
                                              {"authority", rows.back().authority}});
  return json::Value(std::move(answer));
}

}  // namespace hanaper::cli
