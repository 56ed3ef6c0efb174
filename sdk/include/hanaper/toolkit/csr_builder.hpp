// Writing PKCS#10 requests (RFC 2986), for keys wherever they live.
#pragma once

#include <hanaper/toolkit/certificate_template.hpp>

namespace hanaper::x509 {

struct CsrContent {
  Name subject;
  std::vector<Identifier> names;      // subjectAltName of the extensionRequest
  std::vector<Extension> extensions;  // further ones
  std::string challenge_password;     // RFC 2985 5.4.1; empty: none
};

// [worker] A request signed by `key` with its default scheme. Failures are the key's.
Result<Bytes> build_csr(Key& key, const CsrContent& content);

}  // namespace hanaper::x509
