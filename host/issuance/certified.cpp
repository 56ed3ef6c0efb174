#include "certified.hpp"

#include <hanaper/toolkit/oids.hpp>

#include <algorithm>

namespace hanaper::issuance {
namespace {

Error differs(std::string_view what) {
  return internal("the certificate that was drawn up is not what was checked: " + std::string(what));
}

Status check_names(const x509::TbsView& drawn, const Work& work) {
  const auto subject = x509::parse_name(drawn.subject);
  if (!subject || *subject != work.draft.subject) return differs("its subject is another");
  const auto* extension = drawn.find(oid::subject_alt_name);
  if (extension == nullptr) return work.draft.names.empty() ? Status{} : differs("it lacks its names");
  const auto names = x509::parse_general_names(extension->value);
  if (!names || !names->faults.empty() || names->others != 0 || names->names != work.draft.names)
    return differs("its alternative names are others");
  // RFC 5280 4.2.1.6: with an empty subject "the subjectAltName extension MUST be ... critical".
  if (extension->critical != subject->empty()) return differs("its alternative names are critical, or not");
  return {};
}

// Extensions whose value is not the profile's or the request's but made for each certificate; nothing when it
// is none of these.
std::optional<Bytes> made_value(ByteView oid, const Work& work) {
  if (oid::key_usage == oid) return x509::key_usage(work.purposes.key_usage);
  if (oid::subject_key_identifier == oid) return x509::subject_key_identifier(x509::key_identifier(work.key));
  if (oid::authority_key_identifier == oid)
    return x509::authority_key_identifier(work.profile->authority().key_identifier());
  return {};
}

bool is_wanted(const x509::ExtensionView& extension, const Work& work) {
  if (oid::subject_alt_name == extension.oid) return true;  // check_names has seen it
  if (const auto made = made_value(extension.oid, work))
    return equal(extension.value, *made) && extension.critical == (oid::key_usage == extension.oid);
  const auto same = [&](const x509::Extension& wanted) {
    return equal(wanted.oid, extension.oid) && wanted.critical == extension.critical &&
           equal(wanted.value, extension.value);
  };
  return std::ranges::any_of(work.profile->fixed_extensions(work.shard), same) ||
         std::ranges::any_of(work.purposes.extensions, same);
}

// Powers that only a profile gives, whoever has written the extension.
Status check_powers(const x509::TbsView& drawn, const config::ProfileConfig& profile) {
  if (const auto* extension = drawn.find(oid::basic_constraints)) {
    const auto constraints = x509::parse_basic_constraints(extension->value);
    if (!constraints || (constraints->ca && !profile.ca)) return differs("it is an authority's");
  }
  if (const auto* extension = drawn.find(oid::key_usage)) {
    constexpr std::uint16_t powers = x509::key_cert_sign | x509::crl_sign;
    const auto bits = x509::parse_key_usage(extension->value);
    const bool given = profile.ca || (bits && (*bits & powers & ~profile.key_usage.value_or(0)) == 0);
    if (!bits || !given) return differs("its key may sign for an authority");
  }
  if (const auto* extension = drawn.find(oid::extended_key_usage)) {
    const auto usages = x509::parse_extended_key_usage(extension->value);
    if (!usages) return differs("its purposes cannot be read");
    for (ByteView usage : *usages)
      if (x509::is_authority_purpose(usage) &&
          std::ranges::none_of(profile.extended_usages, [&](const Bytes& own) { return equal(own, usage); }))
        return differs("its purpose is an authority's");
  }
  return {};
}

Status check_extensions(const x509::TbsView& drawn, const Work& work) {
  for (const x509::ExtensionView& extension : drawn.extensions)
    if (!is_wanted(extension, work)) return differs("extension " + der::oid_to_text(extension.oid));
  // None is there twice; so that as many as are wanted are all that are wanted.
  const std::size_t wanted = work.profile->fixed_extensions(work.shard).size() +
                             work.purposes.extensions.size() + (work.draft.names.empty() ? 0u : 1u) +
                             (work.purposes.key_usage != 0 ? 1u : 0u) +
                             (work.profile->authority().key_identifier().empty() ? 1u : 2u);
  if (drawn.extensions.size() != wanted) return differs("it lacks an extension");
  return check_powers(drawn, work.profile->config());
}

}  // namespace

bool is_for_servers(const config::ProfileConfig& profile) {
  const auto holds = [](const std::vector<Bytes>& list, const der::Oid& id) {
    return std::ranges::any_of(list, [&](const Bytes& one) { return id == ByteView(one); });
  };
  return profile.extended_usages.empty() || holds(profile.extended_usages, oid::server_auth) ||
         holds(profile.extended_usages, oid::any_extended_key_usage);
}

bool is_text_of_device(std::string_view text, const std::vector<Identifier>& names) {
  return std::ranges::any_of(names, [&](const Identifier& name) {
    return names_device(name.kind) && name.value.substr(0, name.value.find('/')) == text;
  });
}

Status check_subject_names(const x509::Name& subject, const std::vector<Identifier>& names,
                           const config::ProfileConfig& profile) {
  x509::Name naming = subject;
  std::erase_if(naming, [&](const NameAttribute& attribute) {
    return attribute.oid == x509::common_name_oid && is_text_of_device(attribute.value, names);
  });
  const x509::SubjectNames own = x509::subject_names(naming, is_for_servers(profile));
  if (!own.faults.empty()) return rejected("subject: " + own.faults.front());
  for (const Identifier& name : own.names)
    if (std::ranges::find(names, name) == names.end())
      return rejected("subject: \"" + name.value + "\" is not among the names of the certificate");
  return {};
}

Status check_certified(const Work& work) {
  const auto drawn = x509::parse_tbs(work.tbs);
  if (!drawn) return differs(drawn.error().detail);
  const Authority& authority = work.profile->authority();
  if (drawn->version != 3 || drawn->has_unique_identifiers) return differs("its form is another");
  if (drawn->serial != work.serial) return differs("its serial number is another");
  if (!equal(drawn->signature_algorithm, x509::algorithm_identifier(work.profile->scheme())))
    return differs("its signature algorithm is another");
  if (!equal(drawn->issuer, authority.subject())) return differs("its issuer is another");
  const auto second = [](Time time) { return std::chrono::floor<std::chrono::seconds>(time); };
  if (drawn->not_before != second(work.draft.not_before) || drawn->not_after != second(work.draft.not_after))
    return differs("its validity is another");
  if (drawn->not_before < authority.not_before() || drawn->not_after > authority.not_after())
    return differs("it is not within the validity of its authority");
  if (!equal(drawn->spki, work.key.spki)) return differs("its key is another");
  HANAPER_CHECK(check_names(*drawn, work));
  return check_extensions(*drawn, work);
}

}  // namespace hanaper::issuance
