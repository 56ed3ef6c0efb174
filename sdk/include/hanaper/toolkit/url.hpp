// URLs of http and https (RFC 3986, RFC 9110 4.2), percent-encoding, and the queries of requests and forms.
//
// One reading for each text: what two readers could take for two things is malformed.
#pragma once

#include <hanaper/values.hpp>

#include <utility>

namespace hanaper::url {

struct Url {
  bool https = false;
  std::string host;         // lower case; addresses in RFC 5952 form, without brackets
  std::uint16_t port = 80;  // 443 of https, where none is written
  std::string target;       // path and query as sent, beginning with '/'; a fragment is dropped

  // The name and, where it is not the usual one, the port: what the field Host says (RFC 9110 7.2).
  std::string authority() const;
  std::string text() const;
  bool operator==(const Url&) const = default;
};

// An absolute URL of at most 2048 octets. malformed for other schemes, names or passwords in front of the
// host, hosts that are neither a name nor an address in its one spelling ("127.1", "0x7f.0.0.1"), port 0, and
// octets that need percent-encoding.
Result<Url> parse(std::string_view text);

// What the reference means at a place (RFC 3986 5.2): an absolute URL, "//host/...", "/path", "path" or
// "?query". malformed as above.
Result<Url> resolve(const Url& base, std::string_view reference);

// Escapes undone; malformed for a '%' without two hexadecimal digits. '+' stays as it is.
Result<std::string> decode(std::string_view text);

// Everything but letters, digits and "-._~" escaped (RFC 3986 2.3).
std::string encode(std::string_view text);

struct QueryLimits {
  std::size_t octets = 8 * 1024;
  std::size_t parameters = 100;
};

// The parameters of a query or of a form's body (application/x-www-form-urlencoded: '+' is a blank), in their
// order, escapes undone. "a" and "a=" are both empty.
class Query {
 public:
  using Parameter = std::pair<std::string, std::string>;

  // malformed for a broken escape, a parameter without a name, and beyond the limits.
  static Result<Query> parse(std::string_view text, QueryLimits limits = {});

  const std::vector<Parameter>& parameters() const noexcept { return parameters_; }

  // The value of the only parameter of that name; nothing when absent. malformed when there are several: two
  // readers would take different ones.
  Result<std::optional<std::string>> find(std::string_view name) const;

 private:
  std::vector<Parameter> parameters_;
};

// "a=1&b=%26", blanks as "%20".
std::string write_query(std::span<const Query::Parameter> parameters);

}  // namespace hanaper::url
