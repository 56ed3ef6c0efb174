#include <hanaper/toolkit/bundle.hpp>

#include "crypto_context.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/der.hpp>

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

#include <algorithm>

namespace hanaper::x509 {
namespace {

using crypto::Owned;

// Whoever wrote the file chose how often a guess is hashed: Java takes 10,000 rounds, OpenSSL 2,048.
constexpr long most_rounds = 1'000'000;

template <class T, class Write>
Bytes octets_of(T* value, Write write) {
  unsigned char* octets = nullptr;
  const int size = write(value, &octets);
  if (size <= 0) return {};
  Bytes der(octets, octets + size);
  OPENSSL_free(octets);
  return der;
}

enum class Shape { certificate, crl, pkcs7, pkcs12, none };

// RFC 5280 4.1 and 5.1: the first elements of what is signed tell a certificate from a CRL, with version or
// without.
Shape shape_of_signed(der::Reader tbs) {
  if (tbs.peek() == der::sequence) return Shape::crl;
  const auto first = tbs.next();
  if (!first) return Shape::none;
  if (first->tag == der::context(0)) return Shape::certificate;
  if (!tbs.next() || !tbs.next()) return Shape::none;
  return tbs.peek() == der::sequence ? Shape::certificate : Shape::crl;
}

// PKCS#7 may be BER, in which a length is missing: its object identifier is looked for where it has to be.
Shape shape_of(ByteView octets) {
  if (auto outer = der::open(octets, der::sequence)) {
    if (outer->peek() == der::object_identifier) return Shape::pkcs7;
    if (outer->peek() == der::integer) return Shape::pkcs12;
    const auto tbs = outer->enter(der::sequence);
    return tbs ? shape_of_signed(*tbs) : Shape::none;
  }
  const std::size_t length = octets.size() > 1 && octets[1] > 0x80 ? octets[1] & 0x7f : 0;
  if (octets.size() < 3 + length || octets[0] != der::sequence) return Shape::none;
  if (octets[2 + length] == der::object_identifier) return Shape::pkcs7;
  return octets[2 + length] == der::integer ? Shape::pkcs12 : Shape::none;
}

Status read_pkcs7(ByteView octets, Bundle& bundle) {
  const unsigned char* at = octets.data();
  const Owned<PKCS7, PKCS7_free> message(d2i_PKCS7(nullptr, &at, static_cast<long>(octets.size())));
  ERR_clear_error();
  if (!message || !PKCS7_type_is_signed(message.get()) || message->d.sign == nullptr)
    return malformed("is a PKCS#7 that is no SignedData");
  const PKCS7_SIGNED* content = message->d.sign;
  for (int i = 0; i < sk_X509_num(content->cert); ++i)
    bundle.certificates.push_back(octets_of(sk_X509_value(content->cert, i), i2d_X509));
  for (int i = 0; i < sk_X509_CRL_num(content->crl); ++i)
    bundle.crls.push_back(octets_of(sk_X509_CRL_value(content->crl, i), i2d_X509_CRL));
  return {};
}

template <class T, auto Free>
Owned<T, Free> unpack(const ASN1_ITEM* item, const X509_ALGOR& algorithm) {
  Owned<T, Free> value(static_cast<T*>(ASN1_TYPE_unpack_sequence(item, algorithm.parameter)));
  ERR_clear_error();
  return value;
}

// What is negative or fits no long is more than anybody does.
std::uint64_t bounded(std::int64_t count) {
  return static_cast<std::uint64_t>(count < 0 || count > most_rounds ? most_rounds + 1 : count);
}

std::uint64_t rounds_of(const ASN1_INTEGER* count) {
  std::int64_t value = 0;
  return bounded(ASN1_INTEGER_get_int64(&value, count) == 1 ? value : -1);
}

// How often something is hashed to turn the pin into a key. What cannot be read here, OpenSSL refuses.
std::uint64_t rounds_of_kdf(const X509_ALGOR& kdf) {
  const int nid = OBJ_obj2nid(kdf.algorithm);
  if (nid == NID_id_pbkdf2) {
    const auto pbkdf2 = unpack<PBKDF2PARAM, PBKDF2PARAM_free>(ASN1_ITEM_rptr(PBKDF2PARAM), kdf);
    return pbkdf2 ? rounds_of(pbkdf2->iter) : 0;
  }
  if (nid == NID_id_scrypt) {
    const auto scrypt = unpack<SCRYPT_PARAMS, SCRYPT_PARAMS_free>(ASN1_ITEM_rptr(SCRYPT_PARAMS), kdf);
    if (!scrypt) return 0;
    std::uint64_t rounds = rounds_of(scrypt->costParameter);
    for (const ASN1_INTEGER* factor : {scrypt->blockSize, scrypt->parallelizationParameter})
      rounds = bounded(static_cast<std::int64_t>(rounds * rounds_of(factor)));
    return rounds;
  }
  const auto pbe = unpack<PBEPARAM, PBEPARAM_free>(ASN1_ITEM_rptr(PBEPARAM), kdf);
  return pbe ? rounds_of(pbe->iter) : 0;
}

// PBMAC1 (RFC 9579) begins with its KDF as PBES2 does (RFC 8018 A.4 and A.5).
std::uint64_t rounds_of(const X509_ALGOR& algorithm) {
  const int nid = OBJ_obj2nid(algorithm.algorithm);
  if (nid != NID_pbes2 && nid != NID_pbmac1) return rounds_of_kdf(algorithm);
  const auto pbes2 = unpack<PBE2PARAM, PBE2PARAM_free>(ASN1_ITEM_rptr(PBE2PARAM), algorithm);
  return pbes2 ? rounds_of_kdf(*pbes2->keyfunc) : 0;
}

void free_safes(STACK_OF(PKCS7) * safes) { sk_PKCS7_pop_free(safes, PKCS7_free); }
void free_bags(STACK_OF(PKCS12_SAFEBAG) * bags) { sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free); }
using Safes = Owned<STACK_OF(PKCS7), free_safes>;
using Bags = Owned<STACK_OF(PKCS12_SAFEBAG), free_bags>;

bool is_encrypted(const PKCS7* safe) {
  return OBJ_obj2nid(safe->type) == NID_pkcs7_encrypted && safe->d.encrypted != nullptr;
}

// All that opening the file does under the pin: its MAC, and each part in which certificates may be. Keys
// stay closed, so that theirs do not count.
Status check_rounds(const PKCS12& file, const STACK_OF(PKCS7) * safes) {
  const ASN1_INTEGER* of_mac = nullptr;
  const X509_ALGOR* mac = nullptr;
  PKCS12_get0_mac(nullptr, &mac, nullptr, &of_mac, &file);
  std::uint64_t rounds = of_mac != nullptr ? rounds_of(of_mac) : 1;
  if (mac != nullptr) rounds += rounds_of(*mac);
  for (int i = 0; i < sk_PKCS7_num(safes); ++i)
    if (const PKCS7* safe = sk_PKCS7_value(safes, i); is_encrypted(safe))
      rounds += rounds_of(*safe->d.encrypted->enc_data->algorithm);
  if (rounds > static_cast<std::uint64_t>(most_rounds))
    return malformed("is a PKCS#12 of more than a million rounds");
  return {};
}

// Bags may hold bags.
void take_certificates(const STACK_OF(PKCS12_SAFEBAG) * bags, Bundle& bundle) {
  for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags); ++i) {
    const PKCS12_SAFEBAG* bag = sk_PKCS12_SAFEBAG_value(bags, i);
    const int nid = PKCS12_SAFEBAG_get_nid(bag);
    if (nid == NID_safeContentsBag) take_certificates(PKCS12_SAFEBAG_get0_safes(bag), bundle);
    if (nid != NID_certBag || PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate) continue;
    const crypto::X509Ptr certificate(PKCS12_SAFEBAG_get1_cert(bag));
    if (certificate) bundle.certificates.push_back(octets_of(certificate.get(), i2d_X509));
  }
}

