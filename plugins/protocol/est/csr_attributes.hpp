// csrattrs: what certification requests ought to contain, as RFC 8951 4 lists it and as RFC 9908 3.4 draws
// it.
#pragma once

#include <hanaper/host.hpp>

namespace hanaper::est {

// One element of CsrAttrs for each text, in their order. Each is "challenge-password", a key type ("ec-p384",
// "rsa-3072"), a signature scheme ("ecdsa-sha384"), "extension=OID", or an object identifier. malformed names
// the text.
Result<std::vector<Bytes>> listed_attributes(const std::vector<std::string>& texts);

// The element that holds a CertificationRequestInfoTemplate of what `form` wants.
Bytes template_attribute(const RequestForm& form);

// DER CsrAttrs.
Bytes csr_attributes(const std::vector<Bytes>& elements);

}  // namespace hanaper::est
