// Keys that come from outside, and keys that go from one token to another.
#include "attributes.hpp"
#include "objects.hpp"

#include <hanaper/toolkit/algorithms.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/soft_key.hpp>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

namespace hanaper::pkcs11 {
namespace {

Bytes number_of(EVP_PKEY* key, const char* parameter, std::size_t width = 0) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key, parameter, &number) != 1) return {};
  Bytes octets(std::max(width, static_cast<std::size_t>(BN_num_bytes(number))));
  BN_bn2binpad(number, octets.data(), static_cast<int>(octets.size()));
  BN_clear_free(number);
  return octets;
}

// Adds one secret number and wipes the copy.
void add_secret(Template& target, CK_ATTRIBUTE_TYPE type, Bytes value) {
  target.octets(type, value);
  crypto::wipe(value);
}

void add_private_half(Template& target, const crypto::SoftKey& key) {
  EVP_PKEY* pkey = key.pkey();
  const algorithms::KeyRow& row = algorithms::row(key.spec().type);
  switch (row.family) {
    case algorithms::Family::rsa:
      target.octets(CKA_MODULUS, number_of(pkey, OSSL_PKEY_PARAM_RSA_N))
          .octets(CKA_PUBLIC_EXPONENT, number_of(pkey, OSSL_PKEY_PARAM_RSA_E));
      add_secret(target, CKA_PRIVATE_EXPONENT, number_of(pkey, OSSL_PKEY_PARAM_RSA_D));
      add_secret(target, CKA_PRIME_1, number_of(pkey, OSSL_PKEY_PARAM_RSA_FACTOR1));
      add_secret(target, CKA_PRIME_2, number_of(pkey, OSSL_PKEY_PARAM_RSA_FACTOR2));
      add_secret(target, CKA_EXPONENT_1, number_of(pkey, OSSL_PKEY_PARAM_RSA_EXPONENT1));
      add_secret(target, CKA_EXPONENT_2, number_of(pkey, OSSL_PKEY_PARAM_RSA_EXPONENT2));
      add_secret(target, CKA_COEFFICIENT, number_of(pkey, OSSL_PKEY_PARAM_RSA_COEFFICIENT1));
      return;
    case algorithms::Family::edwards: {
      Bytes seed(row.octets);
      std::size_t size = seed.size();
      EVP_PKEY_get_raw_private_key(pkey, seed.data(), &size);
      target.octets(CKA_EC_PARAMS, row.pkcs11_parameters);
      add_secret(target, CKA_VALUE, std::move(seed));
      return;
    }
    case algorithms::Family::ec:
      target.octets(CKA_EC_PARAMS, row.pkcs11_parameters);
      add_secret(target, CKA_VALUE, number_of(pkey, OSSL_PKEY_PARAM_PRIV_KEY));
  }
}

CK_RV create_object(const Token::Session& session, Template& object, CK_OBJECT_HANDLE& handle) {
  return session.functions.C_CreateObject(session.handle, object.data(), object.size(), &handle);
}

Status add_public_object(Template& target, std::string_view label, ByteView id, ByteView spki) {
  target.number(CKA_CLASS, CKO_PUBLIC_KEY).flag(CKA_TOKEN, true).flag(CKA_VERIFY, true);
  add_name(target, label, id);
  return add_public_half(target, spki);
}

// The way of a key from one token to another. Everything but the two halves of the copy is a session object,
// which ends with its session.
//
//   target: RSA pair          ── public half ──▶  source: wraps a fresh AES key
//   target: unwraps AES key   ◀── AES key ──────
//   target: unwraps the key   ◀── private key, wrapped under AES (RFC 5649)
class Passage {
 public:
  Passage(Token& from, Token& to, const KeyObject& key) : from_(from), to_(to), key_(key) {}

