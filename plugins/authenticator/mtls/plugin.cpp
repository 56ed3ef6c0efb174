// The door of authenticator/mtls: TLS client certificates.
#include <hanaper/host.hpp>
#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/name_match.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/trust_anchors.hpp>

#include <algorithm>

namespace hanaper::mtls {
namespace {

constexpr SettingKey keys[] = {
    {"authorities", SettingType::references, "[]", "authority",
     "authorities of this host whose certificates are good, as long as the ledger says so"},
    {"anchors", SettingType::path, "", nullptr,
     "PEM file of other authorities, as makers of devices have them"},
    {"crls", SettingType::path, "", nullptr,
     "PEM file of CRLs that those who issue below the anchors must have"},
    {"old_makers", SettingType::boolean, "false", nullptr,
     "take RSA keys of 1024 bits and signatures with SHA-1 below the anchors"},
};

Error refused(std::string why) { return {Code::unauthenticated, std::move(why)}; }

// A certificate that is known to be bad is no reason to ask others what they think of it.
Error refused_for_cause(std::string why) { return forbidden(std::move(why)); }

// The blocks of a PEM file that have that label; malformed when there is none.
Result<std::vector<Bytes>> blocks_of(const std::string& path, std::string_view label) {
  constexpr std::size_t max_file = 16 * 1024 * 1024;
  HANAPER_TRY(const std::string text, files::read_trusted(path, max_file));
  auto blocks = pem::decode(text);
  if (!blocks) return std::move(blocks).error().within(path);
  std::vector<Bytes> found;
  for (pem::Block& block : *blocks)
    if (block.label == label) found.push_back(std::move(block.der));
  if (found.empty()) return malformed(path + ": no " + std::string(label) + " in it");
  return found;
}

// RFC 5280 4.2.1.12: absent means every use.
bool may_be_client(const x509::CertificateView& certificate) {
  return certificate.find(oid::extended_key_usage) == nullptr ||
         x509::has_extended_key_usage(certificate, oid::client_auth) ||
         x509::has_extended_key_usage(certificate, oid::any_extended_key_usage);
}

class Mtls final : public Authenticator {
 public:
  Status configure(const Settings& settings, Host& host) override {
    host_ = &host;
    for (const std::string& name : settings.texts("authorities"))
      authorities_.push_back(&host.authority(name));
    const std::string anchors = settings.text_or("anchors", ""), crls = settings.text_or("crls", "");
    if (settings.boolean("old_makers") && anchors.empty())
      return settings.error("old_makers", "means nothing without anchors");
    if (authorities_.empty() && anchors.empty())
      return settings.error("authorities", "nobody is trusted; name authorities here or give anchors");
    if (!crls.empty() && anchors.empty()) return settings.error("crls", "mean nothing without anchors");
    if (anchors.empty()) return {};
    return trust(settings, anchors, crls);
  }

  Result<Identity> authenticate(const Request& request, Call&) override {
    if (request.tls == nullptr || request.tls->chain.empty()) return refused("no client certificate");
    const auto leaf = x509::parse_certificate(request.tls->chain.front());
    if (!leaf) return refused("a client certificate that cannot be read");
    HANAPER_TRY(const std::optional<Known> ours, find_here(*leaf, "the client certificate"));
    if (ours) {
      HANAPER_CHECK(check_path(*ours->authority));
      return identity_of_ours(*leaf, *ours);
    }
    if (!trust_) return refused("the client certificate is of no authority that is trusted here");
    // Every certificate of the path that names one of our authorities is ours to judge.
    for (ByteView der : std::span(request.tls->chain).subspan(1)) {
      const auto above = x509::parse_certificate(der);
      if (!above) return refused("a certificate above the client's cannot be read");
      const auto known = find_here(*above, "a certificate above the client's");
      // An authority's own that was installed may be missing from the ledger.
      if (!known && known.error().code == Code::forbidden && is_authoritys_own(der)) continue;
      if (!known) return known.error();
      if (*known) HANAPER_CHECK(check_good(**known, "a certificate above the client's"));
    }
    if (const Status led = trust_->check(request.tls->chain, host_->clock().now()); !led)
      return refused("the client certificate is not trusted: " + led.error().detail);
    return Identity{"mtls:" + to_hex(crypto::sha256(leaf->der)), {}, false};
  }

