// What proves control over a name: the judgement of what was found, apart from how it was fetched.
#pragma once

#include <hanaper/toolkit/identifiers.hpp>

#include <span>

namespace hanaper::acme {

// Every challenge type this service knows, by "|", and those that are drafts yet.
inline constexpr const char* known_methods =
    "http-01|dns-01|tls-alpn-01|dns-account-01|dns-persist-01|device-attest-01";
bool is_draft(std::string_view method);
bool is_dns_method(std::string_view method);  // proves by records
inline constexpr std::string_view device_attest = "device-attest-01";

// Whether the method can prove such an identifier. `below`: a wildcard, or all names below it (RFC 8555 8.3,
// RFC 8737 3, RFC 9444 6.3: only what shows control of the DNS does); RFC 8738 7: no DNS for addresses.
// Devices attest, and nothing else does.
bool method_fits(std::string_view method, Identifier::Kind kind, bool below);

// RFC 8555 8.3: the key authorization, white space behind it ignored. malformed shows what came instead.
Status judge_http_01(std::string_view body, std::string_view key_authorization);

// The text of a TXT record: its character-strings, one after the other (RFC 1035 3.3.14). malformed when the
// lengths do not add up.
Result<std::string> txt_of(ByteView rdata);

// RFC 8555 8.4: any of the records may be the one. not_found when there is none at all; malformed.
Status judge_dns_01(std::string_view name, std::span<const Bytes> records,
                    std::string_view key_authorization);

// The label under which dns-account-01 asks: "_" and 16 characters of base32 from the account's URL.
std::string account_label(std::string_view account_url);

// draft-ietf-acme-dns-persist: one record names one of our `issuers` and the account; with policy=wildcard
// for `below`; until persistUntil. not_found, malformed.
Status judge_dns_persist_01(std::string_view name, std::span<const Bytes> records,
                            std::span<const std::string> issuers, std::string_view account_url, bool below,
                            Time now);

// The server name that tls-alpn-01 asks for: the name, or the reverse name of an address (RFC 8738 6).
std::string tls_server_name(const Identifier& identifier);

// RFC 8737 3: the certificate names exactly the identifier and carries the digest in a critical extension.
// malformed says what is wrong.
Status judge_tls_alpn_01(const Identifier& identifier, ByteView certificate, std::string_view protocol,
                         std::string_view key_authorization);

}  // namespace hanaper::acme
