// Authorities that others have made or signed: answers of outside issuers, imports, and what stands above.
#include "../services/audit.hpp"
#include "authorities.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/name_match.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>

namespace hanaper {
namespace {

std::string name_of(ByteView certificate) {
  const auto view = x509::parse_certificate(certificate);
  const auto name = view ? x509::parse_name(view->subject) : Result<x509::Name>(view.error());
  return name ? x509::name_text(*name) : "unreadable";
}

// The last of them, where it is self-signed: no chain that is sent has it.
std::vector<Bytes> take_root(std::vector<Bytes>& above) {
  if (above.empty() || !is_self_signed(above.back())) return {};
  std::vector<Bytes> root = {std::move(above.back())};
  above.pop_back();
  return root;
}

}  // namespace

Result<std::vector<Bytes>> Authorities::check_certificate(const config::AuthorityConfig& config,
                                                          const std::vector<Bytes>& certificates,
                                                          ByteView spki) const {
  HANAPER_TRY(const x509::CertificateView view, x509::parse_certificate(certificates.front()));
  if (!equal(view.spki, spki))
    return rejected("the certificate's key is not " + config.keys + ":" + config.label);
  if (!x509::is_name_of(config.subject, view.subject))
    return rejected("the certificate's subject is \"" + name_of(view.der) + "\", not \"" +
                    x509::name_text(config.subject) + "\"");
  HANAPER_CHECK(check_is_authority(view, shared_.clock.now(), "the certificate"));
  // Each certificate must be signed by the next; a self-signed one by itself.
  std::vector<Bytes> above;
  for (std::size_t i = 0; i < certificates.size(); ++i) {
    const bool last = is_self_signed(certificates[i]);
    if (i + 1 == certificates.size() && !last) break;  // its issuer was not in the file
    HANAPER_TRY(const x509::CertificateView child, x509::parse_certificate(certificates[i]));
    HANAPER_TRY(const x509::CertificateView parent, x509::parse_certificate(certificates[last ? i : i + 1]));
    if (!x509::same_name(child.issuer, parent.subject))
      return rejected("the certificates of the file do not follow each other");
    // That a root has signed itself vouches for nothing: SHA-1 will do.
    const bool holds =
        last ? was_signed_by(parent.spki, child.signature_algorithm, child.whole, child.signature)
             : is_signed_by(child, parent);
    if (!holds) return rejected("a certificate's signature does not verify under the one above it");
    if (last) break;
    above.push_back(certificates[i + 1]);
  }
  return above;
}

Result<Authorities::Outcome> Authorities::install(const std::string& pem) {
  HANAPER_TRY(std::vector<Bytes> certificates, certificates_of(pem));
  HANAPER_TRY(const x509::CertificateView leaf, x509::parse_certificate(certificates.front()));
  for (const auto& [name, config] : model_.authorities) {
    HANAPER_TRY(const std::optional<AuthorityRow> row, row_of(name));
    if (!config.external || !row) continue;
    if (row->certificate == certificates.front()) return add_above(certificates);
    HANAPER_TRY(const std::shared_ptr<Key> key, find_key(config));
    if (!equal(key->spki(), leaf.spki)) continue;
    HANAPER_CHECK(check_own_key(config, key->spki()));
    auto above = check_certificate(config, certificates, key->spki());
    if (!above) return std::move(above).error().within("authority." + name);
    const std::vector<Bytes> root = take_root(*above);
    Write write;
    write.authority = *row;
    write.authority->certificate = certificates.front();
    write.authority->chain = joined(*above);
    write.records = outside_.writes(root);
    write.audit = services::audit_line(shared_.clock.now(), "authority.installed",
                                       {{"authority", name},
                                        {"serial", leaf.serial.hex()},
                                        {"certificate", to_hex(crypto::sha256(certificates.front()))}});
    HANAPER_CHECK(store(write));
    outside_.add(root);
    HANAPER_CHECK(adopt(config, *write.authority));
    const std::vector<Bytes> whole = path(name);
    const bool open = !is_self_signed(whole.empty() ? certificates.front() : whole.back());
    return Outcome{name, "installed, until " + time_text(leaf.not_after) + fingerprint_of(name) +
                             (open ? "; the outside root is not in the file, and clients are not given it: "
                                     "run hanaper init --install ROOT.pem"
                                   : "")};
  }
  return add_above(certificates);
}

// Taken is what has signed the end of a path that leads to no root yet, and what has signed that.
Result<Authorities::Outcome> Authorities::add_above(const std::vector<Bytes>& certificates) {
  std::vector<Bytes> ends, taken, own;
  std::string of;  // the uppermost of those that it is missing above
  std::size_t shortest = 0;
  for (const auto& [name, authority] : authorities_) {
    const std::vector<Bytes> whole = path(name);
    own.push_back(authority->certificate());
    const Bytes& end = whole.empty() ? own.back() : whole.back();
    if (is_self_signed(end)) continue;
    ends.push_back(end);
    HANAPER_TRY(const x509::CertificateView view, x509::parse_certificate(end));
    const bool lacks = std::ranges::any_of(certificates, [&](const Bytes& certificate) {
      const auto above = x509::parse_certificate(certificate);
      return above && is_signed_by(view, *above);
    });
    if (!lacks || (!of.empty() && whole.size() >= shortest)) continue;
    of = name;
    shortest = whole.size();
  }
  for (std::size_t i = 0; i < ends.size(); ++i) {
    HANAPER_TRY(const x509::CertificateView end, x509::parse_certificate(ends[i]));
    for (const Bytes& certificate : certificates) {
      HANAPER_TRY(const x509::CertificateView view, x509::parse_certificate(certificate));
      if (std::ranges::find(taken, certificate) != taken.end() || !is_signed_by(end, view)) continue;
      const std::string what = "the certificate of " + name_of(certificate);
      HANAPER_CHECK(check_is_authority(view, shared_.clock.now(), what));
      if (is_self_signed(certificate) &&
          !was_signed_by(view.spki, view.signature_algorithm, view.whole, view.signature))
        return rejected(what + " is not signed by its own key");
      taken.push_back(certificate);
      ends.push_back(certificate);
    }
  }
  if (taken.empty() && std::ranges::find(own, certificates.front()) != own.end())
    return conflict(
        "that authority has its certificate already, and nothing in the file is missing above it");
  if (taken.empty())
    return not_found(
        "no authority with issuer = \"external\" waits for a certificate of that key, and none "
        "lacks it above");
  Write write;
  write.records = outside_.writes(taken);
  std::string names;
  for (const Bytes& certificate : taken) {
    names += (names.empty() ? "" : ", ") + name_of(certificate) + ", SHA-256 " +
             to_hex(crypto::sha256(certificate));
    write.audit +=
        services::audit_line(shared_.clock.now(), "authority.above",
                             {{"authority", of}, {"certificate", to_hex(crypto::sha256(certificate))}});
  }
  HANAPER_CHECK(store(write));
  outside_.add(taken);
  // Their chains may be longer now.
  HANAPER_CHECK(load());
  return Outcome{of, "has above it now: " + names};
}

// The same key under the label already is what an import that was cut short leaves behind.
Result<std::shared_ptr<Key>> Authorities::import_key(const config::AuthorityConfig& config,
                                                     const crypto::SoftKey& soft) const {
  if (auto key = find_key(config); key || key.error().code != Code::not_found) {
    if (!key || equal((*key)->spki(), soft.spki())) return key;
    return conflict(config.keys + ":" + config.label + " is another key; name a new label");
  }
  HANAPER_TRY(const Secret pkcs8, soft.to_pkcs8());
  return find_keys_(config.keys)->import(config.label, pkcs8);
}

Result<Authorities::Outcome> Authorities::import(const std::string& name, const Secret& key_pem,
                                                 const Secret& pin, const std::string& certificate_pem) {
  const auto found = model_.authorities.find(name);
  if (found == model_.authorities.end())
    return not_found("no authority \"" + name + "\" in the configuration");
  const config::AuthorityConfig& config = found->second;
  HANAPER_TRY(const std::vector<Bytes> certificates, certificates_of(certificate_pem));
  HANAPER_TRY(const std::shared_ptr<crypto::SoftKey> soft, crypto::SoftKey::from_pem(key_pem, pin));
  auto above = check_certificate(config, certificates, soft->spki());
  if (!above) return std::move(above).error().within("authority." + name);
  HANAPER_TRY(const std::optional<AuthorityRow> row, row_of(name));
  if (row && !row->certificate.empty()) return conflict("authority " + name + " has a certificate already");
  HANAPER_CHECK(check_own_key(config, soft->spki()));
  HANAPER_TRY(const std::shared_ptr<Key> key, import_key(config, *soft));
  const std::vector<Bytes> root = take_root(*above);
  Write write;
  write.authority = AuthorityRow{.id = 0,
                                 .name = name,
                                 .key = config.keys + ":" + config.label,
                                 .certificate = certificates.front(),
                                 .chain = joined(*above)};
  if (row) write.authority->id = row->id;
  write.records = outside_.writes(root);
  write.audit = services::audit_line(
      shared_.clock.now(), "authority.imported",
      {{"authority", name}, {"certificate", to_hex(crypto::sha256(certificates.front()))}});
  HANAPER_CHECK(store(write));
  outside_.add(root);
  HANAPER_TRY(const std::optional<AuthorityRow> stored, row_of(name));
  HANAPER_CHECK(adopt(config, *stored));
  const bool weak = key->spec().type == KeyType::rsa && key->spec().bits < 2048;
  return Outcome{name, "imported, " + to_string(key->spec()) + ", until " +
                           time_text(authorities_.at(name)->not_after()) + fingerprint_of(name) +
                           (weak ? "; its key is weak, and clients refuse what it signs: let it revoke, and "
                                   "have a new authority take over from it"
                                 : "")};
}

}  // namespace hanaper
