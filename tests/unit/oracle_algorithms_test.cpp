// The table of algorithms, row by row, against what OpenSSL knows of them.
#include "oracle.hpp"

#include <hanaper/toolkit/algorithms.hpp>
#include <hanaper/toolkit/public_key.hpp>
#include <hanaper/toolkit/signature_algorithm.hpp>
#include <hanaper/toolkit/soft_key.hpp>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <set>

namespace hanaper::oracle {
namespace {

using algorithms::HashRow;
using algorithms::KeyRow;
using algorithms::SchemeRow;
using crypto::SoftKey;

int nid_of(const der::Oid& oid) {
  ASN1_OBJECT* object = OBJ_txt2obj(der::oid_to_text(oid).c_str(), 1);
  const int nid = OBJ_obj2nid(object);
  ASN1_OBJECT_free(object);
  return nid;
}

Bytes bytes_of(unsigned char* encoded, int size) {
  Bytes octets(encoded, encoded + std::max(size, 0));
  OPENSSL_free(encoded);
  return octets;
}

Bytes encode(const X509_ALGOR* algorithm) {
  unsigned char* encoded = nullptr;
  const int size = i2d_X509_ALGOR(algorithm, &encoded);
  return bytes_of(encoded, size);
}

std::shared_ptr<SoftKey> key_of(KeyType type) {
  static std::map<KeyType, std::shared_ptr<SoftKey>> made;
  std::shared_ptr<SoftKey>& key = made[type];
  if (!key) key = *SoftKey::generate({type, algorithms::row(type).bits});
  return key;
}

TEST(Algorithms, EveryDigestIsWhatOpenSslCallsSo) {
  for (const HashRow& row : algorithms::hashes) {
    SCOPED_TRACE(row.openssl);
    const EVP_MD* md = EVP_get_digestbyname(row.openssl);
    ASSERT_NE(md, nullptr);
    EXPECT_EQ(nid_of(row.oid), EVP_MD_get_type(md));
    EXPECT_EQ(row.size, static_cast<std::size_t>(EVP_MD_get_size(md)));
    const Bytes digest = crypto::digest(row.hash, as_bytes("text"));
    X509_SIG* info = X509_SIG_new();
    X509_ALGOR* algorithm = nullptr;
    ASN1_OCTET_STRING* octets = nullptr;
    X509_SIG_getm(info, &algorithm, &octets);
    X509_ALGOR_set_md(algorithm, md);
    if (algorithm->parameter == nullptr)
      X509_ALGOR_set0(algorithm, OBJ_nid2obj(EVP_MD_get_type(md)), V_ASN1_NULL, nullptr);
    ASN1_OCTET_STRING_set(octets, digest.data(), static_cast<int>(digest.size()));
    unsigned char* encoded = nullptr;
    const int size = i2d_X509_SIG(info, &encoded);
    Bytes ours = to_bytes(row.digest_info);
    ours.insert(ours.end(), digest.begin(), digest.end());
    EXPECT_EQ(to_hex(ours), to_hex(bytes_of(encoded, size)));
    X509_SIG_free(info);
  }
}

TEST(Algorithms, EveryKeyIsWrittenAndReadAsOpenSslDoes) {
  for (const KeyRow& row : algorithms::keys) {
    SCOPED_TRACE(row.openssl);
    const auto key = key_of(row.type);
    EXPECT_EQ(key->spec(), (KeySpec{row.type, row.bits}));
    const unsigned char* at = key->spki().data();
    X509_PUBKEY* spki = d2i_X509_PUBKEY(nullptr, &at, static_cast<long>(key->spki().size()));
    ASN1_OBJECT* id = nullptr;
    X509_ALGOR* algorithm = nullptr;
    X509_PUBKEY_get0_param(&id, nullptr, nullptr, &algorithm, spki);
    EXPECT_EQ(OBJ_obj2nid(id), nid_of(row.oid));
    unsigned char* encoded = nullptr;
    const int size = algorithm->parameter == nullptr ? 0 : i2d_ASN1_TYPE(algorithm->parameter, &encoded);
    EXPECT_EQ(to_hex(bytes_of(encoded, size)), to_hex(row.parameters));
    X509_PUBKEY_free(spki);

    const auto parsed = x509::parse_public_key(key->spki());
    ASSERT_TRUE(parsed) << parsed.error().detail;
    EXPECT_TRUE(x509::check_public_key(*parsed));
    EXPECT_EQ(row.family == algorithms::Family::rsa ? x509::rsa_spki(parsed->modulus, parsed->exponent)
                                                    : x509::ec_spki(row.type, parsed->point),
              to_bytes(key->spki()));
    EVP_PKEY_CTX* context = EVP_PKEY_CTX_new(key->pkey(), nullptr);
    EXPECT_EQ(EVP_PKEY_encrypt_init(context) == 1, row.encrypts);
    EVP_PKEY_CTX_free(context);
    EXPECT_TRUE(x509::fits({row.type, row.bits}, row.scheme));
  }
}

// A signature over the DER of an OCTET STRING, made by OpenSSL, which says itself what it calls the
// algorithm.
struct Made {
  Bytes algorithm, signature;
};
Made sign_by_openssl(const SchemeRow& row, EVP_PKEY* pkey, ASN1_OCTET_STRING* message) {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_PKEY_CTX* options = nullptr;
  const EVP_MD* md = row.hash ? EVP_get_digestbyname(algorithms::row(*row.hash).openssl) : nullptr;
  EXPECT_EQ(EVP_DigestSignInit(context, &options, md, nullptr, pkey), 1);
  if (row.padding == algorithms::Padding::pss) {
    EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST);
  }
  X509_ALGOR* algorithm = X509_ALGOR_new();
  ASN1_BIT_STRING* signature = ASN1_BIT_STRING_new();
  EXPECT_GT(
      ASN1_item_sign_ctx(ASN1_ITEM_rptr(ASN1_OCTET_STRING), algorithm, nullptr, signature, message, context),
      0);
  Made made{encode(algorithm), Bytes(signature->data, signature->data + signature->length)};
  X509_ALGOR_free(algorithm);
  ASN1_BIT_STRING_free(signature);
  EVP_MD_CTX_free(context);
  return made;
}

bool verified_by_openssl(const SchemeRow& row, EVP_PKEY* pkey, ASN1_OCTET_STRING* message,
                         const Bytes& signature) {
  const ByteView identifier = row.identifier;
  const unsigned char* at = identifier.data();
  X509_ALGOR* algorithm = d2i_X509_ALGOR(nullptr, &at, static_cast<long>(identifier.size()));
  ASN1_BIT_STRING* bits = ASN1_BIT_STRING_new();
  ASN1_BIT_STRING_set(bits, const_cast<unsigned char*>(signature.data()), static_cast<int>(signature.size()));
  bits->flags = ASN1_STRING_FLAG_BITS_LEFT;
  const int verified = ASN1_item_verify(ASN1_ITEM_rptr(ASN1_OCTET_STRING), algorithm, bits, message, pkey);
  X509_ALGOR_free(algorithm);
  ASN1_BIT_STRING_free(bits);
  return verified == 1;
}

TEST(Algorithms, EverySchemeIsMadeAndVerifiedBothWays) {
  const std::string_view text = "to be signed";
  ASN1_OCTET_STRING* message = ASN1_OCTET_STRING_new();
  ASN1_OCTET_STRING_set(message, as_bytes(text).data(), static_cast<int>(text.size()));
  der::Writer encoded;
  encoded.octets(as_bytes(text));
  for (const SchemeRow& row : algorithms::schemes)
    for (const KeyRow& type : algorithms::keys) {
      SCOPED_TRACE(std::string(to_string(row.scheme)) + " by " + type.openssl);
      const auto key = key_of(type.type);
      const auto ours = key->sign(row.scheme, encoded.view());
      if (!x509::fits(key->spec(), row.scheme)) {
        ASSERT_FALSE(ours);
        EXPECT_EQ(ours.error().code, Code::unsupported);
        const auto refused = crypto::verify(row.scheme, key->spki(), encoded.view(), Bytes(64));
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, Code::bad_key);
        continue;
      }
      ASSERT_TRUE(ours) << ours.error().detail;
      EXPECT_TRUE(verified_by_openssl(row, key->pkey(), message, *ours));
      const Made theirs = sign_by_openssl(row, key->pkey(), message);
      EXPECT_EQ(to_hex(theirs.algorithm), to_hex(row.identifier));
      EXPECT_TRUE(crypto::verify(row.scheme, key->spki(), encoded.view(), theirs.signature));
      Bytes broken = theirs.signature;
      broken.back() ^= 1;
      EXPECT_FALSE(crypto::verify(row.scheme, key->spki(), encoded.view(), broken));
      if (row.hash)
        EXPECT_TRUE(key->sign_digest(row.scheme, crypto::digest(*row.hash, encoded.view())));
      else
        EXPECT_FALSE(key->sign_digest(row.scheme, Bytes(64)));
    }
  ASN1_OCTET_STRING_free(message);
}

