// issue, show, list.
#include "table.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/identifiers.hpp>
#include <hanaper/toolkit/name.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>
#include <charconv>
#include <tuple>

namespace hanaper::operations {
namespace {

constexpr std::uint32_t most_in_a_page = 1000;

std::string pem_chain(ByteView certificate, const std::vector<Bytes>& chain) {
  std::string text = pem::encode("CERTIFICATE", certificate);
  for (const Bytes& above : chain) text += pem::encode("CERTIFICATE", above);
  return text;
}

Result<issuance::Pipeline*> pipeline_for(Node& node, const std::string& name) {
  if (!name.empty()) return node.pipeline(name);
  const auto& pipelines = node.model().pipelines;
  if (pipelines.size() == 1) return node.pipeline(pipelines.begin()->first);
  std::string known;
  for (const auto& [other, unused] : pipelines) known += (known.empty() ? "" : ", ") + other;
  return malformed("pipeline has to be named; there are " + known);
}

// A PKCS#10 request, PEM or DER.
Result<Bytes> request_of(const std::string& text) {
  if (text.starts_with('\x30')) return to_bytes(as_bytes(text));
  HANAPER_TRY(std::vector<pem::Block> blocks, pem::decode(text));
  for (pem::Block& block : blocks)
    if (block.label == "CERTIFICATE REQUEST" || block.label == "NEW CERTIFICATE REQUEST")
      return std::move(block.der);
  return malformed("csr: no CERTIFICATE REQUEST in it");
}

std::string_view state_text(const CertificateRow& row) {
  if (row.revoked == RevocationReason::certificate_hold) return "on hold";
  if (row.revoked) return "revoked";
  return row.issued_at ? "issued" : "reserved";
}

json::Value describe(const CertificateRow& row, const std::string& authority) {
  json::Object object{{"serial", row.serial.hex()},
                      {"state", state_text(row)},
                      {"authority", authority},
                      {"profile", row.profile},
                      {"requester", row.requester}};
  if (!row.tbs.empty()) object.emplace_back("not_before", time_text(row.not_before));
  object.emplace_back("not_after", time_text(row.not_after));
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

Result<std::shared_ptr<issuance::Authority>> find_authority(Node& node, const std::string& name) {
  if (auto authority = node.authorities().find(name)) return authority;
  if (node.model().authorities.contains(name))
    return unavailable("authority " + name + " has no certificate yet; run hanaper init");
  std::vector<std::string> known;
  for (const auto& [other, unused] : node.model().authorities) known.push_back(other);
  return not_found("no authority \"" + name + "\"" + config::suggestion(name, known));
}

Result<std::vector<AuthorityRow>> authorities_called(Node& node, const std::string& name) {
  HANAPER_TRY(std::vector<AuthorityRow> authorities, node.storage().ledger().authorities());
  if (name.empty()) return authorities;
  std::vector<std::string> known;
  for (const AuthorityRow& row : authorities) known.push_back(row.name);
  std::erase_if(authorities, [&](const AuthorityRow& row) { return row.name != name; });
  if (authorities.empty())
    return not_found("no authority \"" + name + "\"" + config::suggestion(name, known));
  return authorities;
}

Result<CertificateRow> find_row(Node& node, const NamedCertificate& named,
                                const std::string& authority_name) {
  HANAPER_TRY(const std::vector<AuthorityRow> authorities, authorities_called(node, authority_name));
  if (named.certificate.empty()) return find_row(node, authorities, named.serial);
  for (const AuthorityRow& authority : authorities) {
    auto row = node.storage().ledger().certificate(authority.id, named.serial);
    if (row && !row->signature.empty() &&
        equal(x509::assemble_certificate(row->tbs, row->signature), named.certificate))
      return row;
    if (!row && row.error().code != Code::not_found) return row;
  }
  return not_found("the certificate with serial number " + named.serial.hex() + " was not issued here");
}

Result<CertificateRow> find_row(Node& node, const std::vector<AuthorityRow>& authorities,
                                const Serial& serial) {
  std::optional<CertificateRow> found;
  for (const AuthorityRow& authority : authorities) {
    auto row = node.storage().ledger().certificate(authority.id, serial);
    if (!row && row.error().code != Code::not_found) return row;
    if (!row) continue;
    if (found)
      return conflict("serial number " + serial.hex() +
                      " belongs to more than one authority; name the one that is meant by --authority");
    found = *std::move(row);
  }
  if (!found) return not_found("no certificate with serial number " + serial.hex());
  return *std::move(found);
}

Result<json::Value> issue(Node& node, const Caller& caller, const Arguments& arguments, Call& call) {
  HANAPER_TRY(issuance::Pipeline * pipeline, pipeline_for(node, arguments.text("pipeline")));
  HANAPER_TRY(const Bytes csr, request_of(arguments.text("csr")));
  IssueRequest request;
  request.profile = arguments.text("profile");
  request.requester = caller.requester();
  request.csr = csr;
  HANAPER_TRY(const Issued issued, pipeline->issue(request, call));
  return json::Value(json::Object{{"serial", issued.serial.hex()},
                                  {"not_before", time_text(issued.not_before)},
                                  {"not_after", time_text(issued.not_after)},
                                  {"certificate", pem::encode("CERTIFICATE", issued.certificate)},
                                  {"chain", pem_chain(issued.certificate, issued.chain)}});
}

Result<json::Value> show_authority(Node& node, const Caller&, const Arguments& arguments, Call&) {
  const std::string& name = arguments.text("authority");
  HANAPER_TRY(const std::shared_ptr<issuance::Authority> authority, find_authority(node, name));
  HANAPER_TRY(const x509::CertificateView view, x509::parse_certificate(authority->certificate()));
  // What became of it the ledger knows when it was issued here.
  auto known = find_row(node, NamedCertificate{view.serial, authority->certificate()}, "");
  if (!known && known.error().code != Code::not_found) return std::move(known).error();
  CertificateRow row = known ? *std::move(known) : CertificateRow{};
  if (row.tbs.empty()) {
    row.serial = view.serial;
    row.not_before = row.issued_at.emplace(view.not_before);
    row.not_after = view.not_after;
    row.tbs = to_bytes(view.whole);
    row.signature = to_bytes(view.signature);
  }
  json::Value described = describe(row, name);
  described.object()->emplace_back("sha256", to_hex(crypto::sha256(authority->certificate())));
  described.object()->emplace_back("certificate", pem::encode("CERTIFICATE", authority->certificate()));
  const std::vector<Bytes>& chain = authority->chain();
  described.object()->emplace_back("chain", chain.empty()
                                                ? pem::encode("CERTIFICATE", authority->certificate())
                                                : pem_chain(chain.front(), {chain.begin() + 1, chain.end()}));
  return described;
}

Result<json::Value> show_certificate(Node& node, const Caller&, const Arguments& arguments, Call&) {
  HANAPER_TRY(const CertificateRow row,
              find_row(node, arguments.certificate("certificate"), arguments.text("authority")));
  const std::string name = authority_name(node, row.authority);
  json::Value described = describe(row, name);
  if (row.signature.empty()) return described;
  const Bytes certificate = x509::assemble_certificate(row.tbs, row.signature);
  const auto authority = node.authorities().find(name);
  described.object()->emplace_back("sha256", to_hex(crypto::sha256(certificate)));
  described.object()->emplace_back("certificate", pem::encode("CERTIFICATE", certificate));
  described.object()->emplace_back(
      "chain", pem_chain(certificate, authority ? authority->chain() : std::vector<Bytes>{}));
  return described;
}

namespace {

// "2026-11-21T18:50:00Z,3,0a1b": behind which certificate a list goes on.
std::string cursor_text(const CertificateCursor& cursor) {
  return time_text(cursor.not_after) + "," + std::to_string(cursor.authority) + "," + cursor.serial.hex();
}
CertificateCursor cursor_of(const CertificateRow& row) { return {row.not_after, row.authority, row.serial}; }

Result<CertificateCursor> parse_cursor(std::string_view text) {
  const std::size_t first = text.find(','), second = text.rfind(',');
  const Error wrong = malformed("after: is no \"next\" of a list");
  if (first == std::string_view::npos || first == second) return wrong;
  const auto not_after = parse_time_text(text.substr(0, first));
  const auto serial = Serial::from_text(text.substr(second + 1));
  AuthorityId authority = 0;
  const std::string_view digits = text.substr(first + 1, second - first - 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), authority);
  if (!not_after || !serial || error != std::errc{} || end != digits.data() + digits.size()) return wrong;
  return CertificateCursor{*not_after, authority, *serial};
}

Result<CertificateQuery> query_of(Node& node, const std::vector<AuthorityRow>& authorities,
                                  const Arguments& arguments, Call& call) {
  CertificateQuery query;
  if (const std::string& name = arguments.text("authority"); !name.empty()) {
    for (const AuthorityRow& row : authorities)
      if (row.name == name) query.authority = row.id;
    if (!query.authority) return not_found("no authority \"" + name + "\" in the ledger");
  }
  const std::string& state = arguments.text("state");
  if (state == "reserved") query.state = CertificateQuery::State::reserved;
  if (state == "issued") query.state = CertificateQuery::State::issued;
  if (state == "revoked") query.state = CertificateQuery::State::revoked;
  if (arguments.has("expires_within")) {
    query.expires_from = node.shared().clock.now();
    query.expires_before = *query.expires_from + arguments.duration("expires_within");
  }
  if (const std::string& name = arguments.text("name"); !name.empty()) {
    HANAPER_CHECK(node.names().catch_up(call));
    query.name_is_prefix = name.starts_with('.');
    if (query.name_is_prefix) {
      query.name = x509::search_prefix(name.substr(1));
    } else {
      HANAPER_TRY(const Identifier identifier, x509::guess_identifier(name));
      query.name = x509::search_key(identifier);
    }
  }
  if (arguments.has("after")) {
    HANAPER_TRY(query.after, parse_cursor(arguments.text("after")));
  }
  query.limit = most_in_a_page;
  if (arguments.has("limit"))
    query.limit =
        static_cast<std::uint32_t>(std::min<std::int64_t>(arguments.integer("limit"), most_in_a_page));
  return query;
}

// What a list leaves out that the storage has no index for.
class Sieve {
 public:
  Sieve(Node& node, const Arguments& arguments)
      : ledger_(node.storage().ledger()),
        profile_(arguments.text("profile")),
        requester_(arguments.text("requester")),
        only_open_(arguments.has("expires_within") && !arguments.boolean("all")) {}

  bool is_needed() const { return !profile_.empty() || !requester_.empty() || only_open_; }

  Result<bool> keeps(const CertificateRow& row) const {
    if (!profile_.empty() && row.profile != profile_) return false;
    if (!requester_.empty() && !is_of_requester(row.requester)) return false;
    if (!only_open_) return true;
    // Nobody has to do anything about those.
    constexpr std::string_view own[] = {"ocsp-responder", "registrar"};
    if (std::ranges::find(own, row.profile) != std::end(own) || row.requester.starts_with("listener:"))
      return false;
    HANAPER_TRY(const bool renewed, was_renewed(row));
    return !renewed;
  }

 private:
  bool is_of_requester(std::string_view requester) const {
    if (!requester_.ends_with('*')) return requester == requester_;
    return requester.starts_with(std::string_view(requester_).substr(0, requester_.size() - 1));
  }

  static std::vector<Identifier> names_of(const CertificateRow& row) {
    const auto tbs = x509::parse_tbs(row.tbs);
    const auto* extension = tbs ? tbs->find(oid::subject_alt_name) : nullptr;
    auto parsed = extension ? x509::parse_general_names(extension->value)
                            : Result<x509::GeneralNames>(x509::GeneralNames{});
    std::vector<Identifier> names = parsed ? std::move(parsed->names) : std::vector<Identifier>{};
    std::ranges::sort(names);
    return names;
  }

  // Whether another for the same lives longer. Without names nothing tells what it is for.
  Result<bool> was_renewed(const CertificateRow& row) const {
    constexpr std::uint32_t enough = 200;
    const std::vector<Identifier> names = names_of(row);
    if (names.empty()) return false;
    CertificateQuery query;
    query.name = x509::search_key(names.front());
    query.state = CertificateQuery::State::issued;
    query.expires_from = row.not_after;
    query.limit = enough;
    HANAPER_TRY(const std::vector<CertificateRow> later, ledger_.search(query));
    return std::ranges::any_of(later, [&](const CertificateRow& other) {
      const bool follows =
          std::tie(other.not_after, other.issued_at) > std::tie(row.not_after, row.issued_at);
      return follows && !other.revoked && other.profile == row.profile && names_of(other) == names;
    });
  }

  Ledger& ledger_;
  const std::string &profile_, &requester_;
  const bool only_open_;
};

// A sieve may leave little: so many pages are looked through for one answer, then the asker goes on.
constexpr int pages_looked_through = 20;

}  // namespace

Result<json::Value> list_certificates(Node& node, const Caller&, const Arguments& arguments, Call& call) {
  HANAPER_TRY(const std::vector<AuthorityRow> authorities, node.storage().ledger().authorities());
  HANAPER_TRY(CertificateQuery query, query_of(node, authorities, arguments, call));
  const Sieve sieve(node, arguments);
  const std::size_t wanted = query.limit;
  if (sieve.is_needed()) query.limit = most_in_a_page;
  if (arguments.has("expires_within")) HANAPER_CHECK(node.names().catch_up(call));
  json::Array certificates;
  for (int page = 0; page < pages_looked_through; ++page) {
    HANAPER_TRY(const std::vector<CertificateRow> rows, node.storage().ledger().search(query));
    for (const CertificateRow& row : rows) {
      HANAPER_TRY(const bool kept, sieve.keeps(row));
      if (!kept) continue;
      const auto authority = std::ranges::find(authorities, row.authority, &AuthorityRow::id);
      certificates.push_back(describe(row, authority == authorities.end() ? "?" : authority->name));
      if (certificates.size() == wanted) return items(std::move(certificates), cursor_text(cursor_of(row)));
    }
    if (rows.size() < query.limit) return items(std::move(certificates));
    query.after = cursor_of(rows.back());
  }
  return items(std::move(certificates), cursor_text(*query.after));
}

}  // namespace hanaper::operations
