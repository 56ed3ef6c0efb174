#include "letter.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/time_text.hpp>
#include <hanaper/toolkit/unicode.hpp>

#include <algorithm>

namespace hanaper::mail {
namespace {

constexpr std::size_t longest_line = 998;  // RFC 5322 2.1.1
constexpr std::size_t encoded_line = 57;   // octets that make 76 characters of base64 (RFC 2045 6.8)
constexpr std::size_t word_octets = 45;    // of an encoded-word of at most 75 characters (RFC 2047 2)
constexpr std::size_t longest_subject = 500;

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// The end of a part of at most `limit` octets that cuts no character of UTF-8.
std::size_t whole_characters(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text.size();
  std::size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return end == 0 ? limit : end;
}

// Nothing in it ends a line or is invisible: a field stays one field.
std::string one_line(std::string_view text) {
  std::string line(text.substr(0, whole_characters(text, longest_subject)));
  for (char& c : line)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  return line;
}

// RFC 2047: "=?utf-8?B?...?=", in as many words as it takes.
std::string encoded_field(std::string_view text) {
  std::string line = one_line(text);
  if (is_ascii(line) && line.size() < 200) return line;
  std::string words;
  for (std::string_view left = line; !left.empty();) {
    const std::size_t end = whole_characters(left, word_octets);
    words += (words.empty() ? "" : "\r\n ") +
             ("=?utf-8?B?" + base64::encode(as_bytes(left.substr(0, end))) + "?=");
    left.remove_prefix(end);
  }
  return words;
}

std::string with_crlf(std::string_view text) {
  std::string lines;
  for (char c : text) {
    if (c == '\n') lines.push_back('\r');
    if (c != '\r') lines.push_back(c);
  }
  if (!lines.ends_with("\r\n")) lines += "\r\n";
  return lines;
}

bool has_short_lines(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > longest_line) return false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return true;
}

std::string in_base64(std::string_view text) {
  std::string lines;
  for (; !text.empty(); text.remove_prefix(std::min(encoded_line, text.size())))
    lines += base64::encode(as_bytes(text.substr(0, encoded_line))) + "\r\n";
  return lines;
}

// RFC 5322 3.3, "+0000": HTTP writes the same with another zone.
std::string mail_date(Time at) {
  std::string date = http_date(at);
  return date.substr(0, date.size() - 3) + "+0000";
}

std::string_view sentence(std::string_view type) {
  constexpr std::pair<std::string_view, std::string_view> table[] = {
      {"certificate.issued", "A certificate was issued."},
      {"certificate.revoked", "A certificate was revoked."},
      {"certificate.released", "A certificate was released from hold."},
      {"authority.certified", "An authority has this certificate."},
      {"authority.expiring", "The certificate of an authority ends soon."},
      {"crl.made", "A CRL was made."},
      {"crl.late", "A CRL is overdue: no newer one was made."},
      {"request.pending", "A request waits for approval: hanaper requests list shows it."},
      {"request.approved", "A request was approved."},
      {"request.denied", "A request was denied."},
      {"health.failed", "A check of a node fails."},
      {"health.restored", "A check of a node passes again."},
      {"node.started", "A node was started."},
      {"node.stopped", "A node was stopped."},
  };
  for (const auto& [known, text] : table)
    if (known == type) return text;
  return "Something has happened.";
}

}  // namespace

std::string write(const Letter& letter) {
  const std::string body = with_crlf(letter.body);
  const bool plain = is_ascii(body) && has_short_lines(body);
  std::string to;
  for (const std::string& address : letter.to) to += (to.empty() ? "<" : ",\r\n <") + address + ">";
  const std::string domain = letter.from.substr(letter.from.rfind('@') + 1);
  return "Date: " + mail_date(letter.at) + "\r\nFrom: <" + letter.from + ">\r\nTo: " + to +
         "\r\nSubject: " + encoded_field(letter.subject) + "\r\nMessage-ID: <" + letter.id + "@" + domain +
         ">\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"  // RFC 3834 5
         "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: " +
         (plain ? "7bit" : "base64") + "\r\n\r\n" + (plain ? body : in_base64(body));
}

std::string body_of(const Event& event, const EventText& fields) {
  std::string text(sentence(event.type));
  text += "\n\n";
  std::size_t width = 4;
  for (const auto& [name, unused] : fields.data()) width = std::max(width, name.size());
  const auto line = [&](const std::string& name, const std::string& value) {
    std::string clean = value;
    std::ranges::replace_if(
        clean, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }, ' ');
    text += name + std::string(width + 2 - name.size(), ' ') + unicode::shown(clean) + "\n";
  };
  line("when", time_text(event.at));
  for (const auto& [name, unused] : fields.data())
    if (const auto value = fields.field(name)) line(name, *value);
  return text + "\n-- \n" + event.type + " " + event.id + "\n";
}

Status check_address(std::string_view address) {
  const std::size_t at = address.rfind('@');
  const bool plain = std::ranges::all_of(address, [](char c) {
    return c > ' ' && c < 0x7f && std::string_view("<>()[]\\,;:\"").find(c) == std::string_view::npos;
  });
  if (!plain || at == std::string_view::npos || at == 0 || at + 1 == address.size() || address.size() > 254)
    return malformed("\"" + std::string(address) + "\" is no mail address, like pki@example.test");
  return {};
}

}  // namespace hanaper::mail
