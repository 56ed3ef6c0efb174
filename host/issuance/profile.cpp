#include "profile.hpp"

#include <hanaper/toolkit/algorithms.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>

namespace hanaper::issuance {
namespace {

// For clocks that are slow. More would say that a certificate was there when it was not.
constexpr auto most_backdated = std::chrono::hours{1};

std::vector<std::string> chosen(const std::string& configured, const std::vector<std::string>& derived) {
  if (configured == "none") return {};
  return configured.empty() ? derived : std::vector<std::string>{configured};
}

bool honours(const config::ProfileConfig& config, ByteView oid) {
  return std::ranges::any_of(config.honour, [&](const Bytes& honoured) { return equal(honoured, oid); });
}

bool lists(const std::vector<Bytes>& usages, ByteView oid) {
  return std::ranges::any_of(usages, [&](const Bytes& usage) { return equal(usage, oid); });
}

x509::Extension extended_usages(const std::vector<Bytes>& usages) {
  // RFC 3161 2.3: "The extension MUST be critical" where time-stamping is the purpose.
  return {to_bytes(oid::extended_key_usage), lists(usages, oid::time_stamping),
          x509::extended_key_usage(usages)};
}

// Purposes that only sign: nobody encrypts to such a key (RFC 5280 4.2.1.12).
bool only_signs(const std::vector<Bytes>& usages) {
  return !usages.empty() && std::ranges::all_of(usages, [](const Bytes& usage) {
    return oid::code_signing == ByteView(usage) || oid::time_stamping == ByteView(usage) ||
           oid::ocsp_signing == ByteView(usage);
  });
}

Error not_given(const Error& error, std::string_view extension) {
  if (error.code != Code::malformed) return error;
  return bad_csr(std::string(extension) + ": " + error.detail);
}

// RFC 4055 1.2, RFC 5480 3, RFC 8410 5: bits that such a key can have.
std::uint16_t possible_usages(KeyType type) {
  const std::uint16_t any =
      x509::digital_signature | x509::non_repudiation | x509::key_cert_sign | x509::crl_sign;
  if (type == KeyType::rsa) return any | x509::key_encipherment | x509::data_encipherment;
  if (type == KeyType::ed25519) return any;
  return any | x509::key_agreement | x509::encipher_only | x509::decipher_only;
}

// Everything that is the same in each certificate of the profile. An extension that requests may bring
// themselves is left to them.
x509::CertificateTemplate::Fixed fixed_parts(const config::ProfileConfig& config, const Authority& authority,
                                             std::uint32_t shard) {
  const StatusUrls& urls = authority.status().of_shard(shard);
  x509::CertificateTemplate::Fixed fixed;
  fixed.scheme = config.scheme.value_or(authority.scheme());
  fixed.issuer = to_bytes(authority.subject());
  fixed.authority_key_identifier = to_bytes(authority.key_identifier());
  const auto add = [&](const der::Oid& oid, bool critical, Bytes value) {
    fixed.extensions.push_back({to_bytes(oid), critical, std::move(value)});
  };
  if (config.ca) add(oid::basic_constraints, true, x509::basic_constraints(true, config.path_length));
  if (!config.extended_usages.empty() && !honours(config, oid::extended_key_usage))
    fixed.extensions.push_back(extended_usages(config.extended_usages));
  if (!config.policies.empty())
    add(oid::certificate_policies, false, x509::certificate_policies(config.policies));
  if (!config.constraints.permitted.empty() || !config.constraints.excluded.empty())
    add(oid::name_constraints, true, x509::name_constraints(config.constraints));
  const auto ocsp = chosen(config.ocsp_url, urls.ocsp), issuer = chosen(config.issuer_url, urls.issuer);
  if (!ocsp.empty() || !issuer.empty())
    add(oid::authority_info_access, false, x509::authority_info_access(ocsp, issuer));
  const auto crl = chosen(config.crl_url, urls.crl);
  // Who signs the CRLs at an address of the profile's own choice is the authority itself, as far as we know.
  const ByteView crl_issuer = config.crl_url.empty() ? ByteView(authority.status().crl_issuer) : ByteView{};
  if (!crl.empty()) add(oid::crl_distribution_points, false, x509::crl_distribution_points(crl, crl_issuer));
  if (config.crl_url.empty() && !urls.delta_crl.empty())
    add(oid::freshest_crl, false, x509::crl_distribution_points(urls.delta_crl, crl_issuer));
  if (config.must_staple) add(oid::tls_feature, false, x509::tls_feature_status_request());
  return fixed;
}

}  // namespace

Profile::Profile(const config::ProfileConfig& config, std::shared_ptr<const Authority> authority)
    : config_(config), authority_(std::move(authority)) {
  // An address of its own choice has no shards.
  const bool derived = config_.crl_url.empty();
  own_crl_ = chosen(config_.crl_url, {});
  if (derived && config_.ca) only_shard_ = authority_->shard_of_authorities();
  const std::uint32_t shards = derived && only_shard_ == 0 ? authority_->status().shards : 0;
  for (std::uint32_t shard = 0; shard <= shards; ++shard) {
    x509::CertificateTemplate::Fixed fixed =
        fixed_parts(config_, *authority_, shards == 0 ? only_shard_ : shard);
    forms_.emplace_back(fixed);
    fixed_.push_back(std::move(fixed.extensions));
  }
}

std::uint32_t Profile::shard_of(const Serial& serial) const noexcept {
  return forms_.size() == 1 ? only_shard_ : authority_->status().shard_of(serial);
}

Status Profile::accepts(KeySpec key) const {
  if (std::ranges::find(config_.key_types, key) != config_.key_types.end()) return {};
  std::string known;
  for (KeySpec spec : config_.key_types) known += (known.empty() ? "" : ", ") + to_string(spec);
  return bad_key("profile " + config_.name + " does not take keys of type " + to_string(key) + "; it takes " +
                 known);
}

std::uint16_t Profile::own_key_usage(KeySpec key) const {
  // What the profile says, as far as the key can do it (RFC 5480 3: "keyEncipherment ... MUST NOT be
  // present").
  if (config_.key_usage) {
    const auto possible = static_cast<std::uint16_t>(*config_.key_usage & possible_usages(key.type));
    return possible != 0 ? possible : *config_.key_usage;
  }
  if (config_.ca) return x509::key_cert_sign | x509::crl_sign;
  // Only some keys can have secrets encrypted to them as TLS 1.2 does (RFC 5246 7.4.2).
  const bool encrypts = algorithms::row(key.type).encrypts && !only_signs(config_.extended_usages);
  return encrypts ? x509::digital_signature | x509::key_encipherment : x509::digital_signature;
}

Status Profile::accepts(const std::vector<Identifier>& names) const {
  if (names.size() > config_.max_names)
    return rejected(std::to_string(names.size()) + " names; profile " + config_.name + " allows " +
                    std::to_string(config_.max_names));
  for (const Identifier& name : names) {
    if (!config_.names.contains(name.kind))
      return rejected("profile " + config_.name + " allows no names of kind " +
                      std::string(to_string(name.kind)) + " (\"" + name.value + "\")");
    // RFC 5280 6.1.4: validators would refuse the certificate; so it is not made.
    if (!x509::allows(authority_->constraints(), name))
      return rejected("the name constraints of authority " + authority_->config().name + " do not allow \"" +
                      name.value + "\"");
  }
  return {};
}

Status Profile::check_wishes(Time now, std::optional<Time> not_before, std::optional<Time> not_after) const {
  if (!not_before && !not_after) return {};
  if (!config_.validity_by_request)
    return rejected("profile " + config_.name +
                    " says itself how long its certificates are valid; notBefore and notAfter are not taken");
  if (!not_before) return {};
  if (*not_before < now - most_backdated)
    return rejected("notBefore " + time_text(*not_before) + " is more than an hour ago");
  if (*not_before > now + config_.lifetime)
    return rejected("notBefore " + time_text(*not_before) + " is further away than the lifetime of profile " +
                    config_.name);
  if (*not_before < authority_->not_before())
    return rejected("notBefore " + time_text(*not_before) + " is before the authority's own, " +
                    time_text(authority_->not_before()));
  return {};
}

Result<ValidityPeriod> Profile::validity(Time now, std::optional<Time> not_before,
                                         std::optional<Time> not_after, bool own) const {
  HANAPER_CHECK(authority_->check_current(now));
  if (!own) HANAPER_CHECK(check_wishes(now, not_before, not_after));
  // Nobody has signed anything before there was an authority.
  const Time begin = std::chrono::floor<std::chrono::seconds>(not_before.value_or(now - config_.backdate));
  ValidityPeriod validity{std::max(begin, authority_->not_before()), {}};
  // RFC 5280 4.1.2.5: the period includes both ends.
  const Time longest = validity.not_before + config_.lifetime - std::chrono::seconds{1};
  validity.not_after = not_after ? Time{std::chrono::floor<std::chrono::seconds>(*not_after)}
                                 : std::min(longest, authority_->not_after());
  if (not_after && *not_after > longest)
    return rejected("notAfter " + time_text(*not_after) + " is beyond the lifetime of profile " +
                    config_.name + ", " + duration_text(config_.lifetime));
  HANAPER_CHECK(accepts(validity, now));
  return validity;
}

Status Profile::accepts(const ValidityPeriod& period, Time now) const {
  if (period.not_before < authority_->not_before())
    return rejected("notBefore " + time_text(period.not_before) + " is before the authority's own, " +
                    time_text(authority_->not_before()));
  if (period.not_after > authority_->not_after())
    return rejected("notAfter " + time_text(period.not_after) + " is beyond the authority's own, " +
                    time_text(authority_->not_after()));
  if (period.not_after <= period.not_before || period.not_after <= now)
    return rejected("the certificate would have expired before it is valid");
  return {};
}

RequestForm Profile::request_form() const {
  using Subject = config::ProfileConfig::Subject;
  RequestForm form;
  form.key_types = config_.key_types;
  form.subject = config_.subject == Subject::none      ? RequestForm::Subject::none
                 : config_.subject == Subject::request ? RequestForm::Subject::request
                                                       : RequestForm::Subject::common_name;
  form.names.assign(config_.names.begin(), config_.names.end());
  form.key_usage = config_.key_usage;
  form.extended_usages = config_.extended_usages;
  return form;
}

// Bits that the key cannot have are left out: many requests ask for all that their tool knows.
Result<std::uint16_t> Profile::wished_key_usage(ByteView value, KeySpec key) const {
  HANAPER_TRY(const std::uint16_t wished, x509::parse_key_usage(value));
  constexpr std::uint16_t powers = x509::key_cert_sign | x509::crl_sign;
  const std::uint16_t most = config_.key_usage
                                 ? *config_.key_usage
                                 : static_cast<std::uint16_t>(possible_usages(key.type) & ~powers);
  const auto possible = static_cast<std::uint16_t>(wished & (possible_usages(key.type) | powers));
  if ((possible & ~most) != 0)
    return rejected("the request asks for key usages that profile " + config_.name + " does not give");
  return possible == 0 ? own_key_usage(key) : possible;
}

Result<std::vector<Bytes>> Profile::wished_usages(ByteView value) const {
  HANAPER_TRY(const std::vector<ByteView> wished, x509::parse_extended_key_usage(value));
  std::vector<Bytes> usages;
  for (ByteView usage : wished) {
    const bool given = config_.extended_usages.empty() || lists(config_.extended_usages, usage);
    if (!given || x509::is_authority_purpose(usage))
      return rejected("the request asks for the extended key usage " + x509::extended_usage_name(usage) +
                      ", which profile " + config_.name + " does not give");
    if (!lists(usages, usage)) usages.push_back(to_bytes(usage));
  }
  return usages;
}

Result<Purposes> Profile::purposes(const x509::CsrView& csr, KeySpec key) const {
  Purposes result{own_key_usage(key), config_.extended_usages, {}};
  for (const x509::ExtensionView& extension : csr.extensions) {
    if (!honours(config_, extension.oid)) continue;
    if (oid::key_usage == extension.oid) {
      const auto wished = wished_key_usage(extension.value, key);
      if (!wished) return not_given(wished.error(), "keyUsage");
      result.key_usage = *wished;
    } else if (oid::extended_key_usage == extension.oid) {
      auto wished = wished_usages(extension.value);
      if (!wished) return not_given(wished.error(), "extKeyUsage");
      result.extended_usages = *std::move(wished);
    } else if (oid::tls_feature == extension.oid) {
      if (config_.must_staple) continue;
      if (!equal(extension.value, x509::tls_feature_status_request()))
        return bad_csr("TLS features other than status_request (RFC 7633)");
      result.extensions.push_back({to_bytes(extension.oid), false, to_bytes(extension.value)});
    } else {
      result.extensions.push_back({to_bytes(extension.oid), extension.critical, to_bytes(extension.value)});
    }
  }
  // What the template leaves to requests; one that does not say what its key is for gets the profile's
  // purposes.
  if (honours(config_, oid::extended_key_usage) && !result.extended_usages.empty())
    result.extensions.push_back(extended_usages(result.extended_usages));
  return result;
}

}  // namespace hanaper::issuance
