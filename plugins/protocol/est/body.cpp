#include "body.hpp"

#include <hanaper/toolkit/base64.hpp>

namespace hanaper::est {
namespace {

constexpr std::size_t line_length = 76;
constexpr std::string_view boundary = "hanaper_est_part";

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  return text;
}

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

bool has_smime_type(std::string_view content_type, std::string_view wanted) {
  constexpr std::string_view name = "smime-type=";
  for (std::size_t at = content_type.find(';'); at != std::string_view::npos;) {
    std::string_view parameter = content_type.substr(at + 1);
    at = content_type.find(';', at + 1);
    parameter = trimmed(parameter.substr(0, parameter.find(';')));
    if (parameter.size() < name.size() || !Request::same_name(parameter.substr(0, name.size()), name))
      continue;
    parameter.remove_prefix(name.size());
    if (parameter.size() >= 2 && parameter.starts_with('"') && parameter.ends_with('"'))
      parameter = parameter.substr(1, parameter.size() - 2);
    return Request::same_name(parameter, wanted);
  }
  return true;
}

bool is_media_type(std::string_view content_type, std::string_view media_type) {
  return Request::same_name(trimmed(content_type.substr(0, content_type.find(';'))), media_type);
}

}  // namespace hanaper::est
