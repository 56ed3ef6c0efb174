#include "authority.hpp"

#include <hanaper/toolkit/name_match.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/public_key.hpp>
#include <hanaper/toolkit/time_text.hpp>

namespace hanaper::issuance {

std::vector<std::uint32_t> StatusPlan::all_shards() const {
  std::vector<std::uint32_t> all;
  for (std::uint32_t shard = 0; shard <= shards; ++shard) all.push_back(shard);
  if (split) all.push_back(authority_shard);
  return all;
}

const StatusUrls& StatusPlan::of_shard(std::uint32_t shard) const noexcept {
  static const StatusUrls none;
  const auto found = urls.find(shard);
  return found == urls.end() ? none : found->second;
}

std::uint32_t StatusPlan::shard_of(const Serial& serial) const noexcept {
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

Status Authority::check_current(Time now) const {
  if (now < not_after()) return {};
  return unavailable("authority " + config_.name + " expired at " + time_text(not_after()) +
                     "; name another one in the pipeline");
}

std::vector<std::string> Authority::crl_urls(std::uint32_t shard) const {
  std::vector<std::string> urls = status_.of_shard(shard).crl;
  if (crl_addresses_ == nullptr) return urls;
  for (std::string& earlier : crl_addresses_->of(shard))
    if (std::ranges::find(urls, earlier) == urls.end()) urls.push_back(std::move(earlier));
  return urls;
}

Result<std::shared_ptr<Authority>> Authority::assemble(const config::AuthorityConfig& config,
                                                       AuthorityRow row, std::shared_ptr<Key> key,
                                                       std::shared_ptr<SerialSource> serials,
                                                       StatusPlan status) {
  const std::string name = "authority." + config.name;
  std::shared_ptr<Authority> authority(
      new Authority(config, std::move(row), std::move(key), std::move(serials), std::move(status)));
  auto view = x509::parse_certificate(authority->row_.certificate);
  if (!view) return internal(name + ": its certificate in the ledger cannot be read: " + view.error().detail);
  authority->view_ = *view;
  if (!equal(authority->key_->spki(), view->spki))
    return rejected(config.key_position + ": " + name + ".key: the key " + config.keys + ":" + config.label +
                    " does not match the authority's certificate (serial number " + view->serial.hex() + ")");
  if (!x509::is_name_of(config.subject, view->subject)) {
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
  authority->root_ = x509::same_name(view->issuer, view->subject);
  if (!authority->root_) authority->chain_.push_back(authority->row_.certificate);
  HANAPER_TRY(const std::vector<Bytes> above, split_chain(authority->row_.chain));
  authority->chain_.insert(authority->chain_.end(), above.begin(), above.end());
  return authority;
}

}  // namespace hanaper::issuance