  // Both tokens at once, because what is made on one must live while the other works.
  Status go() {
    CK_RV answer = CKR_OK, inner_answer = CKR_OK;
    Status inner;
    Status outer = to_.run(
        [&](const Token::Session& target) {
          CK_RV code = make_pair(target);
          if (code != CKR_OK) return code;
          inner = from_.run([&](const Token::Session& source) { return wrap(source); }, &inner_answer);
          return inner ? unwrap(target) : CKR_OK;
        },
        &answer);
    if (!inner) {
      if (inner_answer == CKR_KEY_UNEXTRACTABLE || inner_answer == CKR_KEY_NOT_WRAPPABLE)
        return forbidden("key \"" + key_.label + "\" may not leave token " + from_.name() +
                         ": it was made without wrappable = true; copy it by the vendor's own tools");
      return explain(from_, std::move(inner), inner_answer, "wrap key \"" + key_.label + "\"");
    }
    return explain(to_, std::move(outer), answer, "take key \"" + key_.label + "\" over");
  }

 private:
  CK_RV make_pair(const Token::Session& target) {
    Template open, closed;
    open.flag(CKA_TOKEN, false)
        .flag(CKA_WRAP, true)
        .flag(CKA_ENCRYPT, true)
        .number(CKA_MODULUS_BITS, 3072)
        .octets(CKA_PUBLIC_EXPONENT, Bytes{1, 0, 1});
    closed.flag(CKA_TOKEN, false)
        .flag(CKA_PRIVATE, true)
        .flag(CKA_SENSITIVE, true)
        .flag(CKA_EXTRACTABLE, false)
        .flag(CKA_UNWRAP, true)
        .flag(CKA_DECRYPT, true);
    CK_MECHANISM mechanism{CKM_RSA_PKCS_KEY_PAIR_GEN, nullptr, 0};
    CK_OBJECT_HANDLE half = 0;
    CK_RV code = target.functions.C_GenerateKeyPair(target.handle, &mechanism, open.data(), open.size(),
                                                    closed.data(), closed.size(), &half, &unwrapping_);
    if (code == CKR_OK) code = read_attribute(target, half, CKA_MODULUS, modulus_);
    return code;
  }

  CK_RV wrap(const Token::Session& source) {
    Template rsa, aes;
    rsa.number(CKA_CLASS, CKO_PUBLIC_KEY)
        .number(CKA_KEY_TYPE, CKK_RSA)
        .flag(CKA_TOKEN, false)
        .flag(CKA_WRAP, true)
        .octets(CKA_MODULUS, modulus_)
        .octets(CKA_PUBLIC_EXPONENT, Bytes{1, 0, 1});
    aes.flag(CKA_TOKEN, false)
        .flag(CKA_SENSITIVE, true)
        .flag(CKA_EXTRACTABLE, true)
        .flag(CKA_WRAP, true)
        .number(CKA_VALUE_LEN, 32);
    CK_OBJECT_HANDLE transport = 0, secret = 0, own = 0;
    KeyObject there;
    CK_RV code = find_private(source, key_.label, key_.spki, own, there);
    if (code == CKR_OK) code = create_object(source, rsa, transport);
    CK_MECHANISM generator{CKM_AES_KEY_GEN, nullptr, 0};
    if (code == CKR_OK)
      code = source.functions.C_GenerateKey(source.handle, &generator, aes.data(), aes.size(), &secret);
    CK_RSA_PKCS_OAEP_PARAMS oaep = oaep_parameters();
    CK_MECHANISM by_rsa{CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep}, by_aes{CKM_AES_KEY_WRAP_PAD, nullptr, 0};
    if (code == CKR_OK) code = wrap_one(source, by_rsa, transport, secret, wrapped_secret_);
    if (code == CKR_OK) code = wrap_one(source, by_aes, secret, own, wrapped_key_);
    return code;
  }

