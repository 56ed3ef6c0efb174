#include "syntax.hpp"

namespace hanaper::lint {
namespace {

// SEQUENCE OF something; `one` reads one of them from the reader.
template <class One>
Status each(ByteView value, One one) {
  HANAPER_TRY(der::Reader list, der::open(value, der::sequence));
  while (!list.at_end()) HANAPER_CHECK(one(list));
  return {};
}

Status one_integer(der::Reader& reader) {
  HANAPER_CHECK(reader.read_unsigned());
  return {};
}

Status one_oid(der::Reader& reader) {
  HANAPER_CHECK(reader.read_oid());
  return {};
}

// OtherName ::= SEQUENCE { type-id OBJECT IDENTIFIER, value [0] EXPLICIT ANY }
Status check_other_name(ByteView content) {
  der::Reader fields(content);
  HANAPER_CHECK(one_oid(fields));
  HANAPER_TRY(der::Reader value, fields.enter(der::context(0)));
  HANAPER_CHECK(value.next());
  HANAPER_CHECK(value.finish());
  return fields.finish();
}

Status one_general_name(der::Reader& reader) {
  HANAPER_TRY(const der::Element name, reader.next());
  switch (name.tag) {
    case GeneralName::other:
      return check_other_name(name.content);
    case GeneralName::directory: {
      // A Name is a CHOICE, so that its tag is explicit (X.680 31.2.7).
      HANAPER_CHECK(der::only(name.content, der::sequence));
      return {};
    }
    case der::context_primitive(8):
      if (!der::is_oid(name.content)) return malformed("registeredID is no object identifier");
      return {};
    case GeneralName::email:
    case GeneralName::dns:
    case GeneralName::uri:
    case GeneralName::ip:
    case der::context(3):
    case der::context(5):
      return {};
    default:
      return malformed("a general name of an unknown kind");
  }
}

Status check_general_names(ByteView content) {
  der::Reader reader(content);
  while (!reader.at_end()) HANAPER_CHECK(one_general_name(reader));
  return {};
}

Status check_authority_key_identifier(ByteView value) {
  HANAPER_TRY(der::Reader fields, der::open(value, der::sequence));
  HANAPER_CHECK(fields.maybe(der::context_primitive(0)));  // keyIdentifier
  HANAPER_TRY(const auto issuer, fields.maybe(der::context(1)));
  HANAPER_TRY(const auto serial, fields.maybe(der::context_primitive(2)));
  if (issuer) HANAPER_CHECK(check_general_names(issuer->content));
  if (serial && !der::is_integer(serial->content))
    return malformed("authorityCertSerialNumber is no integer");
  return fields.finish();
}

Status check_key_usage(ByteView value) {
  HANAPER_TRY(const der::Element bits, der::only(value, der::bit_string));
  const ByteView content = bits.content;
  if (content.empty() || content[0] > 7 || (content.size() == 1 && content[0] != 0))
    return malformed("not a bit string");
  if (content.size() > 3 || (content.size() == 3 && (content[2] & 0x7f)))
    return malformed("a bit behind decipherOnly");
  return {};
}

// UserNotice ::= SEQUENCE { noticeRef NoticeReference OPTIONAL, explicitText DisplayText OPTIONAL }
Status check_user_notice(ByteView content) {
  der::Reader notice(content);
  if (notice.peek() == der::sequence) {
    HANAPER_TRY(der::Reader reference, notice.enter(der::sequence));
    HANAPER_CHECK(reference.next());
    HANAPER_TRY(const der::Element numbers, reference.expect(der::sequence));
    HANAPER_CHECK(each(numbers.whole, one_integer));
    HANAPER_CHECK(reference.finish());
  }
  if (notice.at_end()) return {};
  HANAPER_TRY(const der::Element text, notice.next());
  if (text.tag != der::utf8_string && text.tag != der::ia5_string && text.tag != der::visible_string &&
      text.tag != der::bmp_string)
    return malformed("explicitText is no DisplayText");
  return notice.finish();
}

Status one_qualifier(der::Reader& list) {
  HANAPER_TRY(der::Reader fields, list.enter(der::sequence));
  HANAPER_TRY(const ByteView id, fields.read_oid());
  HANAPER_TRY(const der::Element qualifier, fields.next());
  HANAPER_CHECK(fields.finish());
  if (oid::cps_qualifier == id && qualifier.tag != der::ia5_string)
    return malformed("cPSuri is no IA5String");
  if (oid::user_notice_qualifier != id) return {};
  if (qualifier.tag != der::sequence) return malformed("userNotice is no sequence");
  return check_user_notice(qualifier.content);
}

Status one_policy(der::Reader& list) {
  HANAPER_TRY(der::Reader policy, list.enter(der::sequence));
  HANAPER_CHECK(one_oid(policy));
  if (policy.at_end()) return {};
  HANAPER_TRY(const der::Element qualifiers, policy.expect(der::sequence));
  if (qualifiers.content.empty()) return malformed("policyQualifiers is empty");
  HANAPER_CHECK(each(qualifiers.whole, one_qualifier));
  return policy.finish();
}

Status one_mapping(der::Reader& list) {
  HANAPER_TRY(der::Reader mapping, list.enter(der::sequence));
  HANAPER_CHECK(one_oid(mapping));
  HANAPER_CHECK(one_oid(mapping));
  return mapping.finish();
}

Status one_directory_attribute(der::Reader& list) {
  HANAPER_TRY(der::Reader attribute, list.enter(der::sequence));
  HANAPER_CHECK(one_oid(attribute));
  HANAPER_CHECK(attribute.expect(der::set));
  return attribute.finish();
}

Status check_subtrees(ByteView content) {
  der::Reader list(content);
  while (!list.at_end()) {
    HANAPER_TRY(der::Reader subtree, list.enter(der::sequence));
    HANAPER_CHECK(one_general_name(subtree));
    HANAPER_CHECK(subtree.maybe(der::context_primitive(0)));  // minimum
    HANAPER_CHECK(subtree.maybe(der::context_primitive(1)));  // maximum
    HANAPER_CHECK(subtree.finish());
  }
  return {};
}

Status check_name_constraints(ByteView value) {
  HANAPER_TRY(der::Reader fields, der::open(value, der::sequence));
  for (std::uint8_t n : {0, 1}) {
    HANAPER_TRY(const auto subtrees, fields.maybe(der::context(n)));
    if (subtrees) HANAPER_CHECK(check_subtrees(subtrees->content));
  }
  return fields.finish();
}

Status check_policy_constraints(ByteView value) {
  HANAPER_TRY(der::Reader fields, der::open(value, der::sequence));
  for (std::uint8_t n : {0, 1}) {
    HANAPER_TRY(const auto skip, fields.maybe(der::context_primitive(n)));
    if (skip && (!der::is_integer(skip->content) || (skip->content[0] & 0x80)))
      return malformed("SkipCerts is no integer of 0 or more");
  }
  return fields.finish();
}

Status one_distribution_point(der::Reader& list) {
  HANAPER_TRY(der::Reader point, list.enter(der::sequence));
  HANAPER_TRY(const auto name, point.maybe(der::context(0)));
  HANAPER_TRY(const auto reasons, point.maybe(der::context_primitive(1)));
  HANAPER_TRY(const auto issuer, point.maybe(der::context(2)));
  HANAPER_CHECK(point.finish());
  if (reasons && reasons->content.empty()) return malformed("reasons is no bit string");
  if (issuer) HANAPER_CHECK(check_general_names(issuer->content));
  if (!name) return {};
  der::Reader choice(name->content);
  HANAPER_TRY(const der::Element chosen, choice.next());
  HANAPER_CHECK(choice.finish());
  if (chosen.tag == der::context(0)) return check_general_names(chosen.content);
  if (chosen.tag != der::context(1)) return malformed("distributionPoint of an unknown kind");
  return {};
}

Status one_access(der::Reader& list) {
  HANAPER_TRY(der::Reader access, list.enter(der::sequence));
  HANAPER_CHECK(one_oid(access));
  HANAPER_CHECK(one_general_name(access));
  return access.finish();
}

Status check_skip_certs(ByteView value) {
  der::Reader reader(value);
  HANAPER_CHECK(one_integer(reader));
  return reader.finish();
}

Status check_single(ByteView value, std::uint8_t tag) {
  HANAPER_CHECK(der::only(value, tag));
  return {};
}

Status check_basic_constraints(ByteView value) {
  HANAPER_CHECK(x509::parse_basic_constraints(value));
  return {};
}

}  // namespace

Status check_syntax(Ext ext, ByteView value) {
  switch (ext) {
    case Ext::authority_key_identifier:
      return check_authority_key_identifier(value);
    case Ext::subject_key_identifier:
      return check_single(value, der::octet_string);
    case Ext::key_usage:
      return check_key_usage(value);
    case Ext::certificate_policies:
      return each(value, one_policy);
    case Ext::policy_mappings:
      return each(value, one_mapping);
    case Ext::subject_alt_name:
    case Ext::issuer_alt_name:
      return each(value, one_general_name);
    case Ext::subject_directory_attributes:
      return each(value, one_directory_attribute);
    case Ext::basic_constraints:
      return check_basic_constraints(value);
    case Ext::name_constraints:
      return check_name_constraints(value);
    case Ext::policy_constraints:
      return check_policy_constraints(value);
    case Ext::extended_key_usage:
      return each(value, one_oid);
    case Ext::crl_distribution_points:
    case Ext::freshest_crl:
      return each(value, one_distribution_point);
    case Ext::inhibit_any_policy:
      return check_skip_certs(value);
    case Ext::authority_info_access:
    case Ext::subject_info_access:
      return each(value, one_access);
    case Ext::tls_feature:
      return each(value, one_integer);
    case Ext::ocsp_no_check:
    case Ext::no_rev_avail:
      return check_single(value, der::null);
  }
  return {};
}

}  // namespace hanaper::lint
