// Certificates and requests that OpenSSL makes, with what it lets its users put in.
#pragma once

#include "oracle_family.hpp"

namespace hanaper::oracle {

X509Ptr foreign_certificate(std::size_t number);

struct ForeignRequest {
  RequestPtr request;
  Signer signer;
};
ForeignRequest foreign_request(std::size_t number);

// Names in every string type a directory string may have.
NamePtr foreign_name(Random& random);
void add_attribute(X509_NAME* name, const char* oid, int type, ByteView value);

// Signs as the scheme says.
bool sign(X509* certificate, const Signer& signer);
bool sign(X509_REQ* request, const Signer& signer);

}  // namespace hanaper::oracle
