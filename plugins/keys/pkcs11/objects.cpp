#include "objects.hpp"

#include "attributes.hpp"

#include <hanaper/toolkit/algorithms.hpp>
#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/public_key.hpp>

namespace hanaper::pkcs11 {
namespace {

constexpr std::size_t max_keys = 10'000;

std::optional<Bytes> id_of(std::string_view label) {
  if (!label.starts_with("id-") || label.size() == 3) return std::nullopt;
  auto id = from_hex(label.substr(3));
  return id ? std::optional(*std::move(id)) : std::nullopt;
}

CK_RV find_halves(const Token::Session& session, CK_OBJECT_CLASS half, std::string_view label,
                  std::vector<CK_OBJECT_HANDLE>& found) {
  Template by_label;
  by_label.number(CKA_CLASS, half);
  if (!label.empty()) by_label.text(CKA_LABEL, label);
  const CK_RV code = find_objects(session, by_label, max_keys, found);
  const auto id = id_of(label);
  if (code != CKR_OK || !found.empty() || !id) return code;
  Template by_id;
  by_id.number(CKA_CLASS, half).octets(CKA_ID, *id);
  return find_objects(session, by_id, max_keys, found);
}

// What lies beside a private key under its CKA_ID, or under its label where it has none: one object of that
// class, or 0.
CK_RV find_beside(const Token::Session& session, CK_OBJECT_CLASS half, const KeyObject& key,
                  CK_OBJECT_HANDLE& handle) {
  handle = 0;
  Template wanted;
  wanted.number(CKA_CLASS, half);
  if (!key.id.empty())
    wanted.octets(CKA_ID, key.id);
  else if (!key.label.empty())
    wanted.text(CKA_LABEL, key.label);
  else
    return CKR_OK;
  std::vector<CK_OBJECT_HANDLE> found;
  const CK_RV code = find_objects(session, wanted, 2, found);
  if (!found.empty() && (found.size() == 1 || !key.id.empty())) handle = found.front();
  return code;
}

// The numbers of the table, which knows no PKCS#11 header.
static_assert(algorithms::row(KeyType::rsa).pkcs11 == CKK_RSA &&
              algorithms::row(KeyType::ec_p256).pkcs11 == CKK_EC &&
              algorithms::row(KeyType::ed25519).pkcs11 == CKK_EC_EDWARDS);
static_assert(algorithms::row(KeyType::rsa).pkcs11_generate == CKM_RSA_PKCS_KEY_PAIR_GEN &&
              algorithms::row(KeyType::ec_p256).pkcs11_generate == CKM_EC_KEY_PAIR_GEN &&
              algorithms::row(KeyType::ed25519).pkcs11_generate == CKM_EC_EDWARDS_KEY_PAIR_GEN);

std::optional<KeyType> type_of_curve(const Bytes& parameters) {
  for (const algorithms::KeyRow& row : algorithms::keys) {
    if (row.pkcs11_parameters.empty()) continue;
    if (equal(row.pkcs11_parameters, parameters)) return row.type;
    // RFC 8410 3: id-Ed25519, as some modules spell the curve.
    if (row.parameters.empty() && der::only(parameters, der::object_identifier) &&
        row.oid == ByteView(parameters).subspan(2))
      return row.type;
  }
  return std::nullopt;
}

CK_RV describe_rsa(const Token::Session& session, CK_OBJECT_HANDLE object, KeyObject& key) {
  Bytes modulus, exponent;
  CK_RV code = read_attribute(session, object, CKA_MODULUS, modulus);
  if (code == CKR_OK) code = read_attribute(session, object, CKA_PUBLIC_EXPONENT, exponent);
  if (code != CKR_OK || modulus.empty() || exponent.empty()) return code;
  key.spki = x509::rsa_spki(modulus, exponent);
  if (const auto parsed = x509::parse_public_key(key.spki)) key.spec = parsed->spec;
  return CKR_OK;
}

CK_RV describe_certificate(const Token::Session& session, CK_OBJECT_HANDLE object, KeyObject& key) {
  Bytes octets;
  const CK_RV code = read_attribute(session, object, CKA_VALUE, octets);
  const auto certificate = x509::parse_certificate(octets);
  if (code != CKR_OK || !certificate) return code;
  if (const auto parsed = x509::parse_public_key(certificate->spki)) {
    key.spki = to_bytes(certificate->spki);
    key.spec = parsed->spec;
  }
  return CKR_OK;
}

CK_RV describe_ec(const Token::Session& session, CK_OBJECT_HANDLE object, KeyObject& key) {
  Bytes parameters, point;
  CK_RV code = read_attribute(session, object, CKA_EC_PARAMS, parameters);
  if (code == CKR_OK) code = read_attribute(session, object, CKA_EC_POINT, point);
  const auto type = type_of_curve(parameters);
  if (code != CKR_OK || !type || point.empty()) return code;
  // PKCS#11 wants the point in an OCTET STRING; some modules leave the wrapping out.
  ByteView raw = point;
  if (const auto inner = der::only(point, der::octet_string)) raw = inner->content;
  key.spec = {*type, 0};
  key.spki = x509::ec_spki(*type, raw);
  if (!x509::parse_public_key(key.spki)) key.spki.clear();
  return CKR_OK;
}

}  // namespace

Bytes new_id() {
  Bytes id(16);
  crypto::random(id);
  return id;
}

Status refuse_taken(Token& token, std::string_view label) {
  std::vector<CK_OBJECT_HANDLE> found;
  HANAPER_CHECK(token.run(
      [&](const Token::Session& session) { return find_halves(session, CKO_PRIVATE_KEY, label, found); }));
  if (found.empty()) return {};
  return conflict("token " + token.name() + " has a key \"" + std::string(label) + "\" already");
}

CK_RV describe(const Token::Session& session, CK_OBJECT_HANDLE object, KeyObject& key) {
  Bytes label, wants_pin;
  CK_ULONG type = 0;
  CK_RV code = read_attribute(session, object, CKA_LABEL, label);
  if (code == CKR_OK) code = read_attribute(session, object, CKA_ID, key.id);
  if (code == CKR_OK) code = read_number(session, object, CKA_KEY_TYPE, type);
  if (code == CKR_OK) code = read_attribute(session, object, CKA_ALWAYS_AUTHENTICATE, wants_pin);
  if (code != CKR_OK) return code;
  key.wants_pin = !wants_pin.empty() && wants_pin.front() != CK_FALSE;
  key.label = as_text(label);
  CK_OBJECT_HANDLE half = 0, certificate = 0;
  code = find_beside(session, CKO_PUBLIC_KEY, key, half);
  if (code == CKR_OK && half == 0) code = find_beside(session, CKO_CERTIFICATE, key, certificate);
  if (key.label.empty()) key.label = "id-" + to_hex(key.id);
  if (code != CKR_OK) return code;
  // An RSA private key shows its modulus; only the point of a curve must come from the public half.
  if (type == CKK_RSA) return describe_rsa(session, half != 0 ? half : object, key);
  if ((type == CKK_EC || type == CKK_EC_EDWARDS) && half != 0) return describe_ec(session, half, key);
  return certificate == 0 ? CKR_OK : describe_certificate(session, certificate, key);
}

// What the private half may do, and what may be done to it.
void add_private_duties(Template& target, const NewKey& key) {
  target.flag(CKA_TOKEN, true)
      .flag(CKA_PRIVATE, true)
      .flag(CKA_SENSITIVE, true)
      .flag(CKA_EXTRACTABLE, key.wrappable)
      .flag(CKA_SIGN, true);
  if (algorithms::row(key.spec.type).encrypts) target.flag(CKA_DECRYPT, true);
}

void add_name(Template& target, std::string_view label, ByteView id) {
  target.text(CKA_LABEL, label).octets(CKA_ID, id);
}

Status explain(Token& token, Status status, CK_RV answer, const std::string& what) {
  if (status || status.error().code != Code::internal) return status;
  if (answer == CKR_MECHANISM_INVALID || answer == CKR_FUNCTION_NOT_SUPPORTED ||
      answer == CKR_MECHANISM_PARAM_INVALID)
    return unsupported("token " + token.name() + " cannot " + what + ": " + name_of(answer));
  return unavailable("token " + token.name() + " did not " + what + ": " + name_of(answer));
}

CK_RV find_private(const Token::Session& session, std::string_view label, ByteView spki,
                   CK_OBJECT_HANDLE& handle, KeyObject& key) {
  handle = 0;
  std::vector<CK_OBJECT_HANDLE> found;
  CK_RV code = find_halves(session, CKO_PRIVATE_KEY, label, found);
  for (const CK_OBJECT_HANDLE object : found) {
    KeyObject there;
    if (code == CKR_OK) code = describe(session, object, there);
    if (code != CKR_OK) return code;
    if (!equal(there.spki, spki)) continue;
    key = std::move(there);
    handle = object;
    return CKR_OK;
  }
  return code;
}

Result<std::vector<KeyObject>> describe_keys(Token& token, std::string_view label) {
  std::vector<KeyObject> keys;
  HANAPER_CHECK(token.run([&](const Token::Session& session) {
    keys.clear();
    std::vector<CK_OBJECT_HANDLE> found;
    CK_RV code = find_halves(session, CKO_PRIVATE_KEY, label, found);
    for (std::size_t i = 0; i < found.size() && code == CKR_OK; ++i)
      code = describe(session, found[i], keys.emplace_back());
    return code;
  }));
  return keys;
}

namespace {

// The one key of those that bear the label.
Result<KeyObject> only_one(std::vector<KeyObject> keys, const Token& token, std::string_view label) {
  const std::string place = "\"" + std::string(label) + "\" on token " + token.name();
  if (keys.empty()) return not_found("no key " + place);
  if (keys.size() > 1) {
    std::string ids;
    for (const KeyObject& key : keys) ids += (ids.empty() ? "" : " or ") + ("id-" + to_hex(key.id));
    return conflict(std::to_string(keys.size()) + " keys are called " + place + "; name one as " + ids);
  }
  if (keys.front().spki.empty())
    return unsupported("key " + place +
                       " has no public key object beside it, or is of a type we do not know");
  return std::move(keys.front());
}

}  // namespace

Result<KeyObject> describe_key(Token& token, std::string_view label) {
  HANAPER_TRY(std::vector<KeyObject> keys, describe_keys(token, label));
  return only_one(std::move(keys), token, label);
}

Status expect_key(Token& token, std::string_view label, ByteView spki, bool& second) {
  HANAPER_TRY(std::vector<KeyObject> keys, describe_keys(token, label));
  second = keys.size() > 1;
  if (std::ranges::any_of(keys, [&](const KeyObject& key) { return equal(key.spki, spki); })) return {};
  if (auto other = only_one(std::move(keys), token, label); !other) return std::move(other).error();
  return conflict("key \"" + std::string(label) + "\" on token " + token.name() +
                  " is another key than on the rest of the group");
}

Status generate_key(Token& token, const NewKey& key) {
  HANAPER_CHECK(refuse_taken(token, key.label));
  const Bytes id = new_id();
  Template open, closed;
  add_name(open, key.label, id);
  add_name(closed, key.label, id);
  open.flag(CKA_TOKEN, true).flag(CKA_VERIFY, true);
  const algorithms::KeyRow& row = algorithms::row(key.spec.type);
  if (row.encrypts) open.flag(CKA_ENCRYPT, true);
  if (row.family == algorithms::Family::rsa)
    open.number(CKA_MODULUS_BITS, key.spec.bits).octets(CKA_PUBLIC_EXPONENT, Bytes{1, 0, 1});
  else
    open.octets(CKA_EC_PARAMS, row.pkcs11_parameters);
  add_private_duties(closed, key);
  CK_RV answer = CKR_OK;
  Status made = token.run(
      [&](const Token::Session& session) {
        CK_MECHANISM mechanism{row.pkcs11_generate, nullptr, 0};
        CK_OBJECT_HANDLE public_half = 0, private_half = 0;
        return session.functions.C_GenerateKeyPair(session.handle, &mechanism, open.data(), open.size(),
                                                   closed.data(), closed.size(), &public_half, &private_half);
      },
      &answer);
  return explain(token, std::move(made), answer, "make a key of type " + to_string(key.spec));
}

Status delete_key(Token& token, std::string_view label) {
  HANAPER_TRY(const KeyObject key, describe_key(token, label));
  CK_RV answer = CKR_OK;
  Status gone = token.run(
      [&](const Token::Session& session) {
        CK_OBJECT_HANDLE private_half = 0, public_half = 0;
        KeyObject there;
        CK_RV code = find_private(session, label, key.spki, private_half, there);
        if (code == CKR_OK) code = find_beside(session, CKO_PUBLIC_KEY, there, public_half);
        for (CK_OBJECT_HANDLE half : {public_half, private_half})
          if (code == CKR_OK && half != 0) code = session.functions.C_DestroyObject(session.handle, half);
        return code;
      },
      &answer);
  return explain(token, std::move(gone), answer, "delete the key");
}

}  // namespace hanaper::pkcs11
