#include "attributes.hpp"

#include <hanaper/toolkit/algorithms.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/der.hpp>
#include <hanaper/toolkit/public_key.hpp>

namespace hanaper::pkcs11 {

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

Status add_public_half(Template& target, ByteView spki) {
  HANAPER_TRY(const x509::PublicKey key, x509::parse_public_key(spki));
  const algorithms::KeyRow& row = algorithms::row(key.spec.type);
  target.number(CKA_KEY_TYPE, row.pkcs11);
  if (row.family == algorithms::Family::rsa) {
    target.octets(CKA_MODULUS, key.modulus).octets(CKA_PUBLIC_EXPONENT, key.exponent);
    return {};
  }
  der::Writer point;
  point.octets(key.point);
  target.octets(CKA_EC_PARAMS, row.pkcs11_parameters).octets(CKA_EC_POINT, point.view());
  return {};
}

}  // namespace hanaper::pkcs11
