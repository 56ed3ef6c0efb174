// Certificates of other authorities than ours, and whether they lead to an anchor we were given.
#pragma once

#include <hanaper/result.hpp>
#include <hanaper/values.hpp>

#include <memory>

typedef struct x509_store_st X509_STORE;

namespace hanaper::mtls {

// Anchors and, where there are any, CRLs. Immutable; thread-safe.
class Trust {
 public:
  // PEM files: certificates that are trusted as anchors, and CRLs of every authority below them; empty when
  // revocation is not asked about. Keys and signatures have 112 bits of security (OpenSSL's level 2); of
  // `old` devices RSA keys of 1024 bits and signatures with SHA-1 are taken as well. malformed when a file
  // has none.
  static Result<Trust> load(const std::string& anchors, const std::string& crls, bool old);

  // RFC 5280 6.1 with the purpose of a TLS client. unauthenticated, with the reason.
  Status check(const std::vector<ByteView>& chain, Time now) const;

 private:
  std::shared_ptr<X509_STORE> store_;
  bool old_ = false;
};

// RFC 5280 7.1: whether two Names are the same but for case, blanks and string types. Whole Names, DER; what
// cannot be read is the same as nothing but its own octets.
bool same_name(ByteView a, ByteView b);

}  // namespace hanaper::mtls
