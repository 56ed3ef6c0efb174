// Certification Authority Authorization (RFC 8659, RFC 8657): what CAA records say about one name.
#pragma once

#include <hanaper/values.hpp>

#include <functional>
#include <span>

namespace hanaper::caa {

// One CAA record (RFC 8659 4.1).
struct Property {
  bool critical = false;
  std::string tag;    // lower case
  std::string value;  // as it stands
};

// malformed when the RDATA is none.
Result<Property> parse_property(ByteView rdata);

// The value of an issue or issuewild property (RFC 8659 4.2).
struct IssueValue {
  std::string issuer;  // lower case; empty: nobody may
  std::vector<std::pair<std::string, std::string>> parameters;
};
// malformed: such a property authorizes nobody.
Result<IssueValue> parse_issue_value(std::string_view value);

// What records are compared with: who we are, whose request it is, and how its name was proven.
struct Asked {
  std::span<const std::string> identities;  // issuer domains that mean us, lower case
  std::string_view account_uri;             // RFC 8657 3; empty: none
  std::string_view method;                  // RFC 8657 4; empty: none
  bool wildcard = false;
};

// Whether the relevant record set allows it (RFC 8659 4). rejected says which property forbids.
Status judge(const std::string& domain, std::span<const Property> relevant, const Asked& asked);

// The records of one domain, CNAMEs followed.
using Lookup = std::function<Result<std::vector<Bytes>>(const std::string& domain)>;

// Climbs from the name to the top until a domain has records (RFC 8659 3), and judges those. rejected;
// unavailable when the DNS does not say.
Status check(const std::string& name, const Asked& asked, const Lookup& lookup);

}  // namespace hanaper::caa
