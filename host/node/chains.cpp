#include "chains.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/json.hpp>
#include <hanaper/toolkit/name_match.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/signature_algorithm.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>

namespace hanaper {
namespace {

// No instance has such a name.
constexpr const char* outside_issuers = ".outside-issuers";
constexpr std::uint32_t documents_at_once = 100;
constexpr std::size_t max_depth = 10;  // of a chain, as clients' own limits have it

}  // namespace

Bytes joined(const std::vector<Bytes>& chain) {
  Bytes all;
  for (const Bytes& certificate : chain) all.insert(all.end(), certificate.begin(), certificate.end());
  return all;
}

Result<std::vector<Bytes>> certificates_of(const std::string& pem) {
  HANAPER_TRY(const std::vector<pem::Block> blocks, pem::decode(pem));
  std::vector<Bytes> certificates;
  for (const pem::Block& block : blocks) {
    if (block.label != "CERTIFICATE") continue;
    HANAPER_TRY(const x509::CertificateView view, x509::parse_certificate(block.der));
    certificates.push_back(block.der);
  }
  if (certificates.empty()) return malformed("no CERTIFICATE in the file");
  return certificates;
}

bool was_signed_by(ByteView spki, ByteView algorithm, ByteView tbs, ByteView signature) {
  if (const auto scheme = x509::parse_signature_algorithm(algorithm))
    return crypto::verify(*scheme, spki, tbs, signature).has_value();
  auto fields = der::open(algorithm, der::sequence);
  const auto named = fields ? fields->read_oid() : Result<ByteView>(fields.error());
  return named && oid::sha1_rsa == *named && crypto::verify_sha1(spki, tbs, signature);
}

bool is_signed_by(const x509::CertificateView& certificate, const x509::CertificateView& issuer) {
  const auto scheme = x509::parse_signature_algorithm(certificate.signature_algorithm);
  return scheme && x509::same_name(certificate.issuer, issuer.subject) &&
         crypto::verify(*scheme, issuer.spki, certificate.whole, certificate.signature);
}

bool is_self_signed(ByteView certificate) {
  const auto view = x509::parse_certificate(certificate);
  return view && x509::same_name(view->issuer, view->subject);
}

Status check_is_authority(const x509::CertificateView& view, Time now, const std::string& what) {
  const auto* extension = view.find(oid::basic_constraints);
  const auto constraints = extension ? x509::parse_basic_constraints(extension->value)
                                     : Result<x509::BasicConstraints>(x509::BasicConstraints{});
  if (!constraints || !constraints->ca) return rejected(what + " is not an authority's (basicConstraints)");
  if (const auto* usage = view.find(oid::key_usage)) {
    HANAPER_TRY(const std::uint16_t bits, x509::parse_key_usage(usage->value));
    if (!(bits & x509::key_cert_sign)) return rejected(what + "'s key usage lacks keyCertSign");
  }
  if (view.not_after <= now) return rejected(what + " expired at " + time_text(view.not_after));
  return {};
}

Status OutsideIssuers::load(Records& records) {
  std::string after;
  for (;;) {
    HANAPER_TRY(const std::vector<Record> found,
                records.find(outside_issuers, "", "", after, documents_at_once));
    for (const Record& record : found) {
      HANAPER_TRY(const json::Value value, json::parse(record.data));
      HANAPER_TRY(Bytes certificate, from_hex(value.text_at("certificate")));
      add({std::move(certificate)});
    }
    if (found.size() < documents_at_once) return {};
    after = found.back().key;
  }
}

bool OutsideIssuers::knows(const Bytes& certificate) const {
  return std::ranges::find(all_, certificate) != all_.end();
}

const Bytes* OutsideIssuers::issuer_of(const x509::CertificateView& certificate) const {
  const Bytes* longest = nullptr;
  Time until{};
  for (const Bytes& one : all_) {
    const auto view = x509::parse_certificate(one);
    if (!view || (longest != nullptr && view->not_after <= until) || !is_signed_by(certificate, *view))
      continue;
    longest = &one;
    until = view->not_after;
  }
  return longest;
}

void OutsideIssuers::complete(ByteView certificate, std::vector<Bytes>& chain) const {
  while (chain.size() < max_depth) {
    const ByteView top = chain.empty() ? certificate : ByteView(chain.back());
    const auto view = x509::parse_certificate(top);
    if (!view || is_self_signed(top)) return;
    const Bytes* issuer = issuer_of(*view);
    if (issuer == nullptr || is_self_signed(*issuer)) return;
    chain.push_back(*issuer);
  }
}

std::vector<RecordWrite> OutsideIssuers::writes(const std::vector<Bytes>& certificates) const {
  std::vector<RecordWrite> writes;
  for (const Bytes& certificate : certificates) {
    if (knows(certificate)) continue;
    RecordWrite& write = writes.emplace_back();
    write.collection = outside_issuers;
    write.key = to_hex(crypto::sha256(certificate));
    write.data = json::write(json::Value(json::Object{{"certificate", to_hex(certificate)}}));
  }
  return writes;
}

void OutsideIssuers::add(const std::vector<Bytes>& certificates) {
  for (const Bytes& certificate : certificates)
    if (!knows(certificate)) all_.push_back(certificate);
}

}  // namespace hanaper
