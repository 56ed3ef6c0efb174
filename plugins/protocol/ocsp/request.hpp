// Reading OCSP requests (RFC 6960 4.1): views into the input, nothing kept.
#pragma once

#include <hanaper/keys.hpp>
#include <hanaper/values.hpp>

namespace hanaper::ocsp {

// Larger requests, and more certificates in one, are refused as malformed.
inline constexpr std::size_t request_limit = 64 * 1024;
inline constexpr std::size_t id_limit = 32;

// A certificate by the hashes of its issuer's name and key, and its serial number.
struct CertId {
  ByteView whole;  // the DER SEQUENCE, as answers repeat it
  ByteView hash;   // content octets of the digest's OID
  ByteView name_hash;
  ByteView key_hash;
  ByteView serial;  // content octets of the INTEGER, minimal
};

struct OcspRequest {
  std::vector<CertId> ids;        // one or more
  std::optional<ByteView> nonce;  // content of the OCTET STRING; 1 to 128 octets
  std::vector<SignatureScheme> preferred;
  bool is_signed = false;
};

// malformed says what is wrong. With `read_nonce` off a nonce is not looked at.
Result<OcspRequest> parse_request(ByteView der, bool read_nonce);

// The only certificate of a request that has neither extensions nor a signature; nothing when the request is
// another, right or wrong.
std::optional<CertId> parse_plain_request(ByteView der);

// The request of a GET (RFC 6960 A.1): what follows the service's path, base64 in either alphabet, padded or
// not, percent-encoded or not. malformed.
Result<Bytes> decode_path(std::string_view path);

}  // namespace hanaper::ocsp
