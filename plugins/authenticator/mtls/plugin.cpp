// The door of authenticator/mtls: TLS client certificates.
#include "trust.hpp"

#include <hanaper/host.hpp>
#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/oids.hpp>

namespace hanaper::mtls {
namespace {

constexpr SettingKey keys[] = {
    {"authorities", SettingType::references, "[]", "authority",
     "authorities of this host whose certificates are good, as long as the ledger says so"},
    {"anchors", SettingType::path, "", nullptr,
     "PEM file of other authorities, as makers of devices have them"},
    {"crls", SettingType::path, "", nullptr,
     "PEM file of CRLs that those who issue below the anchors must have"},
};

Error refused(std::string why) { return {Code::unauthenticated, std::move(why)}; }

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
    if (authorities_.empty() && anchors.empty())
      return settings.error("authorities", "nobody is trusted; name authorities here or give anchors");
    if (!crls.empty() && anchors.empty()) return settings.error("crls", "mean nothing without anchors");
    if (anchors.empty()) return {};
    auto trust = Trust::load(anchors, crls);
    if (!trust) return settings.error(crls.empty() ? "anchors" : "crls", trust.error().detail);
    trust_ = *std::move(trust);
    return {};
  }

  Result<Identity> authenticate(const Request& request, Call&) override {
    if (request.tls == nullptr || request.tls->chain.empty()) return refused("no client certificate");
    const auto leaf = x509::parse_certificate(request.tls->chain.front());
    if (!leaf) return refused("a client certificate that cannot be read");
    HANAPER_TRY(const bool ours, issued_here(*leaf));
    if (!ours) {
      if (!trust_) return refused("the client certificate is of no authority that is trusted here");
      HANAPER_CHECK(trust_->check(request.tls->chain, host_->clock().now()));
    }
    Identity identity{"mtls:" + to_hex(crypto::sha256(leaf->der)), {}, ours};
    // What others certify gives no power here.
    if (ours && x509::has_extended_key_usage(*leaf, oid::cmc_ra)) identity.roles.emplace_back("ra");
    return identity;
  }

 private:
  // Whether it is one of ours, and good; unauthenticated when it is ours, and is not.
  Result<bool> issued_here(const x509::CertificateView& leaf) const {
    for (StatusAuthority* authority : authorities_) {
      const auto certificate = x509::parse_certificate(authority->certificate());
      if (!certificate || !equal(certificate->subject, leaf.issuer)) continue;
      auto row = authority->find(leaf.serial);
      if (!row && row.error().code != Code::not_found) return std::move(row).error();
      if (!row || row->signature.empty() ||
          !equal(x509::assemble_certificate(row->tbs, row->signature), leaf.der))
        continue;
      if (const Status current = check_current(*row, host_->clock().now(), "the client certificate");
          !current)
        return refused(current.error().detail);
      if (!may_be_client(leaf)) return refused("the client certificate is not made for TLS clients");
      return true;
    }
    return false;
  }

  Host* host_ = nullptr;  // constant after configure, as all below
  std::vector<StatusAuthority*> authorities_;
  std::optional<Trust> trust_;
};

}  // namespace
}  // namespace hanaper::mtls

HANAPER_PLUGIN(.kind = "authenticator", .name = "mtls", .version = "0.1.0", .licence = "Apache-2.0",
               .summary = "TLS client certificates of our own authorities, or of others",
               .keys = hanaper::mtls::keys, .key_count = std::size(hanaper::mtls::keys),
               .create = hanaper::create_plugin<hanaper::mtls::Mtls>);
