// The first half of the spine: what is asked, whether it may be, and what would be signed.
#include "certified.hpp"
#include "pipeline.hpp"

#include <hanaper/toolkit/algorithms.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/oids.hpp>

#include <algorithm>

namespace hanaper::issuance {
namespace {

std::string list_of(const std::vector<Identifier>& names) {
  std::string text;
  for (const Identifier& name : names) text += (text.empty() ? "" : ", ") + name.value;
  return text.size() > 300 ? text.substr(0, 300) + "..." : text;
}

// What of a subject may name somebody else than a device that is known to be the client's. Where nothing but
// common names can come to be certified the rest names nobody.
x509::Name naming_part(x509::Name subject, const std::vector<Identifier>& wanted, bool common_names_only) {
  std::erase_if(subject, [&](const NameAttribute& attribute) {
    if (attribute.oid != x509::common_name_oid) return common_names_only;
    return is_text_of_device(attribute.value, wanted);
  });
  return subject;
}

// A subject that is taken over as it came names nothing that is not among the names: no client may read a
// host out of it that nobody has checked.
Status check_subject(const x509::Name& subject, const x509::SubjectNames& own,
                     const config::ProfileConfig& profile) {
  if (!own.faults.empty()) return bad_csr("subject: " + own.faults.front());
  std::size_t common_names = 0;
  for (const NameAttribute& attribute : subject) {
    if (attribute.oid != x509::common_name_oid) continue;
    if (++common_names > 1) return bad_csr("subject: more than one common name");
    // RFC 6125 6.4.4 has clients look at a common name when there is nothing else to look at. An authority
    // has a name of its own, which no client takes for a host.
    if (is_for_servers(profile) && !profile.ca && x509::subject_names({attribute}, true).names.empty())
      return bad_csr("subject: the common name \"" + attribute.value +
                     "\" is no host; that of a server is (profile " + profile.name + ")");
  }
  return {};
}

// What a request asks to be certified: everything that a client may act upon, in its alternative names and
// in its subject.
Result<std::vector<Identifier>> requested_names(const x509::CsrView& csr, const x509::Name& whole_subject,
                                                const std::optional<std::vector<Identifier>>& proven,
                                                const config::ProfileConfig& profile) {
  const std::vector<Identifier> wanted = proven.value_or(std::vector<Identifier>{});
  const bool taken_over = profile.subject == config::ProfileConfig::Subject::request;
  std::vector<Identifier> names;
  // Devices leave their names out, or have them as common name; they are known to be theirs all the same
  // (draft-ietf-acme-device-attest 3.2).
  for (const Identifier& name : wanted)
    if (names_device(name.kind)) names.push_back(name);
  if (const auto* extension = csr.find(oid::subject_alt_name)) {
    auto parsed = x509::parse_general_names(extension->value);
    if (!parsed) return bad_csr("subjectAltName: " + parsed.error().detail);
    if (!parsed->faults.empty()) return bad_csr("subjectAltName: " + parsed->faults.front());
    if (parsed->others != 0)
      return bad_csr(
          "subjectAltName holds names other than dns, ip, email, uri, devices, accounts and mailboxes");
    std::ranges::move(parsed->names, std::back_inserter(names));
  }
  const x509::Name subject = naming_part(whole_subject, wanted, proven || !taken_over);
  x509::SubjectNames own = x509::subject_names(subject, is_for_servers(profile));
  if (taken_over) {
    HANAPER_CHECK(check_subject(subject, own, profile));
  } else if (!own.faults.empty()) {
    own = {};  // nothing of that subject is certified
  }
  names.insert(names.begin(), own.names.begin(), own.names.end());
  std::vector<Identifier> unique;
  for (Identifier& name : names)
    if (std::ranges::find(unique, name) == unique.end()) unique.push_back(std::move(name));
  return unique;
}

// RFC 8555 7.4: "The CSR MUST indicate the exact same set of requested identifiers".
Status same_names(std::vector<Identifier> wanted, std::vector<Identifier> requested) {
  std::ranges::sort(wanted);
  std::ranges::sort(requested);
  if (wanted == requested) return {};
  return bad_csr("the request names " + (requested.empty() ? "nothing" : list_of(requested)) +
                 " instead of " + list_of(wanted));
}

// Only those attributes of a subject that proven names stand for: nobody has proven an organization.
x509::Name proven_part(x509::Name subject, const std::vector<Identifier>& names) {
  x509::remove_attributes(subject, [&](const NameAttribute& attribute) {
    if (attribute.oid == x509::common_name_oid && is_text_of_device(attribute.value, names)) return false;
    const std::vector<Identifier> own = x509::subject_names({attribute}, true).names;
    return own.empty() || std::ranges::find(names, own.front()) == names.end();
  });
  return subject;
}

// `proven`: the request was made under names that were proven, and nothing else is believed.
x509::Name subject_for(const config::ProfileConfig& profile, const x509::Name& requested,
                       const std::vector<Identifier>& names, bool proven) {
  switch (profile.subject) {
    case config::ProfileConfig::Subject::none:
      return {};
    case config::ProfileConfig::Subject::request:
      return proven ? proven_part(requested, names) : requested;
    case config::ProfileConfig::Subject::common_name:
      break;
  }
  // An address is no common name: certbot takes every common name for a domain, and a folder of its
  // certificates with such a one in it is of no use to it any more.
  for (const Identifier::Kind kind : {Identifier::Kind::dns, Identifier::Kind::email})
    for (const Identifier& name : names)
      if (name.kind == kind && name.value.size() <= 64)
        return {{std::string(x509::common_name_oid), name.value}};
  return {};
}

Status check_request(const x509::CsrView& csr, const config::ProfileConfig& profile) {
  const auto* extension = csr.find(oid::basic_constraints);
  if (extension == nullptr) return {};
  const auto constraints = x509::parse_basic_constraints(extension->value);
  if (!constraints) return bad_csr("basicConstraints: " + constraints.error().detail);
  if (constraints->ca && !profile.ca)
    return bad_csr("the request asks for an authority's certificate; profile " + profile.name +
                   " issues none");
  return {};
}

}  // namespace

Result<const Profile*> Pipeline::find_profile(const Wiring& wiring, std::string_view name) const {
  if (name.empty()) return wiring.profiles.front().get();
  for (const auto& profile : wiring.profiles)
    if (profile->config().name == name) return profile.get();
  return unsupported("pipeline " + name_ + " has no profile \"" + std::string(name.substr(0, 64)) + "\"");
}

Result<Admitted> Pipeline::admit(const IssueRequest& request, Call& call) {
  const std::shared_ptr<const Wiring> wiring = wiring_.load();
  Admitted admitted(std::make_unique<Work>());
  Work& work = *admitted;
  work.keeps_profile = wiring;
  HANAPER_TRY(work.profile, find_profile(*wiring, request.profile));
  HANAPER_TRY(work.csr, x509::parse_csr(request.csr));
  HANAPER_TRY(work.key, x509::parse_public_key(work.csr.spki));
  HANAPER_CHECK(work.profile->accepts(work.key.spec));
  // A point off its curve is refused by the verification below, which looks at it anyway.
  const bool on_a_curve = algorithms::family_of(work.key.spec.type) == algorithms::Family::ec;
  if (!on_a_curve) HANAPER_CHECK(x509::check_public_key(work.key));
  if (spine_.blocked.contains(crypto::sha256(work.csr.spki)))
    return bad_key("this key is blocked: it was compromised or is listed as weak");
  HANAPER_CHECK(x509::verify_csr(work.csr, request.sha1));
  HANAPER_CHECK(check_request(work.csr, work.profile->config()));

  auto subject = x509::parse_name(work.csr.subject);
  if (!subject) return bad_csr("subject: " + subject.error().detail);
  for (const NameAttribute& attribute : *subject)
    if (auto checked = x509::check_attribute(attribute); !checked)
      return bad_csr("subject: " + checked.error().detail);
  HANAPER_TRY(std::vector<Identifier> names,
              requested_names(work.csr, *subject, request.names, work.profile->config()));
  if (request.names) HANAPER_CHECK(same_names(*request.names, names));
  HANAPER_TRY(const ValidityPeriod validity, work.profile->validity(spine_.clock.now(), request.not_before,
                                                                    request.not_after, request.own_period));

  Draft& draft = work.draft;
  draft.pipeline = name_;
  draft.profile = work.profile->config().name;
  draft.authority = work.profile->authority().config().name;
  draft.requester = request.requester;
  draft.account_uri = request.account_uri;
  draft.proofs = request.proofs;
  draft.csr = request.csr;
  draft.spki = work.key.spki;
  draft.key = work.key.spec;
  draft.subject = subject_for(work.profile->config(), *subject, names, request.names.has_value());
  const x509::Name first_subject = draft.subject;
  draft.names = std::move(names);
  draft.not_before = validity.not_before;
  draft.not_after = validity.not_after;
  HANAPER_CHECK(run_policies(*wiring, draft, call));
  // After the policies, because they may have amended it. A common name that stands for the first name
  // follows it.
  if (work.profile->config().subject == config::ProfileConfig::Subject::common_name &&
      draft.subject == first_subject)
    draft.subject = subject_for(work.profile->config(), *subject, draft.names, request.names.has_value());
  HANAPER_CHECK(work.profile->accepts(draft.names));
  HANAPER_CHECK(work.profile->accepts(ValidityPeriod{draft.not_before, draft.not_after}, spine_.clock.now()));
  if (draft.names.empty() && draft.subject.empty())
    return bad_csr("the request names nothing: neither alternative names nor a subject");
  HANAPER_CHECK(check_subject_names(draft.subject, draft.names, work.profile->config()));
  // It takes longest, so it comes last.
  HANAPER_CHECK(x509::check_modulus(work.key));
  HANAPER_TRY(work.purposes, work.profile->purposes(work.csr, work.key.spec));
  return admitted;
}

Status Pipeline::run_policies(const Wiring& wiring, Draft& draft, Call& call) const {
  for (const auto& [name, policy] : wiring.policies) {
    // Only what is amendable comes back: nobody can change who asked, or call a request a self-test.
    Draft shown = draft;
    HANAPER_CHECK(policy->decide(shown, call));
    draft.subject = std::move(shown.subject);
    draft.names = std::move(shown.names);
    draft.not_before = shown.not_before;
    draft.not_after = shown.not_after;
  }
  return {};
}

Status Pipeline::run_validators(const Wiring& wiring, const Draft& draft, Call& call) const {
  for (const auto& [name, validator] : wiring.validators)
    if (Status valid = validator->validate(draft, call); !valid) return std::move(valid).error();
  return {};
}

// Fills the form with the draft and a fresh serial number.
Status Pipeline::draw_up(Work& work, Call& call) {
  HANAPER_TRY(work.serial, work.profile->authority().serials().draw(call.deadline));
  work.shard = work.profile->shard_of(work.serial);
  const Bytes subject = x509::encode_name(work.draft.subject);
  const auto key_identifier = x509::key_identifier(work.key);
  thread_local der::Writer writer(2048);
  work.profile->form(work.shard)
      .render({.serial = work.serial,
               .not_before = work.draft.not_before,
               .not_after = work.draft.not_after,
               .subject = subject,
               .spki = work.draft.spki,
               .key_identifier = key_identifier,
               .key_usage = work.purposes.key_usage,
               .names = work.draft.names,
               .extensions = work.purposes.extensions},
              writer);
  work.tbs = writer.bytes();
  work.draft.tbs = work.tbs;
  return {};
}

Result<Cleared> Pipeline::clear(Admitted admitted, Call& call) {
  Cleared cleared(std::move(admitted.work_));
  HANAPER_CHECK(draw_up(*cleared, call));
  HANAPER_CHECK(
      run_validators(*std::static_pointer_cast<const Wiring>(cleared->keeps_profile), cleared->draft, call));
  return cleared;
}

Status Pipeline::permits(std::string_view profile_name, const std::vector<Identifier>& names,
                         std::string_view requester, Call& call) {
  const std::shared_ptr<const Wiring> wiring = wiring_.load();
  HANAPER_TRY(const Profile* profile, find_profile(*wiring, profile_name));
  HANAPER_TRY(const ValidityPeriod validity, profile->validity(spine_.clock.now(), {}, {}));
  Draft draft;
  draft.pipeline = name_;
  draft.profile = profile->config().name;
  draft.authority = profile->authority().config().name;
  draft.requester = requester;
  draft.names = names;
  draft.not_before = validity.not_before;
  draft.not_after = validity.not_after;
  HANAPER_CHECK(run_policies(*wiring, draft, call));
  return profile->accepts(draft.names);
}

}  // namespace hanaper::issuance
