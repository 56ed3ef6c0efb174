#include "oracle.hpp"

#include <openssl/err.h>

#include <cstdlib>
#include <ctime>

namespace hanaper::oracle {
namespace {

// What `decode` makes of the octets, unless it leaves some over.
template <class Pointer, class Decode>
Pointer read_whole(Decode decode, ByteView der) {
  const unsigned char* at = der.data();
  Pointer object(decode(nullptr, &at, static_cast<long>(der.size())));
  ERR_clear_error();
  if (at != der.data() + der.size()) object.reset();
  return object;
}

std::string utf8_of(const ASN1_STRING* text) {
  unsigned char* out = nullptr;
  const int size = ASN1_STRING_to_UTF8(&out, text);
  ERR_clear_error();
  if (size < 0) return {};
  std::string result(reinterpret_cast<char*>(out), static_cast<std::size_t>(size));
  OPENSSL_free(out);
  return result;
}

GeneralName general_name(const GENERAL_NAME* name) {
  int type = 0;
  void* value = GENERAL_NAME_get0_value(name, &type);
  switch (type) {
    case GEN_EMAIL:
    case GEN_DNS:
    case GEN_URI: {
      const Bytes octets = octets_of(static_cast<ASN1_IA5STRING*>(value));
      return {type, std::string(as_text(octets))};
    }
    case GEN_IPADD:
      return {type, to_hex(octets_of(static_cast<ASN1_OCTET_STRING*>(value)))};
    case GEN_RID:
      return {type, text_of(static_cast<ASN1_OBJECT*>(value))};
    default:
      return {type, {}};
  }
}

std::vector<GeneralName> general_names(const GENERAL_NAMES* names) {
  std::vector<GeneralName> list;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i)
    list.push_back(general_name(sk_GENERAL_NAME_value(names, i)));
  return list;
}

std::vector<GeneralName> subtrees(const STACK_OF(GENERAL_SUBTREE) * trees) {
  std::vector<GeneralName> list;
  for (int i = 0; i < sk_GENERAL_SUBTREE_num(trees); ++i)
    list.push_back(general_name(sk_GENERAL_SUBTREE_value(trees, i)->base));
  return list;
}

std::vector<Policy> policies_of(const CERTIFICATEPOLICIES* policies) {
  std::vector<Policy> list;
  for (int i = 0; i < sk_POLICYINFO_num(policies); ++i) {
    const POLICYINFO* info = sk_POLICYINFO_value(policies, i);
    Policy policy{text_of(info->policyid), {}};
    for (int k = 0; k < sk_POLICYQUALINFO_num(info->qualifiers); ++k) {
      const POLICYQUALINFO* qualifier = sk_POLICYQUALINFO_value(info->qualifiers, k);
      if (OBJ_obj2nid(qualifier->pqualid) == NID_id_qt_cps)
        policy.cps = as_text(octets_of(qualifier->d.cpsuri));
    }
    list.push_back(std::move(policy));
  }
  return list;
}

std::vector<std::vector<GeneralName>> distribution_points(const CRL_DIST_POINTS* points) {
  std::vector<std::vector<GeneralName>> list;
  for (int i = 0; i < sk_DIST_POINT_num(points); ++i) {
    const DIST_POINT* point = sk_DIST_POINT_value(points, i);
    list.emplace_back();
    if (point->distpoint != nullptr && point->distpoint->type == 0)
      list.back() = general_names(point->distpoint->name.fullname);
  }
  return list;
}

std::vector<Access> accesses(const AUTHORITY_INFO_ACCESS* access) {
  std::vector<Access> list;
  for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(access); ++i) {
    const ACCESS_DESCRIPTION* description = sk_ACCESS_DESCRIPTION_value(access, i);
    list.push_back({text_of(description->method), general_name(description->location)});
  }
  return list;
}

std::uint16_t bits_of(const ASN1_BIT_STRING* string) {
  std::uint16_t bits = 0;
  for (int bit = 0; bit < 9; ++bit)
    if (ASN1_BIT_STRING_get_bit(string, bit)) bits |= static_cast<std::uint16_t>(1 << bit);
  return bits;
}

