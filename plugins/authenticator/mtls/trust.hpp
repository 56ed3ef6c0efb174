// Certificates of other authorities than ours, and whether they lead to an anchor we were given.
#pragma once

#include <hanaper/values.hpp>

#include <memory>

typedef struct x509_store_st X509_STORE;

namespace hanaper::mtls {

// Anchors and, where there are any, CRLs. Immutable; thread-safe.
class Trust {
 public:
  // PEM files: certificates that are trusted as anchors, and CRLs of every authority below them; empty when
  // revocation is not asked about. malformed when a file has none.
  static Result<Trust> load(const std::string& anchors, const std::string& crls);

  // RFC 5280 6.1 with the purpose of a TLS client. unauthenticated, with the reason.
  Status check(const std::vector<ByteView>& chain, Time now) const;

 private:
  std::shared_ptr<X509_STORE> store_;
};

}  // namespace hanaper::mtls