TEST(Algorithms, EverySchemesIdentifierNamesItsDigestAndKey) {
  for (const SchemeRow& row : algorithms::schemes) {
    SCOPED_TRACE(to_string(row.scheme));
    int digest = 0, key = 0;
    ASSERT_EQ(OBJ_find_sigid_algs(nid_of(row.oid), &digest, &key), 1);
    if (row.padding != algorithms::Padding::pss) {
      EXPECT_EQ(key, nid_of(algorithms::row(row.key).oid));
      if (row.hash) {
        EXPECT_EQ(digest, nid_of(algorithms::row(*row.hash).oid));
      }
    }
    EXPECT_EQ(*x509::parse_signature_algorithm(row.identifier), row.scheme);
    EXPECT_EQ(*x509::parse_scheme(to_string(row.scheme)), row.scheme);
    if (row.hash) {
      EXPECT_EQ(row.cms_hash, *row.hash);
    }
  }
}

TEST(Algorithms, NamesAreUniqueWhereTheyTellApart) {
  std::set<std::string_view> jose;
  std::set<std::int64_t> cose;
  for (const SchemeRow& row : algorithms::schemes) {
    EXPECT_TRUE(jose.insert(row.jose).second) << row.jose;
    EXPECT_TRUE(cose.insert(row.cose).second) << row.cose;
  }
  std::set<std::pair<std::string_view, std::string_view>> jwk;
  std::set<std::pair<std::int64_t, std::int64_t>> cose_keys;
  for (const KeyRow& row : algorithms::keys) {
    EXPECT_TRUE(jwk.emplace(row.jose_type, row.jose_curve).second) << row.openssl;
    EXPECT_TRUE(cose_keys.emplace(row.cose_type, row.cose_curve).second) << row.openssl;
  }
}

// What configurations may say is what the table has.
TEST(Algorithms, ConfigurationsSpellEveryKeyType) {
  std::string choices;
  std::set<KeyType> named;
  for (KeySpec spec : key_specs) {
    choices += (choices.empty() ? "" : "|") + to_string(spec);
    named.insert(spec.type);
    EXPECT_EQ(*parse_key_spec(to_string(spec)), spec);
  }
  EXPECT_EQ(choices, key_spec_choices);
  EXPECT_EQ(named.size(), std::size(algorithms::keys));
  EXPECT_FALSE(parse_key_spec("rsa"));
  EXPECT_FALSE(parse_key_spec("rsa-1024"));
}

}  // namespace
}  // namespace hanaper::oracle