x509::BasicConstraints basic_constraints_of(const BASIC_CONSTRAINTS* constraints) {
  x509::BasicConstraints result{constraints->ca != 0, {}};
  if (constraints->pathlen != nullptr)
    result.path_length = static_cast<std::uint64_t>(ASN1_INTEGER_get(constraints->pathlen));
  return result;
}

// Decodes one extension of the list and gives it to `take`.
template <class Pointer, class Take>
void decode(const STACK_OF(X509_EXTENSION) * list, int nid, Known& known, Take&& take) {
  int found = 0;
  const Pointer object(static_cast<typename Pointer::pointer>(X509V3_get_d2i(list, nid, &found, nullptr)));
  ERR_clear_error();
  if (object)
    take(*object);
  else if (found != -1)
    known.broken.push_back(nid);
}

}  // namespace

X509Ptr read_certificate(ByteView der) { return read_whole<X509Ptr>(d2i_X509, der); }
RequestPtr read_request(ByteView der) { return read_whole<RequestPtr>(d2i_X509_REQ, der); }
NamePtr read_name(ByteView der) { return read_whole<NamePtr>(d2i_X509_NAME, der); }
PkeyPtr read_public_key(ByteView spki) { return read_whole<PkeyPtr>(d2i_PUBKEY, spki); }

Bytes octets_of(const ASN1_STRING* text) {
  const unsigned char* data = ASN1_STRING_get0_data(text);
  return {data, data + ASN1_STRING_length(text)};
}

std::string text_of(const ASN1_OBJECT* object) {
  char text[256] = {};
  OBJ_obj2txt(text, sizeof text, object, 1);
  return text;
}

Time time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return Time::min();
  return Time{std::chrono::seconds{timegm(&parts)}};
}

std::vector<Attribute> attributes_of(const X509_NAME* name) {
  std::vector<Attribute> list;
  for (int i = 0; i < X509_NAME_entry_count(name); ++i) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
    const ASN1_STRING* value = X509_NAME_ENTRY_get_data(entry);
    list.push_back({text_of(X509_NAME_ENTRY_get_object(entry)), utf8_of(value), ASN1_STRING_type(value),
                    X509_NAME_ENTRY_set(entry)});
  }
  return list;
}

x509::Name name_of(const X509_NAME* name) {
  x509::Name result;
  for (Attribute& attribute : attributes_of(name))
    result.push_back({std::move(attribute.oid), std::move(attribute.value)});
  return result;
}

Bytes encoded_anew(const X509_NAME* name) {
  const NamePtr copy(X509_NAME_new());
  for (int i = 0, set = -1; i < X509_NAME_entry_count(name); ++i) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
    const bool same_set = X509_NAME_ENTRY_set(entry) == set;
    set = X509_NAME_ENTRY_set(entry);
    X509_NAME_add_entry(copy.get(), entry, -1, same_set ? -1 : 0);
  }
  return encoded(i2d_X509_NAME, copy.get());
}

std::vector<Extension> extensions_of(const STACK_OF(X509_EXTENSION) * list) {
  std::vector<Extension> result;
  for (int i = 0; i < sk_X509_EXTENSION_num(list); ++i) {
    X509_EXTENSION* extension = sk_X509_EXTENSION_value(list, i);
    result.push_back({text_of(X509_EXTENSION_get_object(extension)),
                      X509_EXTENSION_get_critical(extension) != 0,
                      octets_of(X509_EXTENSION_get_data(extension))});
  }
  return result;
}

std::vector<Extension> extensions_of(const std::vector<x509::ExtensionView>& list) {
  std::vector<Extension> result;
  for (const x509::ExtensionView& extension : list)
    result.push_back({der::oid_to_text(extension.oid), extension.critical, to_bytes(extension.value)});
  return result;
}