 private:
  Status trust(const Settings& settings, const std::string& anchors, const std::string& crls) {
    const auto roots = blocks_of(anchors, "CERTIFICATE");
    if (!roots) return settings.error("anchors", roots.error().detail);
    std::vector<Bytes> lists;
    if (!crls.empty()) {
      auto read = blocks_of(crls, "X509 CRL");
      if (!read) return settings.error("crls", read.error().detail);
      lists = *std::move(read);
    }
    using x509::TrustAnchors;
    const auto strength =
        settings.boolean("old_makers") ? TrustAnchors::Strength::old : TrustAnchors::Strength::current;
    auto made = TrustAnchors::make(*roots, lists, TrustAnchors::Purpose::tls_client, strength);
    if (!made)
      return settings.error("anchors",
                            anchors + (crls.empty() ? "" : ", " + crls) + ": " + made.error().detail);
    trust_ = *std::move(made);
    return {};
  }

  struct Known {
    StatusAuthority* authority;
    CertificateRow row;
  };

  // What the ledger knows of a certificate that names an authority of ours as issuer; nothing when it names
  // somebody else. forbidden when the ledger does not know just these to-be-signed octets: it is forged, or
  // was never signed. The signature is left out of the comparison, because some can be changed by anybody.
  Result<std::optional<Known>> find_here(const x509::CertificateView& certificate,
                                         std::string_view what) const {
    bool named = false;
    for (StatusAuthority* authority : host_->authorities()) {
      const auto own = x509::parse_certificate(authority->certificate());
      if (!own || !x509::same_name(own->subject, certificate.issuer)) continue;
      named = true;
      auto row = authority->find(certificate.serial);
      if (!row && row.error().code != Code::not_found) return std::move(row).error();
      if (row && !row->signature.empty() && equal(row->tbs, certificate.whole))
        return Known{authority, *std::move(row)};
    }
    if (!named) return std::optional<Known>();
    return refused_for_cause(std::string(what) + " names an authority of ours that has not issued it");
  }

  Status check_good(const Known& known, std::string_view what) const {
    const Status current = check_current(known.row, host_->clock().now(), what);
    if (current) return {};
    // Who comes too late has done nothing wrong, and may be known by something else.
    const bool revoked = known.row.revoked && !known.row.released;
    return revoked ? refused_for_cause(current.error().detail) : refused(current.error().detail);
  }

  // Of the authorities above, as far as they are ours, none may be revoked.
  Status check_path(const StatusAuthority& authority) const {
    const StatusAuthority* below = &authority;
    for (int depth = 0; depth < 8; ++depth) {
      const auto own = x509::parse_certificate(below->certificate());
      if (!own || equal(own->issuer, own->subject)) return {};
      const StatusAuthority* next = nullptr;
      for (StatusAuthority* above : host_->authorities()) {
        const auto certificate = x509::parse_certificate(above->certificate());
        if (!certificate || !x509::same_name(certificate->subject, own->issuer)) continue;
        auto row = above->find(own->serial);
        if (!row && row.error().code != Code::not_found) return std::move(row).error();
        // One that was installed may be missing from the ledger.
        if (!row || !equal(row->tbs, own->whole)) continue;
        HANAPER_CHECK(check_good({above, *row}, "the authority of the client certificate"));
        next = above;
      }
      if (next == nullptr) return {};
      below = next;
    }
    return {};
  }

  bool is_authoritys_own(ByteView certificate) const {
    return std::ranges::any_of(host_->authorities(), [&](const StatusAuthority* authority) {
      return equal(authority->certificate(), certificate);
    });
  }

  Result<Identity> identity_of_ours(const x509::CertificateView& leaf, const Known& known) const {
    HANAPER_CHECK(check_good(known, "the client certificate"));
    if (std::ranges::find(authorities_, known.authority) == authorities_.end())
      return refused("the client certificate is of authority " + known.authority->name() +
                     ", which is not trusted here");
    if (!may_be_client(leaf)) return refused("the client certificate is not made for TLS clients");
    // Named by what was signed here, whatever came.
    const Bytes recorded = x509::assemble_certificate(known.row.tbs, known.row.signature);
    Identity identity{"mtls:" + to_hex(crypto::sha256(recorded)), {}, true};
    // What others certify gives no power here.
    if (x509::has_extended_key_usage(leaf, oid::cmc_ra)) identity.roles.emplace_back("ra");
    return identity;
  }

  Host* host_ = nullptr;  // constant after configure, as all below
  std::vector<StatusAuthority*> authorities_;
  std::optional<x509::TrustAnchors> trust_;
};

}  // namespace
}  // namespace hanaper::mtls

HANAPER_PLUGIN(.kind = "authenticator", .name = "mtls", .version = "0.1.0", .licence = "Apache-2.0",
               .summary = "TLS client certificates of our own authorities, or of others",
               .keys = hanaper::mtls::keys, .key_count = std::size(hanaper::mtls::keys),
               .create = hanaper::create_plugin<hanaper::mtls::Mtls>);
