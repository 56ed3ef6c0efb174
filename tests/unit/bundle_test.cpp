// PKCS#12 as others make it, and as somebody crafts it who wants us to be busy for an hour.
#include <hanaper/toolkit/bundle.hpp>

#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include <gtest/gtest.h>

#include <functional>

namespace hanaper::x509 {
namespace {

constexpr const char* pin = "secret";
constexpr int usual = 2048, billion = 1'000'000'000;

template <auto Free>
struct Freed {
  void operator()(auto* object) const noexcept { Free(object); }
};
template <class T, auto Free>
using Own = std::unique_ptr<T, Freed<Free>>;

void free_safes(STACK_OF(PKCS7) * safes) { sk_PKCS7_pop_free(safes, PKCS7_free); }
void free_bags(STACK_OF(PKCS12_SAFEBAG) * bags) { sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free); }

// A certificate, with which key it is signed does not matter here.
Own<X509, X509_free> certificate(EVP_PKEY* key) {
  Own<X509, X509_free> made(X509_new());
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
  X509_set_pubkey(made.get(), key);
  X509_sign(made.get(), key, EVP_sha256());
  return made;
}

// What a file has of each kind; its parts are made with few rounds, and say what a row wants them to.
struct File {
  int nid = NID_aes_256_cbc;  // of the part with the certificate; -1: not encrypted
  int key_rounds = usual, mac_rounds = usual;
  std::function<X509_ALGOR*()> claims = {};  // in place of the part's algorithm
  int claimed_mac = 0;                       // in place of the MAC's rounds
};

Bytes write(const File& file) {
  const Own<EVP_PKEY, EVP_PKEY_free> key(EVP_EC_gen("P-256"));
  const auto leaf = certificate(key.get());
  STACK_OF(PKCS7)* safes = nullptr;
  STACK_OF(PKCS12_SAFEBAG)* bags = nullptr;
  PKCS12_add_cert(&bags, leaf.get());
  PKCS12_add_safe(&safes, bags, file.nid, usual, pin);
  free_bags(bags);
  bags = nullptr;
  PKCS12_add_key(&bags, key.get(), 0, file.key_rounds, NID_aes_256_cbc, pin);
  PKCS12_add_safe(&safes, bags, -1, 0, nullptr);
  free_bags(bags);
  if (file.claims) {
    X509_ALGOR*& algorithm = sk_PKCS7_value(safes, 0)->d.encrypted->enc_data->algorithm;
    X509_ALGOR_free(std::exchange(algorithm, file.claims()));
  }
  const Own<PKCS12, PKCS12_free> whole(PKCS12_add_safes(safes, 0));
  free_safes(safes);
  PKCS12_set_mac(whole.get(), pin, -1, nullptr, 0, file.mac_rounds, EVP_sha256());
  if (file.claimed_mac != 0) {
    const ASN1_INTEGER* rounds = nullptr;
    PKCS12_get0_mac(nullptr, nullptr, nullptr, &rounds, whole.get());
    ASN1_INTEGER_set(const_cast<ASN1_INTEGER*>(rounds), file.claimed_mac);
  }
  unsigned char* octets = nullptr;
  const int size = i2d_PKCS12(whole.get(), &octets);
  Bytes der(octets, octets + size);
  OPENSSL_free(octets);
  return der;
}

X509_ALGOR* pbes2(int rounds) {
  return PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), rounds, nullptr, 0, nullptr, NID_hmacWithSHA256);
}
X509_ALGOR* scrypt(std::uint64_t n, std::uint64_t r, std::uint64_t p) {
  return PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), nullptr, 0, nullptr, n, r, p);
}

constexpr const char* taken = "";
constexpr const char* too_many = "more than a million rounds";

struct Row {
  const char* name;
  File file;
  const char* says;
};

const Row rows[] = {
    {"as OpenSSL makes it", {}, taken},
    {"by PBES1", {.nid = NID_pbe_WithSHA1And3_Key_TripleDES_CBC}, taken},
    {"with certificates in the open", {.nid = -1}, taken},
    {"a key of many rounds, which nobody opens", {.key_rounds = 1'100'000}, taken},
    {"a MAC of a billion rounds", {.claimed_mac = billion}, too_many},
    {"a MAC of less than none", {.claimed_mac = -1}, too_many},
    {"PBES2 of a billion rounds", {.claims = [] { return pbes2(billion); }}, too_many},
    {"PBES1 of a billion rounds",
     {.claims = [] { return PKCS5_pbe_set(NID_pbe_WithSHA1And3_Key_TripleDES_CBC, billion, nullptr, 8); }},
     too_many},
    {"many in all", {.claims = [] { return pbes2(600'000); }, .claimed_mac = 600'000}, too_many},
    {"scrypt of many blocks", {.claims = [] { return scrypt(1 << 14, 8, 64); }}, too_many},
    {"scrypt over and over", {.claims = [] { return scrypt(1 << 10, 1, 1 << 17); }}, too_many},
};

TEST(Bundles, OfPkcs12AreOpenedWithinAMillionRounds) {
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const auto bundle = read_bundle(write(row.file), Secret(std::string(pin)));
    EXPECT_EQ(bundle ? taken : bundle.error().detail,
              *row.says == '\0' ? taken : std::string("is a PKCS#12 of ") + row.says);
    if (!bundle) continue;
    EXPECT_EQ(bundle->certificates.size(), 1u);
  }
}

TEST(Bundles, OfPkcs12WantTheirPin) {
  const Bytes file = write({});
  EXPECT_EQ(read_bundle(file, {}).error().detail, "is a PKCS#12 that wants its pin");
  EXPECT_EQ(read_bundle(file, Secret(std::string("another"))).error().detail,
            "is a PKCS#12 that the pin does not open");
}

}  // namespace
}  // namespace hanaper::x509
