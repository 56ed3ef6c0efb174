// csrattrs: what certification requests ought to contain (RFC 7030 4.5.2 as RFC 8951 4 has it).
#pragma once

#include <hanaper/values.hpp>

namespace hanaper::est {

// DER CsrAttrs, in the order of the texts. Each is "challenge-password", a key type ("ec-p384", "rsa-3072"),
// a signature scheme ("ecdsa-sha384"), "extension=OID", or an object identifier. malformed names the text.
Result<Bytes> csr_attributes(const std::vector<std::string>& texts);

}  // namespace hanaper::est
