#include "attributes.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/der.hpp>
#include <hanaper/toolkit/public_key.hpp>

namespace hanaper::pkcs11 {

using namespace der::literals;

Template::~Template() {
  for (Bytes& value : values_) crypto::wipe(value);
}

CK_RV read_attribute(const Token::Session& session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
                     Bytes& value) {
  constexpr CK_ULONG limit = 64 * 1024;
  CK_ATTRIBUTE attribute{type, nullptr, 0};
  value.clear();
  CK_RV code = session.functions.C_GetAttributeValue(session.handle, object, &attribute, 1);
  if (code == CKR_ATTRIBUTE_TYPE_INVALID || code == CKR_ATTRIBUTE_SENSITIVE) return CKR_OK;
  if (code != CKR_OK || attribute.ulValueLen == 0 || attribute.ulValueLen > limit) return code;
  value.resize(attribute.ulValueLen);
  attribute.pValue = value.data();
  code = session.functions.C_GetAttributeValue(session.handle, object, &attribute, 1);
  value.resize(code == CKR_OK ? attribute.ulValueLen : 0);
  return code;
}

CK_RV read_number(const Token::Session& session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
                  CK_ULONG& value) {
  CK_ATTRIBUTE attribute{type, &value, sizeof value};
  return session.functions.C_GetAttributeValue(session.handle, object, &attribute, 1);
}

CK_RV find_objects(const Token::Session& session, Template& wanted, std::size_t limit,
                   std::vector<CK_OBJECT_HANDLE>& found) {
  found.clear();
  CK_RV code = session.functions.C_FindObjectsInit(session.handle, wanted.data(), wanted.size());
  if (code != CKR_OK) return code;
  while (found.size() < limit) {
    CK_OBJECT_HANDLE some[64];
    CK_ULONG count = 0;
    code = session.functions.C_FindObjects(session.handle, some, std::size(some), &count);
    if (code != CKR_OK || count == 0) break;
    found.insert(found.end(), some, some + count);
  }
  const CK_RV ended = session.functions.C_FindObjectsFinal(session.handle);
  return code != CKR_OK ? code : ended;
}

Bytes curve_parameters(KeyType type) {
  der::Writer writer;
  switch (type) {
    case KeyType::ec_p256:
      writer.oid("1.2.840.10045.3.1.7"_oid);
      break;
    case KeyType::ec_p384:
      writer.oid("1.3.132.0.34"_oid);
      break;
    case KeyType::ec_p521:
      writer.oid("1.3.132.0.35"_oid);
      break;
    case KeyType::ed25519:  // PKCS#11 3.0 2.3.5: the curve name or its identifier; modules know the name
      writer.text(der::printable_string, "edwards25519");
      break;
    case KeyType::rsa:
      break;
  }
  return writer.bytes();
}

Status add_public_half(Template& target, ByteView spki) {
  HANAPER_TRY(const x509::PublicKey key, x509::parse_public_key(spki));
  if (key.spec.type == KeyType::rsa) {
    target.number(CKA_KEY_TYPE, CKK_RSA)
        .octets(CKA_MODULUS, key.modulus)
        .octets(CKA_PUBLIC_EXPONENT, key.exponent);
    return {};
  }
  der::Writer point;
  point.octets(key.point);
  target.number(CKA_KEY_TYPE, key.spec.type == KeyType::ed25519 ? CKK_EC_EDWARDS : CKK_EC)
      .octets(CKA_EC_PARAMS, curve_parameters(key.spec.type))
      .octets(CKA_EC_POINT, point.view());
  return {};
}

}  // namespace hanaper::pkcs11
