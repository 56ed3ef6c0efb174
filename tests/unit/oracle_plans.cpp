#include "oracle_family.hpp"

#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/public_key.hpp>

namespace hanaper::oracle {
namespace {

Bytes random_oid(Random& random) {
  std::string dotted = std::to_string(random.below(3));
  dotted += "." + std::to_string(random.below(40));
  const std::size_t arcs = random.between(1, 8);
  for (std::size_t i = 0; i < arcs; ++i)
    dotted += "." + std::to_string(random.next() >> random.between(5, 63));
  return der::oid_from_text(dotted).value_or(to_bytes(oid::any_policy));
}

std::vector<std::string> random_urls(Random& random, std::size_t most) {
  std::vector<std::string> urls(random.below(most + 1));
  for (std::string& url : urls) {
    url = "http://";
    const std::size_t size = random.chance(5) ? 300 : random.between(5, 60);
    while (url.size() < size) url.push_back(random.character("abcdefghij.0123456789/-_~?=&%"));
  }
  return urls;
}

// Both lists in turn, so that every extension is seen on either side of subjectAltName.
void divide(std::vector<x509::Extension> all, CertificatePlan& plan, Random& random) {
  for (x509::Extension& extension : all)
    (random.chance(50) ? plan.fixed : plan.filled).push_back(std::move(extension));
}

}  // namespace

ExtensionPlan random_extensions(Random& random) {
  ExtensionPlan plan;
  if (random.chance(70)) {
    constexpr const der::Oid* usages[] = {
        &oid::server_auth,   &oid::client_auth,  &oid::code_signing, &oid::email_protection,
        &oid::time_stamping, &oid::ocsp_signing, &oid::cmc_ra,       &oid::any_extended_key_usage};
    const std::size_t count = random.between(1, 6);
    for (std::size_t i = 0; i < count; ++i)
      plan.usages.push_back(random.chance(20) ? random_oid(random) : to_bytes(*random.pick(usages)));
  }
  if (random.chance(60)) {
    plan.basic_constraints = {random.chance(50), {}};
    if (plan.basic_constraints->ca && random.chance(60))
      plan.basic_constraints->path_length = random.chance(20) ? 0x7fffffff : random.below(300);
  }
  if (random.chance(60)) plan.ocsp = random_urls(random, 3);
  if (random.chance(60)) plan.ca_issuers = random_urls(random, 3);
  if (random.chance(60)) plan.crls = random_urls(random, 5);
  if (random.chance(50)) {
    const std::size_t count = random.between(1, 5);
    for (std::size_t i = 0; i < count; ++i)
      plan.policies.push_back({random.chance(20) ? to_bytes(oid::any_policy) : random_oid(random),
                               random.chance(50) ? "https://cps.example.test/" + std::to_string(i) : ""});
  }
  if (random.chance(40)) {
    for (auto* list : {&plan.constraints.permitted, &plan.constraints.excluded}) {
      list->resize(random.chance(10) ? 60 : random.below(4));
      for (x509::Subtree& subtree : *list) subtree = random_subtree(random);
    }
  }
  plan.must_staple = random.chance(30);
  if (random.chance(40))
    plan.unknown = {random_oid(random), random.chance(50), random.octets(random.below(400))};
  return plan;
}

std::vector<x509::Extension> written(const ExtensionPlan& plan, Random& random) {
  std::vector<x509::Extension> list;
  const auto add = [&](ByteView oid, Bytes value) {
    list.push_back({to_bytes(oid), random.chance(40), std::move(value)});
  };
  if (!plan.usages.empty()) add(oid::extended_key_usage, x509::extended_key_usage(plan.usages));
  if (const auto& basic = plan.basic_constraints) {
    std::optional<unsigned> length;
    if (basic->path_length) length = static_cast<unsigned>(*basic->path_length);
    add(oid::basic_constraints, x509::basic_constraints(basic->ca, length));
  }
  if (!plan.ocsp.empty() || !plan.ca_issuers.empty())
    add(oid::authority_info_access, x509::authority_info_access(plan.ocsp, plan.ca_issuers));
  if (!plan.crls.empty()) add(oid::crl_distribution_points, x509::crl_distribution_points(plan.crls));
  if (!plan.policies.empty()) add(oid::certificate_policies, x509::certificate_policies(plan.policies));
  if (!plan.constraints.permitted.empty() || !plan.constraints.excluded.empty())
    add(oid::name_constraints, x509::name_constraints(plan.constraints));
  if (plan.must_staple) add(oid::tls_feature, x509::tls_feature_status_request());
  if (plan.unknown) list.push_back(*plan.unknown);
  for (std::size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[random.below(i)]);
  return list;
}

CertificatePlan random_certificate(std::size_t number) {
  Random random = random_for("certificate", number);
  CertificatePlan plan;
  plan.issuer_key = signers()[number % signers().size()];
  plan.subject_key = keys()[number / signers().size() % keys().size()];
  plan.issuer = random_name(random);
  plan.subject = random_name(random);
  plan.serial = random_serial(random);
  plan.not_before = random_time(random);
  plan.not_after = random_time(random);
  if (plan.not_after < plan.not_before) std::swap(plan.not_before, plan.not_after);
  const auto identifier = [&](const KeyPtr& key) -> Bytes {
    if (random.chance(50)) return random.octets(random.between(1, 40));
    const auto octets = x509::key_identifier(*x509::parse_public_key(key->spki()));
    return {octets.begin(), octets.end()};
  };
  plan.key_identifier = identifier(plan.subject_key);
  if (random.chance(80)) plan.authority_key_identifier = identifier(plan.issuer_key.key);
  if (random.chance(90)) plan.key_usage = static_cast<std::uint16_t>(random.between(1, 511));
  plan.names = random_identifiers(random);
  plan.extensions = random_extensions(random);
  divide(written(plan.extensions, random), plan, random);
  return plan;
}

Result<Bytes> issue(const CertificatePlan& plan) {
  const x509::CertificateTemplate form({.scheme = plan.issuer_key.scheme,
                                        .issuer = x509::encode_name(plan.issuer),
                                        .authority_key_identifier = plan.authority_key_identifier,
                                        .extensions = plan.fixed});
  const Bytes subject = x509::encode_name(plan.subject);
  der::Writer writer;
  form.render({.serial = plan.serial,
               .not_before = plan.not_before,
               .not_after = plan.not_after,
               .subject = subject,
               .spki = plan.subject_key->spki(),
               .key_identifier = plan.key_identifier,
               .key_usage = plan.key_usage,
               .names = plan.names,
               .extensions = plan.filled},
              writer);
  HANAPER_TRY(const Bytes signature, plan.issuer_key.key->sign(form.scheme(), writer.view()));
  return x509::assemble_certificate(writer.view(), signature);
}

}  // namespace hanaper::oracle
