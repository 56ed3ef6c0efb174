#include "body.hpp"

#include <hanaper/toolkit/base64.hpp>

namespace hanaper::est {
namespace {

constexpr std::size_t line_length = 76;
constexpr std::string_view boundary = "hanaper_est_part";

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

Result<Bytes> decode_body(ByteView body) {
  std::string text;
  text.reserve(body.size());
  for (const char c : as_text(body))
    if (!is_space(c)) text.push_back(c);
  if (text.empty()) return malformed("the body is empty");
  auto octets = base64::decode(text);
  if (!octets) return malformed("the body is not base64");
  return octets;
}

std::string encode_body(ByteView octets, bool lines) {
  std::string text = base64::encode(octets);
  if (!lines) return text + "\n";
  std::string broken;
  for (std::size_t at = 0; at < text.size(); at += line_length) broken += text.substr(at, line_length) + "\n";
  return broken;
}

Response multipart(const std::vector<Part>& parts) {
  Response response;
  for (const Part& part : parts) {
    response.body += "--" + std::string(boundary) + "\r\nContent-Type: " + part.content_type +
                     "\r\nContent-Transfer-Encoding: base64\r\n\r\n" + part.body + "\r\n";
  }
  response.body += "--" + std::string(boundary) + "--\r\n";
  response.with("Content-Type", "multipart/mixed; boundary=" + std::string(boundary));
  return response;
}

bool is_media_type(std::string_view content_type, std::string_view media_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && is_space(type.back())) type.remove_suffix(1);
  while (!type.empty() && is_space(type.front())) type.remove_prefix(1);
  return Request::same_name(type, media_type);
}

}  // namespace hanaper::est
