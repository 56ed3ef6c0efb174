// The names certificates are issued for: one normal form each, and the X.509 forms of it.
#pragma once

#include <hanaper/toolkit/name.hpp>

namespace hanaper::x509 {

// A DNS name in normal form: lower case, A-labels, no final dot; a leading "*." only if `wildcard`, and then
// above two labels. malformed for anything a resolver would not look up as a host (RFC 1034 3.5, RFC 5891
// 4.2.3.1 for "--"), more than 253 octets, labels of more than 63, A-labels that encode nothing, or a last
// label that is a number, in digits or as "0x7f".
Result<std::string> normal_dns_name(std::string_view text, bool wildcard);

// 4 or 16 octets of an address text; malformed otherwise, also for zone ids and leading zeros.
Result<Bytes> ip_octets(std::string_view text);
// RFC 5952 text of 4 or 16 octets.
std::string ip_text(ByteView octets);

// The client that limits count an address for: the address itself, or with IPv6 its /64, "2001:db8:1:2::/64",
// because a client chooses the other half freely (RFC 4291 2.5.1). An IPv4 address in IPv6 is one of IPv4.
// Anything else is left as it is.
std::string client_of(std::string_view address);

// local@domain with a normal domain, ASCII only. malformed otherwise.
Result<std::string> normal_email(std::string_view text);

// Normal form by kind; uri must be absolute with a scheme, names of devices UTF-8 text of at most 255 octets
// without control characters, which stays as it is, and an object identifier.
Result<Identifier> normal_identifier(Identifier::Kind kind, std::string_view text);
// ip, uri, email or dns, whichever the text looks like; for command lines.
Result<Identifier> guess_identifier(std::string_view text);

// How the ledger stores names: "dns:test.example.www." with labels reversed, so that a domain's subdomains
// share a prefix; "ip:...", "email:...", "uri:..." as they are.
std::string search_key(const Identifier& identifier);
// The prefix that search keys of all names below `domain` share: "dns:test.example.".
std::string search_prefix(std::string_view domain);

// GeneralNames of a subjectAltName (RFC 5280 4.2.1.6).
struct GeneralNames {
  std::vector<Identifier> names;    // in normal form where they have one, else as they stand
  std::vector<std::string> faults;  // "dns name \"a_b\": ...", one for each that has none
  std::size_t others = 0;  // x400Address, directoryName, ediPartyName, registeredID, other otherNames
};
Result<GeneralNames> parse_general_names(ByteView sequence);
Bytes encode_general_names(std::span<const Identifier> names);

// What clients may read out of a subject beside subjectAltName: hosts from common names, as old TLS clients
// do (RFC 6125 6.4.4), and mail addresses (RFC 5280 4.1.2.6). `names` and `faults` as in GeneralNames: what
// no normal form exists for, though a lenient client may take it for a host ("a*b.example.test", "a_b.test",
// a blank in front), is a fault. A text without a dot is a host only where `single_labels` are.
struct SubjectNames {
  std::vector<Identifier> names;
  std::vector<std::string> faults;
};
SubjectNames subject_names(const Name& subject, bool single_labels);

}  // namespace hanaper::x509
