// Base64, base64url (RFC 4648) and PEM (RFC 7468). Decoders accept one spelling only.
#pragma once

#include <hanaper/values.hpp>

#include <vector>

namespace hanaper::base64 {

// RFC 4648 4, with padding, no line breaks.
std::string encode(ByteView bytes);
// RFC 4648 5 without padding, as JOSE and ACME want it (RFC 7515 2).
std::string encode_url(ByteView bytes);

// malformed for another alphabet, wrong padding, or stray bits in the last character.
Result<Bytes> decode(std::string_view text);
// The same for base64url; malformed when padded.
Result<Bytes> decode_url(std::string_view text);

}  // namespace hanaper::base64

namespace hanaper::pem {

struct Block {
  std::string label;  // "CERTIFICATE"
  Bytes der;
};

// One block: BEGIN line, lines of 64 characters, END line, each ended by '\n'.
std::string encode(std::string_view label, ByteView der);

// Every block of a file, whatever text stands between them (RFC 7468 2, "explanatory text"). malformed for
// a block without end or with bad base64, and for files of more than 16 MiB. Encapsulated headers are
// refused.
Result<std::vector<Block>> decode(std::string_view text);

}  // namespace hanaper::pem
