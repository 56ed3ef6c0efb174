// Lays the toolkit's reading of an object beside OpenSSL's.
#pragma once

#include "oracle.hpp"

namespace hanaper::oracle {

// Fails the running test for every value the two read differently. What OpenSSL reads and the toolkit refuses
// is not a failure here: it is returned, "part: why", for the caller to judge.
std::vector<std::string> expect_agreement(const X509* theirs, const x509::CertificateView& ours);
std::vector<std::string> expect_agreement(X509_REQ* theirs, const x509::CsrView& ours);

}  // namespace hanaper::oracle
