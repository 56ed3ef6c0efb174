// OpenSSL as the second opinion: what it reads out of the same octets, in values of our own.
//
// Everything here goes through OpenSSL's own decoders and none of the toolkit's, so that both readings can
// be laid side by side.
#pragma once

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/name.hpp>

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <memory>

namespace hanaper::oracle {

template <auto Free>
struct Freeing {
  void operator()(auto* object) const noexcept { Free(object); }
};
template <class T, auto Free>
using Owned = std::unique_ptr<T, Freeing<Free>>;

using X509Ptr = Owned<X509, X509_free>;
using RequestPtr = Owned<X509_REQ, X509_REQ_free>;
using NamePtr = Owned<X509_NAME, X509_NAME_free>;
using PkeyPtr = Owned<EVP_PKEY, EVP_PKEY_free>;
using TimePtr = Owned<ASN1_TIME, ASN1_TIME_free>;
using ConstraintsPtr = Owned<NAME_CONSTRAINTS, NAME_CONSTRAINTS_free>;

inline void free_extensions(STACK_OF(X509_EXTENSION) * list) {
  sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}
using ExtensionsPtr = Owned<STACK_OF(X509_EXTENSION), free_extensions>;

// Null when the octets are not exactly one such object.
X509Ptr read_certificate(ByteView der);
RequestPtr read_request(ByteView der);
NamePtr read_name(ByteView der);
PkeyPtr read_public_key(ByteView spki);

// What an i2d function writes.
template <class Encode, class Object>
Bytes encoded(Encode encode, Object* object) {
  unsigned char* out = nullptr;
  const int size = encode(object, &out);
  if (size < 0) return {};
  Bytes octets(out, out + size);
  OPENSSL_free(out);
  return octets;
}

Bytes octets_of(const ASN1_STRING* text);
std::string text_of(const ASN1_OBJECT* object);  // dotted
Time time_of(const ASN1_TIME* time);

// A name as OpenSSL has it: one entry for each attribute, whatever set it stands in.
struct Attribute {
  std::string oid;
  std::string value;  // UTF-8; empty where OpenSSL cannot turn it into that
  int tag = 0;
  int set = 0;
  bool operator==(const Attribute&) const = default;
};
std::vector<Attribute> attributes_of(const X509_NAME* name);
// The same without string types, to compare with the toolkit's.
x509::Name name_of(const X509_NAME* name);
// The name put together again from its entries, so that nothing is a copy of what was read.
Bytes encoded_anew(const X509_NAME* name);

struct Extension {
  std::string oid;
  bool critical = false;
  Bytes value;
  bool operator==(const Extension&) const = default;
};
std::vector<Extension> extensions_of(const STACK_OF(X509_EXTENSION) * list);
std::vector<Extension> extensions_of(const std::vector<x509::ExtensionView>& list);

// A GeneralName: the type is one of GEN_*, the value UTF-8 text or hexadecimal octets.
struct GeneralName {
  int type = 0;
  std::string value;
  bool operator==(const GeneralName&) const = default;
};

struct Subtrees {
  std::vector<GeneralName> permitted, excluded;
};

struct Policy {
  std::string oid;
  std::string cps;
  bool operator==(const Policy&) const = default;
};

struct Access {
  std::string method;
  GeneralName location;
  bool operator==(const Access&) const = default;
};

// The known extensions of a list, by OpenSSL's decoders. A member stays empty when the extension is absent;
// the names of those that are there and cannot be decoded stand in `broken`.
struct Known {
  std::optional<std::vector<GeneralName>> names;
  std::optional<std::uint16_t> key_usage;  // bits as x509::KeyUsage numbers them
  std::optional<std::vector<std::string>> extended_key_usage;
  std::optional<x509::BasicConstraints> basic_constraints;
  std::optional<Bytes> subject_key_identifier;
  struct Authority {
    Bytes identifier;
    bool has_issuer = false, has_serial = false;
  };
  std::optional<Authority> authority_key_identifier;
  std::optional<std::vector<Access>> authority_info_access;
  std::optional<std::vector<std::vector<GeneralName>>> crl_distribution_points;
  std::optional<std::vector<Policy>> policies;
  std::optional<Subtrees> name_constraints;
  std::optional<std::vector<long>> tls_features;
  std::vector<int> broken;  // NIDs
};
Known known_of(const STACK_OF(X509_EXTENSION) * list);

// Each known extension decoded and encoded again by OpenSSL; the first that comes out different, by name.
std::optional<std::string> changed_by_encoding(const STACK_OF(X509_EXTENSION) * list);

// A small generator that is the same everywhere, unlike those of <random>.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {  // splitmix64
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(next() % bound); }
  std::size_t between(std::size_t low, std::size_t high) { return low + below(high - low + 1); }
  bool chance(unsigned percent) { return below(100) < percent; }
  char character(std::string_view alphabet) { return alphabet[below(alphabet.size())]; }
  Bytes octets(std::size_t count) {
    Bytes out(count);
    for (std::uint8_t& octet : out) octet = static_cast<std::uint8_t>(next());
    return out;
  }
  const auto& pick(const auto& list) {
    return *(std::begin(list) + static_cast<long>(below(std::size(list))));
  }

 private:
  std::uint64_t state_;
};

// The seed of this run: HANAPER_TEST_SEED, or always the same. Each case starts from its own number, so that
// one case can be repeated alone.
std::uint64_t run_seed();
Random random_for(std::string_view family, std::size_t number);
std::string trace(std::string_view family, std::size_t number);  // for SCOPED_TRACE

}  // namespace hanaper::oracle
