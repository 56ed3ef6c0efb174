// Bodies as EST has them: base64, in whatever layout it comes.
#pragma once

#include <hanaper/http.hpp>

namespace hanaper::est {

// RFC 8951 3.1: "white space including CR, LF, spaces (ASCII 32), and tabs (ASCII 9) SHOULD be tolerated by
// receivers." What Content-Transfer-Encoding says makes no difference. malformed for anything but base64.
Result<Bytes> decode_body(ByteView body);

// One line and its end; or lines of 76 characters, for clients that read no longer ones.
std::string encode_body(ByteView octets, bool lines);

// One part of a multipart body (RFC 2046 5.1).
struct Part {
  std::string content_type;
  std::string body;  // base64 with its line ends
};

// RFC 2046 5.1.1: the boundary stands in no part, because base64 has no underscore.
Response multipart(const std::vector<Part>& parts);

// Whether a Content-Type is that media type; its parameters do not matter.
bool is_media_type(std::string_view content_type, std::string_view media_type);

// Whether its parameter smime-type (RFC 5751 3.2.2), in whatever case and quoted or not, is that; true also
// when it has none.
bool has_smime_type(std::string_view content_type, std::string_view wanted);

}  // namespace hanaper::est
