// What the host's operations are asked with and answer: parameters and columns, for the rows of table.cpp.
#pragma once

#include <hanaper/operable.hpp>

namespace hanaper::operations::shapes {

using enum ParameterType;
using enum Permission;

inline constexpr auto required = Parameter::required, word = Parameter::word, repeats = Parameter::repeats;

inline constexpr std::string_view reasons =
    "unspecified|keyCompromise|cACompromise|affiliationChanged|superseded|cessationOfOperation|"
    "certificateHold|"
    "removeFromCRL|privilegeWithdrawn";

inline constexpr Parameter after{"after", text,      0,
                                 {},      "1..1024", "go on behind: the \"next\" of the answer before"};
inline constexpr Parameter limit{"limit", integer, 0, {}, "1..1000000000", "no more than that many"};

// certificates

inline constexpr Parameter issue_parameters[] = {
    {"pipeline", text, 0, {}, {}, "pipeline to issue by; default the only one"},
    {"profile", text, 0, {}, {}, "one of the pipeline's profiles; default its first"},
    {"csr", content, required, {}, {}, "certification request (PKCS#10), PEM or DER"},
};
inline constexpr Column issue_columns[] = {
    {"serial"},
    {"not_before", ColumnType::time},
    {"not_after", ColumnType::time},
    {"certificate", ColumnType::text, false, {}, "PEM"},
    {"chain", ColumnType::text, false, {}, "the certificate and those above it, PEM"},
};

inline constexpr Column certificate_columns[] = {
    {"serial"},
    {"state", ColumnType::text, true, {}, "reserved, issued, on hold or revoked"},
    {"authority"},
    {"profile"},
    {"requester", ColumnType::text, false},
    {"not_before", ColumnType::time, false},
    {"not_after", ColumnType::time},
    {"issued_at", ColumnType::time, false},
    {"revoked_at", ColumnType::time, false},
    {"reason", ColumnType::text, false, {}, "of its revocation, as RFC 5280 names it"},
    {"subject", ColumnType::text, false},
    {"issuer", ColumnType::text, false},
    {"key", ColumnType::text, false, {}, "type of its key"},
    {"names", ColumnType::texts},
    {"sha256",
     ColumnType::text,
     false,
     {},
     "SHA-256 of its DER, hexadecimal; absent where it was never signed"},
    {"certificate", ColumnType::text, false, {}, "PEM; absent where it was never signed, and in lists"},
    {"chain", ColumnType::text, false, {}, "the certificate and those above it, PEM; absent likewise"},
};
inline constexpr Parameter show_parameters[] = {
    {"certificate", certificate, required | word, {}, {}, "by its serial number, or itself"},
    {"authority",
     text,
     0,
     {},
     {},
     "whose it is, where several have that serial number; without one: the authority's own certificate"},
};
inline constexpr Parameter show_authority_parameters[] = {
    {"authority", text, required | word, {}, {}, "an authority of the configuration"},
};
inline constexpr Parameter list_parameters[] = {
    {"expires_within",
     duration,
     0,
     {},
     {},
     "only those that expire within, as in 30d, and that nobody has renewed: no other of that profile for "
     "the same "
     "names lives longer; without what the node renews by itself"},
    {"all", boolean, 0, {}, {}, "with expires_within: those that were renewed, and the node's own, too"},
    {"name", text, 0, {}, {}, "only those for that name; .example.test for every name below"},
    {"state", choice, 0, {}, "reserved|issued|revoked", "only those in that state"},
    {"authority", text, 0, {}, {}, "only those of that authority"},
    {"profile", text, 0, {}, {}, "only those of that profile"},
    {"requester",
     text,
     0,
     {},
     "1..1024",
     "only those that were asked for by that one; token:red* for all that begin so"},
    limit,
    after,
};

inline constexpr Parameter revoke_parameters[] = {
    {"certificate", certificate, required | word, {}, {}, "by its serial number, or itself"},
    {"authority",
     text,
     0,
     {},
     {},
     "whose they are, where several have such serial numbers; without any: all that are issued, of that "
     "authority"},
    {"reason", choice, 0, {}, reasons, "RFC 5280 reason; default unspecified"},
    {"invalidity", ParameterType::time, 0, {}, {}, "since when not to trust it, as in 2026-11-21T18:50:00Z"},
};
inline constexpr Column revoke_columns[] = {
    {"serial"},
    {"state", ColumnType::text, true, {}, "issued (a hold has ended), on hold or revoked"},
    {"reason"},
    {"already", ColumnType::boolean, true, {}, "it was so before"},
};
inline constexpr Parameter revoke_many_parameters[] = {
    {"serials", text, required | repeats, {}, {}, "serial numbers in hexadecimal"},
    {"authority", text, 0, {}, {}, "whose they are, where several have such serial numbers"},
    {"reason", choice, 0, {}, reasons, "RFC 5280 reason; default unspecified"},
    {"invalidity",
     ParameterType::time,
     0,
     {},
     {},
     "since when not to trust them, as in 2026-11-21T18:50:00Z"},
};
inline constexpr Column revoke_many_columns[] = {
    {"revoked", ColumnType::integer},
    {"already", ColumnType::integer, true, {}, "those that were revoked before"},
    {"failures", ColumnType::texts, true, {}, "\"SERIAL: why\" for each of the others"},
};

inline constexpr Parameter revoke_unknown_parameters[] = {
    {"authority", text, required, {}, {}, "whose certificate it is"},
    {"serial", text, required, {}, {}, "its serial number, in hexadecimal"},
    {"reason", choice, 0, {}, reasons, "RFC 5280 reason; default unspecified"},
    {"invalidity", ParameterType::time, 0, {}, {}, "since when not to trust it, as in 2026-11-21T18:50:00Z"},
};
inline constexpr Parameter import_parameters[] = {
    {"authority", text, required, {}, {}, "whose certificates they are"},
    {"certificates", content, 0, {}, {}, "certificates, DER, one after the other"},
    {"entries",
     text,
     repeats,
     {},
     {},
     "SERIAL,NOT_AFTER,REVOKED_AT,REASON,INVALIDITY for each; what is not known is empty, and may be left "
     "out "
     "at the end"},
    {"crl_number",
     integer,
     0,
     {},
     "1..4611686018427387904",
     "the highest number of a CRL that was published: the next one goes above it"},
    {"dry_run", boolean, 0, {}, {}, "say what would become of them, and change nothing"},
};
inline constexpr Column import_columns[] = {
    {"certificates",
     ColumnType::texts,
     true,
     {},
     "new, completed (only its serial number was known), known, or refused and why, in their order"},
    {"entries", ColumnType::texts, true, {}, "new, revoked, both or known, in their order"},
    {"next_crl", ColumnType::integer, true, {}, "the least number of the authority's next CRL"},
};

// events

inline constexpr Column event_columns[] = {
    {"pipeline"},
    {"instance", ColumnType::text, true, {}, "the publisher or notifier that is told"},
    {"waiting",
     ColumnType::time,
     true,
     {},
     "when the oldest happened that it does not know; absent: it knows all"},
    {"failing_since", ColumnType::time},
    {"tries", ColumnType::integer, false, {}, "of the one that fails"},
    {"again_at", ColumnType::time, false, {}, "when it is tried next"},
    {"error", ColumnType::text, true, {}, "of the last try"},
};
inline constexpr Parameter dead_parameters[] = {
    {"subscription", text, 0, {}, {}, "only those of one, as in web/notifier.ops"},
    {"limit", integer, 0, "100", "1..500", "no more than that many"},
    after,
};
inline constexpr Column dead_columns[] = {
    {"id"},
    {"pipeline"},
    {"instance"},
    {"type"},
    {"at", ColumnType::time, true, {}, "when it was given up"},
    {"error"},
    {"subject", ColumnType::text, false},
    {"whole", ColumnType::boolean, false, {}, "false: too large to be kept, and not to be sent again"},
};
inline constexpr Parameter resend_parameters[] = {
    {"id", text, required | word, {}, "1..1024", "of a dead letter, as events dead shows it"},
};
inline constexpr Column resend_columns[] = {{"id"}, {"state"}};

// requests

inline constexpr Parameter requests_parameters[] = {
    {"state", choice, 0, "pending", "pending|approved|denied|issuing|issued",
     "only those in that state; default pending"},
    limit,
    after,
};
inline constexpr Parameter approve_parameters[] = {
    {"request", text, required | word, {}, {}, "by its id, as requests list shows it"},
    {"comment", text, 0, {}, "1..1024", "why, for the audit and for those who are told"},
};
inline constexpr Parameter deny_parameters[] = {
    {"request", text, required | word, {}, {}, "by its id, as requests list shows it"},
    {"reason", text, 0, {}, {}, "why: the requester is told, and it stands in the audit"},
};
inline constexpr Column request_columns[] = {
    {"request"},
    {"state"},
    {"pipeline"},
    {"profile", ColumnType::text, false},
    {"requester"},
    {"subject"},
    {"purposes", ColumnType::text, false, {}, "what the certificate would be for"},
    {"asked", ColumnType::time},
    {"moved", ColumnType::time, false, {}, "when its state changed last"},
    {"by", ColumnType::text, false, {}, "who decided"},
    {"reason", ColumnType::text, false},
    {"serial", ColumnType::text, false, {}, "of the certificate it led to"},
};

// keys

inline constexpr Parameter keys_parameters[] = {
    {"instance", text, word, {}, {}, "only that key provider's"},
};
inline constexpr Column keys_columns[] = {{"key"}, {"type"}, {"used_by"}};
inline constexpr Parameter create_key_parameters[] = {
    {"place", text, required | word, {}, {}, "INSTANCE:LABEL, as in soft:root"},
    {"key_type", choice, 0, "ec-p256", key_spec_choices, "default ec-p256"},
};
inline constexpr Parameter import_key_parameters[] = {
    {"place", text, required | word, {}, {}, "INSTANCE:LABEL, as in soft:root"},
    {"key", secret, required, {}, {}, "private key, PEM"},
    {"key_pin", secret, 0, {}, {}, "pin of that key, when it is encrypted"},
};
inline constexpr Parameter key_parameters[] = {
    {"place", text, required | word, {}, {}, "INSTANCE:LABEL, as in soft:root"},
};
inline constexpr Parameter repin_parameters[] = {
    {"instance", text, word, {}, {}, "key provider; default the only one"},
    {"new_pin", secret, required, {}, {}, "what encrypts the keys from now on"},
};
inline constexpr Column repin_columns[] = {{"instance"}, {"keys", ColumnType::integer}};
inline constexpr Column key_columns[] = {
    {"key"}, {"type"}, {"public", ColumnType::text, false, {}, "SubjectPublicKeyInfo, PEM"}};
inline constexpr Column deleted_columns[] = {{"key"}};
inline constexpr Column replicated_columns[] = {
    {"key"}, {"copies", ColumnType::texts, true, {}, "tokens that have it now"}};

// the node

inline constexpr Column serials_columns[] = {
    {"authority"},     {"kind", ColumnType::text, true, {}, "random or range"},
    {"next"},          {"current_begin", ColumnType::text, false},
    {"current_end"},   {"following_begin"},
    {"following_end"},
};
inline constexpr Column nodes_columns[] = {
    {"node"},
    {"state", ColumnType::text, true, {}, "lives, late, stopped; unknown where no daemon runs here"},
    {"version"},
    {"beat", ColumnType::time, false, {}, "its clock when it was heard last"},
    {"ahead",
     ColumnType::integer,
     true,
     {},
     "milliseconds by which its clock is ahead of this node's, give or take 500"},
    {"roles", ColumnType::texts, true, {}, "what it does for all"},
    {"urls", ColumnType::texts, false, {}, "of its listeners"},
};
inline constexpr Column roles_columns[] = {
    {"role"},
    {"node", ColumnType::text, true, {}, "that has it; absent: nobody"},
    {"epoch", ColumnType::integer, true, {}, "how often it was taken"},
    {"renewals", ColumnType::integer, false, {}, "how often it was taken or renewed"},
};
inline constexpr Parameter move_parameters[] = {
    {"role", text, required | word, {}, "1..200", "as roles shows it, as in crl:issuing"},
    {"to", text, required, {}, "1..200", "node that shall have it"},
};
inline constexpr Parameter chain_parameters[] = {
    {"node", text, 0, {}, {}, "only that node's chain"},
};
inline constexpr Column chain_columns[] = {
    {"node"},
    {"pages", ColumnType::integer},
    {"lines", ColumnType::integer},
    {"last", ColumnType::time, true, {}, "when its last page was written"},
    {"head", ColumnType::text, true, {}, "SHA-256 of its last page"},
};
inline constexpr Parameter tail_parameters[] = {
    {"lines", integer, 0, "20", "1..10000", "how many lines; default 20"},
    {"node", text, 0, {}, {}, "only that node's chain"},
};
inline constexpr Column tail_columns[] = {
    {"node"}, {"line", ColumnType::text, true, {}, "a JSON object as it was written"}};
inline constexpr Column clock_columns[] = {
    {"node"},
    {"now", ColumnType::time, true, {}, "what its clock says, and its audit goes on from"},
    {"last", ColumnType::time, true, {}, "when the last entry before was written, as the clock was then"},
};
inline constexpr Parameter backup_parameters[] = {
    {"name", text, required, {}, "8..64", "its name in the state folder; begins with backup-"},
};
inline constexpr Column backup_columns[] = {
    {"file"},
    {"octets", ColumnType::integer},
    {"entries", ColumnType::integer},
};
inline constexpr Column drain_columns[] = {{"node"}, {"state"}};
inline constexpr Column reload_columns[] = {
    {"table", ColumnType::text, true, {}, "of the configuration"},
    {"outcome", ColumnType::text, true, {}, "applied, when it will be, or what is wrong with it"},
};

}  // namespace hanaper::operations::shapes