Bags bags_of(PKCS7* safe, const char* pin, int size) {
  if (is_encrypted(safe)) return Bags(PKCS12_unpack_p7encdata(safe, pin, size));
  return Bags(PKCS7_type_is_data(safe) ? PKCS12_unpack_p7data(safe) : sk_PKCS12_SAFEBAG_new_null());
}

Status read_pkcs12(ByteView octets, const Secret& pin, Bundle& bundle) {
  const unsigned char* at = octets.data();
  const Owned<PKCS12, PKCS12_free> file(d2i_PKCS12(nullptr, &at, static_cast<long>(octets.size())));
  ERR_clear_error();
  if (!file) return malformed("is neither a certificate nor a CRL, a PKCS#7 or a PKCS#12");
  if (PKCS12_mac_present(file.get()) != 1) return malformed("is a PKCS#12 without a MAC");
  const Safes safes(PKCS12_unpack_authsafes(file.get()));
  ERR_clear_error();
  if (!safes) return malformed("is a PKCS#12 that is damaged");
  HANAPER_CHECK(check_rounds(*file, safes.get()));
  const Secret text(std::string(pin.reveal()));  // ends with a zero
  const int size = static_cast<int>(text.reveal().size());
  const char* password = text.reveal().data();
  bool fits = PKCS12_verify_mac(file.get(), password, size) == 1;
  // No pin is written in two ways: as an empty one, and as none.
  if (!fits && size == 0) fits = PKCS12_verify_mac(file.get(), password = nullptr, 0) == 1;
  ERR_clear_error();
  if (!fits)
    return forbidden(pin.empty() ? "is a PKCS#12 that wants its pin"
                                 : "is a PKCS#12 that the pin does not open");
  for (int i = 0; i < sk_PKCS7_num(safes.get()); ++i) {
    const Bags bags = bags_of(sk_PKCS7_value(safes.get(), i), password, size);
    ERR_clear_error();
    if (!bags)
      return unsupported("is a PKCS#12 that cannot be decrypted here; write it anew as OpenSSL 3 does");
    take_certificates(bags.get(), bundle);
  }
  return {};
}