  CK_RV unwrap(const Token::Session& target) {
    Template aes, closed;
    aes.number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, CKK_AES)
        .flag(CKA_TOKEN, false)
        .flag(CKA_SENSITIVE, true)
        .flag(CKA_EXTRACTABLE, false)
        .flag(CKA_UNWRAP, true);
    closed.number(CKA_CLASS, CKO_PRIVATE_KEY).number(CKA_KEY_TYPE, algorithms::row(key_.spec.type).pkcs11);
    add_name(closed, key_.label, key_.id);
    add_private_duties(closed, {key_.label, key_.spec, true});
    if (key_.wants_pin) closed.flag(CKA_ALWAYS_AUTHENTICATE, true);
    CK_RSA_PKCS_OAEP_PARAMS oaep = oaep_parameters();
    CK_MECHANISM by_rsa{CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep}, by_aes{CKM_AES_KEY_WRAP_PAD, nullptr, 0};
    CK_OBJECT_HANDLE secret = 0, copy = 0, half = 0;
    CK_RV code = target.functions.C_UnwrapKey(target.handle, &by_rsa, unwrapping_, wrapped_secret_.data(),
                                              wrapped_secret_.size(), aes.data(), aes.size(), &secret);
    if (code == CKR_OK)
      code = target.functions.C_UnwrapKey(target.handle, &by_aes, secret, wrapped_key_.data(),
                                          wrapped_key_.size(), closed.data(), closed.size(), &copy);
    Template open;
    if (code == CKR_OK && !add_public_object(open, key_.label, key_.id, key_.spki)) code = CKR_ARGUMENTS_BAD;
    if (code == CKR_OK) code = create_object(target, open, half);
    // A private half without its public one would be found and be of no use.
    if (code != CKR_OK && copy != 0) target.functions.C_DestroyObject(target.handle, copy);
    return code;
  }

  static CK_RSA_PKCS_OAEP_PARAMS oaep_parameters() {
    CK_RSA_PKCS_OAEP_PARAMS parameters{};
    parameters.hashAlg = CKM_SHA_1;  // the one every module has; OAEP does not lean on its collisions
    parameters.mgf = CKG_MGF1_SHA1;
    parameters.source = 1;  // CKZ_DATA_SPECIFIED
    return parameters;
  }

  static CK_RV wrap_one(const Token::Session& session, CK_MECHANISM& mechanism, CK_OBJECT_HANDLE under,
                        CK_OBJECT_HANDLE what, Bytes& wrapped) {
    CK_ULONG size = 0;
    CK_RV code = session.functions.C_WrapKey(session.handle, &mechanism, under, what, nullptr, &size);
    if (code != CKR_OK) return code;
    wrapped.resize(size);
    code = session.functions.C_WrapKey(session.handle, &mechanism, under, what, wrapped.data(), &size);
    wrapped.resize(code == CKR_OK ? size : 0);
    return code;
  }

  Token& from_;
  Token& to_;
  const KeyObject& key_;
  CK_OBJECT_HANDLE unwrapping_ = 0;
  Bytes modulus_, wrapped_secret_, wrapped_key_;
};

}  // namespace

Status import_key(Token& token, const NewKey& key, const Secret& pkcs8) {
  HANAPER_TRY(const std::shared_ptr<crypto::SoftKey> soft, crypto::SoftKey::from_pkcs8(pkcs8));
  HANAPER_CHECK(refuse_taken(token, key.label));
  const Bytes id = new_id();
  Template open, closed;
  HANAPER_CHECK(add_public_object(open, key.label, id, soft->spki()));
  closed.number(CKA_CLASS, CKO_PRIVATE_KEY).number(CKA_KEY_TYPE, algorithms::row(soft->spec().type).pkcs11);
  add_name(closed, key.label, id);
  add_private_duties(closed, {key.label, soft->spec(), key.wrappable});
  add_private_half(closed, *soft);
  CK_RV answer = CKR_OK;
  Status taken_over = token.run(
      [&](const Token::Session& session) {
        CK_OBJECT_HANDLE private_half = 0, public_half = 0;
        CK_RV code = create_object(session, closed, private_half);
        if (code == CKR_OK) code = create_object(session, open, public_half);
        if (code != CKR_OK && private_half != 0)
          session.functions.C_DestroyObject(session.handle, private_half);
        return code;
      },
      &answer);
  return explain(token, std::move(taken_over), answer,
                 "take a key of type " + to_string(soft->spec()) + " from outside");
}

Status copy_key(Token& from, Token& to, std::string_view label) {
  HANAPER_TRY(const KeyObject key, describe_key(from, label));
  const auto there = describe_key(to, label);
  if (there && there->spki == key.spki) return {};
  if (there || there.error().code != Code::not_found)
    return conflict("token " + to.name() + " has another key \"" + std::string(label) + "\"");
  return Passage(from, to, key).go();
}

}  // namespace hanaper::pkcs11
