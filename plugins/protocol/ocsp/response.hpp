// Writing OCSP responses (RFC 6960 4.2).
#pragma once

#include "request.hpp"

#include <hanaper/validity.hpp>

namespace hanaper::ocsp {

// RFC 6960 4.2.1.
enum class ResponseStatus : std::uint8_t {
  successful = 0,
  malformed_request = 1,
  internal_error = 2,
  try_later = 3,
  unauthorized = 6,
};

struct Revoked {
  Time at;
  RevocationReason reason = RevocationReason::unspecified;
  std::optional<Time> invalidity;
};

// The complete CRL that lists a revoked certificate.
struct CrlReference {
  std::string url;
  std::uint64_t number = 0;
  Time at;
};

// What is known of one certificate.
struct Single {
  CertId id;
  enum class Kind : std::uint8_t { good, revoked, unknown } kind = Kind::unknown;
  Revoked revoked;  // when it is
  std::optional<CrlReference> crl = {};
};

struct Basic {
  std::span<const Single> singles;
  Time this_update;  // also producedAt
  Time next_update;
  std::optional<ByteView> nonce;
  bool extended_revoke = false;  // some are revoked because they were never issued
  bool by_name = false;          // the responder by its name; else by its key
  std::optional<Time> archive_cutoff = {};
};

// A whole OCSPResponse, signed.
Result<Bytes> make_response(const Basic& basic, Responder& responder);

// One that carries nothing but its status.
std::string error_response(ResponseStatus status);

}  // namespace hanaper::ocsp