Known known_of(const STACK_OF(X509_EXTENSION) * list) {
  Known known;
  decode<Owned<GENERAL_NAMES, GENERAL_NAMES_free>>(
      list, NID_subject_alt_name, known,
      [&](const GENERAL_NAMES& names) { known.names = general_names(&names); });
  decode<Owned<ASN1_BIT_STRING, ASN1_BIT_STRING_free>>(
      list, NID_key_usage, known, [&](const ASN1_BIT_STRING& bits) { known.key_usage = bits_of(&bits); });
  decode<Owned<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free>>(
      list, NID_ext_key_usage, known, [&](const EXTENDED_KEY_USAGE& usages) {
        known.extended_key_usage.emplace();
        for (int i = 0; i < sk_ASN1_OBJECT_num(&usages); ++i)
          known.extended_key_usage->push_back(text_of(sk_ASN1_OBJECT_value(&usages, i)));
      });
  decode<Owned<BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free>>(
      list, NID_basic_constraints, known, [&](const BASIC_CONSTRAINTS& constraints) {
        known.basic_constraints = basic_constraints_of(&constraints);
      });
  decode<Owned<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free>>(
      list, NID_subject_key_identifier, known,
      [&](const ASN1_OCTET_STRING& octets) { known.subject_key_identifier = octets_of(&octets); });
  decode<Owned<AUTHORITY_KEYID, AUTHORITY_KEYID_free>>(
      list, NID_authority_key_identifier, known, [&](const AUTHORITY_KEYID& authority) {
        known.authority_key_identifier = {authority.keyid ? octets_of(authority.keyid) : Bytes{},
                                          authority.issuer != nullptr, authority.serial != nullptr};
      });
  decode<Owned<AUTHORITY_INFO_ACCESS, AUTHORITY_INFO_ACCESS_free>>(
      list, NID_info_access, known,
      [&](const AUTHORITY_INFO_ACCESS& access) { known.authority_info_access = accesses(&access); });
  decode<Owned<CRL_DIST_POINTS, CRL_DIST_POINTS_free>>(
      list, NID_crl_distribution_points, known,
      [&](const CRL_DIST_POINTS& points) { known.crl_distribution_points = distribution_points(&points); });
  decode<Owned<CERTIFICATEPOLICIES, CERTIFICATEPOLICIES_free>>(
      list, NID_certificate_policies, known,
      [&](const CERTIFICATEPOLICIES& policies) { known.policies = policies_of(&policies); });
  decode<ConstraintsPtr>(list, NID_name_constraints, known, [&](const NAME_CONSTRAINTS& constraints) {
    known.name_constraints = {subtrees(constraints.permittedSubtrees),
                              subtrees(constraints.excludedSubtrees)};
  });
  decode<Owned<TLS_FEATURE, TLS_FEATURE_free>>(list, NID_tlsfeature, known, [&](const TLS_FEATURE& features) {
    known.tls_features.emplace();
    for (int i = 0; i < sk_ASN1_INTEGER_num(&features); ++i)
      known.tls_features->push_back(ASN1_INTEGER_get(sk_ASN1_INTEGER_value(&features, i)));
  });
  return known;
}

std::optional<std::string> changed_by_encoding(const STACK_OF(X509_EXTENSION) * list) {
  for (int i = 0; i < sk_X509_EXTENSION_num(list); ++i) {
    X509_EXTENSION* extension = sk_X509_EXTENSION_value(list, i);
    const X509V3_EXT_METHOD* method = X509V3_EXT_get(extension);
    if (method == nullptr || method->it == nullptr) continue;
    const std::string name = text_of(X509_EXTENSION_get_object(extension));
    void* value = X509V3_EXT_d2i(extension);
    if (value == nullptr) return name + " cannot be decoded";
    const Owned<X509_EXTENSION, X509_EXTENSION_free> again(
        X509V3_EXT_i2d(method->ext_nid, X509_EXTENSION_get_critical(extension), value));
    ASN1_item_free(static_cast<ASN1_VALUE*>(value), method->it());
    if (octets_of(X509_EXTENSION_get_data(again.get())) != octets_of(X509_EXTENSION_get_data(extension)))
      return name + " is encoded differently";
  }
  return std::nullopt;
}

std::uint64_t run_seed() {
  static const std::uint64_t seed = [] {
    const char* given = std::getenv("HANAPER_TEST_SEED");
    return given == nullptr ? std::uint64_t{20260717} : std::strtoull(given, nullptr, 10);
  }();
  return seed;
}

Random random_for(std::string_view family, std::size_t number) {
  std::uint64_t mixed = run_seed();
  for (char c : family) mixed = mixed * 131 + static_cast<unsigned char>(c);
  return Random(Random(mixed + number).next());
}

std::string trace(std::string_view family, std::size_t number) {
  return std::string(family) + " number " + std::to_string(number) +
         ", HANAPER_TEST_SEED=" + std::to_string(run_seed());
}

}  // namespace hanaper::oracle
