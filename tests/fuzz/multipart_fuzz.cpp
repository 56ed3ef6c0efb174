// Multipart answers of EST: whatever the parts hold, a reader that goes by RFC 2046 5.1.1 alone finds them.
#include "fuzz.hpp"

#include <body.hpp>

namespace {

using namespace hanaper;

// The bodies between delimiters, each behind its header fields.
std::vector<std::string> bodies_of(std::string_view text, const std::string& boundary) {
  std::vector<std::string> bodies;
  const std::string delimiter = "--" + boundary;
  fuzz::require(text.starts_with(delimiter + "\r\n"));
  text.remove_prefix(delimiter.size() + 2);
  for (bool last = false; !last;) {
    const std::size_t end = text.find("\r\n" + delimiter);
    fuzz::require(end != std::string_view::npos);
    const std::string_view part = text.substr(0, end);
    const std::size_t blank = part.find("\r\n\r\n");
    fuzz::require(blank != std::string_view::npos);
    bodies.emplace_back(part.substr(blank + 4));
    text.remove_prefix(end + 2 + delimiter.size());
    last = text == "--\r\n";
    fuzz::require(last || text.starts_with("\r\n"));
    if (!last) text.remove_prefix(2);
  }
  return bodies;
}

}  // namespace

// The first octet says where the rest is cut into two, and whether lines are broken.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const ByteView rest(data + 1, size - 1);
  const bool lines = (data[0] & 1) != 0;
  const std::size_t cut = 1 + data[0] % (rest.size() - 1);
  const ByteView parts[] = {rest.first(cut), rest.subspan(cut)};
  const Response response =
      est::multipart({{"application/pkcs8", est::encode_body(parts[0], lines)},
                      {"application/pkcs7-mime; smime-type=certs-only", est::encode_body(parts[1], lines)}});
  const std::string type = response.headers.front().value;
  const std::string wanted = "multipart/mixed; boundary=";
  fuzz::require(type.starts_with(wanted));
  const std::vector<std::string> bodies = bodies_of(response.body, type.substr(wanted.size()));
  fuzz::require(bodies.size() == 2);
  for (std::size_t i = 0; i < 2; ++i)
    fuzz::require(equal(fuzz::must(est::decode_body(as_bytes(bodies[i]))), parts[i]));
  return 0;
}