Status read_der(ByteView octets, const Secret& pin, Bundle& bundle) {
  const Shape shape = shape_of(octets);
  if (shape != Shape::crl && octets.size() > max_bundle) return malformed("is larger than 64 MiB");
  switch (shape) {
    case Shape::certificate:
      bundle.certificates.push_back(to_bytes(octets));
      return {};
    case Shape::crl:
      bundle.crls.push_back(to_bytes(octets));
      return {};
    case Shape::pkcs7:
      return read_pkcs7(octets, bundle);
    case Shape::pkcs12:
      return read_pkcs12(octets, pin, bundle);
    case Shape::none:
      break;
  }
  return malformed("is neither a certificate nor a CRL, a PKCS#7 or a PKCS#12");
}

Status take_block(pem::Block block, Bundle& bundle) {
  if (block.label == "CERTIFICATE" || block.label == "X509 CERTIFICATE")
    bundle.certificates.push_back(std::move(block.der));
  else if (block.label == "X509 CRL")
    bundle.crls.push_back(std::move(block.der));
  else
    return read_pkcs7(block.der, bundle);
  return {};
}

// Block by block: between them there may be keys in forms that nobody here reads.
Status read_pem(std::string_view text, Bundle& bundle) {
  constexpr std::string_view begin = "-----BEGIN ", dashes = "-----";
  constexpr std::string_view wanted[] = {"CERTIFICATE", "X509 CERTIFICATE", "X509 CRL", "PKCS7", "CMS"};
  for (std::size_t at = text.find(begin); at != std::string_view::npos; at = text.find(begin, at + 1)) {
    const std::string_view rest = text.substr(at + begin.size());
    const std::string_view label = rest.substr(0, rest.find(dashes));
    if (std::ranges::find(wanted, label) == std::end(wanted)) continue;
    const std::string closing = "-----END " + std::string(label) + "-----";
    const std::size_t end = text.find(closing, at);
    if (end == std::string_view::npos) return malformed("has a " + std::string(label) + " without end line");
    auto blocks = pem::decode(text.substr(at, end + closing.size() - at));
    if (!blocks) return std::move(blocks).error();
    for (pem::Block& block : *blocks) HANAPER_CHECK(take_block(std::move(block), bundle));
    at = end;
  }
  return {};
}

}  // namespace

Result<Bundle> read_bundle(ByteView octets, const Secret& pin) {
  Bundle bundle;
  const std::string_view text = as_text(octets);
  const bool is_der = octets.size() > 1 && octets[0] == der::sequence && octets[1] >= 0x80;
  if (!is_der && text.find("-----BEGIN ") != std::string_view::npos) {
    HANAPER_CHECK(read_pem(text, bundle));
  } else {
    HANAPER_CHECK(read_der(octets, pin, bundle));
  }
  return bundle;
}

}  // namespace hanaper::x509
