#include "authority.hpp"

#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/public_key.hpp>

namespace hanaper::issuance {

namespace {

using Offers = std::function<bool(const config::InstanceConfig&, std::string_view)>;

void add_crl_urls(StatusUrls& urls, const config::Model& model, const config::InstanceConfig& instance,
                  const std::string& authority, const Offers& offers) {
  const std::string url = model.public_url(instance);
  std::string stem = authority;
  if (!instance.crl_issuer.empty()) {
    stem = instance.crl_issuer;
    // RFC 5280 4.2.1.13: "If the certificate issuer is also the CRL issuer, then conforming CAs MUST omit the
    // cRLIssuer field".
    if (stem != authority) urls.crl_issuer = x509::encode_name(model.authorities.at(stem).subject);
  }
  urls.crl.push_back(url + "/" + stem + ".crl");
  urls.issuer.push_back(url + "/" + authority + ".cer");
  if (offers(instance, "shards"))
    urls.shards = static_cast<std::uint32_t>(instance.settings.integer("shards"));
  if (offers(instance, "split") && instance.settings.boolean("split")) {
    urls.split = true;
    urls.shards = std::max(urls.shards, 1u);
  }
  if (offers(instance, "delta") && instance.settings.has("delta"))
    urls.freshest.push_back(url + "/" + stem + "-delta.crl");
}

}  // namespace

StatusUrls status_urls(const config::Model& model, const std::string& authority,
                       const std::function<bool(const config::InstanceConfig&, std::string_view)>& offers) {
  StatusUrls urls;
  for (const config::InstanceConfig& instance : model.instances) {
    if (instance.kind != "protocol" ||
        std::ranges::find(instance.authorities, authority) == instance.authorities.end())
      continue;
    const std::string url = model.public_url(instance);
    if (url.empty()) continue;  // made for somebody else to serve, who knows where
    if (offers(instance, "ocsp")) urls.ocsp.push_back(url);
    if (offers(instance, "crl")) add_crl_urls(urls, model, instance, authority, offers);
  }
  return urls;
}

StatusUrls StatusUrls::of_shard(std::uint32_t shard) const {
  StatusUrls urls = *this;
  if (shard == 0) return urls;
  const std::string number = shard == authority_shard ? "-ca" : "-" + std::to_string(shard);
  const auto insert = [&](std::vector<std::string>& list, std::string_view ending) {
    for (std::string& url : list) url.insert(url.size() - ending.size(), number);
  };
  insert(urls.crl, ".crl");
  insert(urls.freshest, "-delta.crl");
  return urls;
}

std::uint32_t StatusUrls::shard_of(const Serial& serial) const noexcept {
  if (shards == 0) return 0;
  std::uint32_t end = 0;
  const ByteView octets = serial.octets();
  for (std::uint8_t octet : octets.last(std::min<std::size_t>(4, octets.size()))) end = end << 8 | octet;
  return 1 + end % shards;
}

Result<std::vector<Bytes>> split_chain(ByteView concatenated) {
  std::vector<Bytes> chain;
  der::Reader reader(concatenated);
  while (!reader.at_end()) {
    HANAPER_TRY(const der::Element certificate, reader.expect(der::sequence));
    chain.push_back(to_bytes(certificate.whole));
  }
  return chain;
}

Result<std::shared_ptr<Authority>> Authority::assemble(const config::AuthorityConfig& config,
                                                       AuthorityRow row, std::shared_ptr<Key> key,
                                                       std::shared_ptr<SerialSource> serials,
                                                       StatusUrls urls) {
  const std::string name = "authority." + config.name;
  std::shared_ptr<Authority> authority(
      new Authority(config, std::move(row), std::move(key), std::move(serials), std::move(urls)));
  auto view = x509::parse_certificate(authority->row_.certificate);
  if (!view) return internal(name + ": its certificate in the ledger cannot be read: " + view.error().detail);
  authority->view_ = *view;
  if (!equal(authority->key_->spki(), view->spki))
    return rejected(config.key_position + ": " + name + ".key: the key " + config.keys + ":" + config.label +
                    " does not match the authority's certificate (serial number " + view->serial.hex() + ")");
  if (!equal(x509::encode_name(config.subject), view->subject)) {
    const auto stored = x509::parse_name(view->subject);
    return rejected(config.key_position + ": " + name + ".subject: the certificate says \"" +
                    (stored ? x509::name_text(*stored) : "something unreadable") +
                    "\", the configuration \"" + x509::name_text(config.subject) +
                    "\"; a certificate cannot be renamed");
  }
  HANAPER_TRY(const x509::PublicKey public_key, x509::parse_public_key(view->spki));
  const auto computed = x509::key_identifier(public_key);
  authority->key_identifier_.assign(computed.begin(), computed.end());
  if (const auto* extension = view->find(oid::subject_key_identifier)) {
    HANAPER_TRY(const ByteView identifier, x509::parse_subject_key_identifier(extension->value));
    authority->key_identifier_ = to_bytes(identifier);
  }
  if (const auto* extension = view->find(oid::basic_constraints)) {
    HANAPER_TRY(const x509::BasicConstraints constraints, x509::parse_basic_constraints(extension->value));
    authority->path_length_ = constraints.path_length;
  }
  if (const auto* extension = view->find(oid::name_constraints)) {
    HANAPER_TRY(authority->constraints_, x509::parse_name_constraints(extension->value));
  }
  authority->scheme_ = config.scheme.value_or(x509::default_scheme(public_key.spec));
  const bool self_signed = equal(view->issuer, view->subject);
  if (!self_signed) authority->chain_.push_back(authority->row_.certificate);
  HANAPER_TRY(const std::vector<Bytes> above, split_chain(authority->row_.chain));
  authority->chain_.insert(authority->chain_.end(), above.begin(), above.end());
  return authority;
}

}  // namespace hanaper::issuance
