#include "table.hpp"

#include <algorithm>

namespace hanaper::operations {
namespace {

using enum ParameterType;
using enum Permission;

constexpr auto required = Parameter::required, word = Parameter::word, repeats = Parameter::repeats;

constexpr std::string_view reasons =
    "unspecified|keyCompromise|cACompromise|affiliationChanged|superseded|cessationOfOperation|"
    "certificateHold|"
    "removeFromCRL|privilegeWithdrawn";

constexpr Parameter after{"after", text, 0, {}, "1..1024", "go on behind: the \"next\" of the answer before"};
constexpr Parameter limit{"limit", integer, 0, {}, "1..1000000000", "no more than that many"};

// certificates

constexpr Parameter issue_parameters[] = {
    {"pipeline", text, 0, {}, {}, "pipeline to issue by; default the only one"},
    {"profile", text, 0, {}, {}, "one of the pipeline's profiles; default its first"},
    {"csr", content, required, {}, {}, "certification request (PKCS#10), PEM or DER"},
};
constexpr Column issue_columns[] = {
    {"serial"},
    {"not_before", ColumnType::time},
    {"not_after", ColumnType::time},
    {"certificate", ColumnType::text, false, {}, "PEM"},
    {"chain", ColumnType::text, false, {}, "the certificate and those above it, PEM"},
};

constexpr Column certificate_columns[] = {
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
constexpr Parameter show_parameters[] = {
    {"certificate", certificate, required | word, {}, {}, "by its serial number, or itself"},
};
constexpr Parameter show_authority_parameters[] = {
    {"authority", text, required | word, {}, {}, "an authority of the configuration"},
};
constexpr Parameter list_parameters[] = {
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

constexpr Parameter revoke_parameters[] = {
    {"certificate", certificate, required | word, {}, {}, "by its serial number, or itself"},
    {"reason", choice, 0, {}, reasons, "RFC 5280 reason; default unspecified"},
    {"invalidity", ParameterType::time, 0, {}, {}, "since when not to trust it, as in 2026-11-21T18:50:00Z"},
};
constexpr Column revoke_columns[] = {
    {"serial"},
    {"state", ColumnType::text, true, {}, "issued (a hold has ended), on hold or revoked"},
    {"reason"},
    {"already", ColumnType::boolean, true, {}, "it was so before"},
};
constexpr Parameter revoke_many_parameters[] = {
    {"serials", text, required | repeats, {}, {}, "serial numbers in hexadecimal"},
    {"reason", choice, 0, {}, reasons, "RFC 5280 reason; default unspecified"},
    {"invalidity",
     ParameterType::time,
     0,
     {},
     {},
     "since when not to trust them, as in 2026-11-21T18:50:00Z"},
};
constexpr Column revoke_many_columns[] = {
    {"revoked", ColumnType::integer},
    {"already", ColumnType::integer, true, {}, "those that were revoked before"},
    {"failures", ColumnType::texts, true, {}, "\"SERIAL: why\" for each of the others"},
};

// events

constexpr Column event_columns[] = {
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
constexpr Parameter dead_parameters[] = {
    {"subscription", text, 0, {}, {}, "only those of one, as in web/notifier.ops"},
    {"limit", integer, 0, "100", "1..500", "no more than that many"},
    after,
};
constexpr Column dead_columns[] = {
    {"id"},
    {"pipeline"},
    {"instance"},
    {"type"},
    {"at", ColumnType::time, true, {}, "when it was given up"},
    {"error"},
    {"subject", ColumnType::text, false},
    {"whole", ColumnType::boolean, false, {}, "false: too large to be kept, and not to be sent again"},
};
constexpr Parameter resend_parameters[] = {
    {"id", text, required | word, {}, "1..1024", "of a dead letter, as events dead shows it"},
};
constexpr Column resend_columns[] = {{"id"}, {"state"}};

// requests

constexpr Parameter requests_parameters[] = {
    {"state", choice, 0, "pending", "pending|approved|denied|issuing|issued",
     "only those in that state; default pending"},
    limit,
    after,
};
constexpr Parameter approve_parameters[] = {
    {"request", text, required | word, {}, {}, "by its id, as requests list shows it"},
    {"comment", text, 0, {}, "1..1024", "why, for the audit and for those who are told"},
};
constexpr Parameter deny_parameters[] = {
    {"request", text, required | word, {}, {}, "by its id, as requests list shows it"},
    {"reason", text, 0, {}, {}, "why: the requester is told, and it stands in the audit"},
};
constexpr Column request_columns[] = {
    {"request"},
    {"state"},
    {"pipeline"},
    {"profile", ColumnType::text, false},
    {"requester"},
    {"subject"},
    {"asked", ColumnType::time},
    {"moved", ColumnType::time, false, {}, "when its state changed last"},
    {"by", ColumnType::text, false, {}, "who decided"},
    {"reason", ColumnType::text, false},
    {"serial", ColumnType::text, false, {}, "of the certificate it led to"},
};

// keys

constexpr Parameter keys_parameters[] = {
    {"instance", text, word, {}, {}, "only that key provider's"},
};
constexpr Column keys_columns[] = {{"key"}, {"type"}, {"used_by"}};
constexpr Parameter create_key_parameters[] = {
    {"place", text, required | word, {}, {}, "INSTANCE:LABEL, as in soft:root"},
    {"key_type", choice, 0, "ec-p256", key_spec_choices, "default ec-p256"},
};
constexpr Parameter import_key_parameters[] = {
    {"place", text, required | word, {}, {}, "INSTANCE:LABEL, as in soft:root"},
    {"key", secret, required, {}, {}, "private key, PEM"},
    {"key_pin", secret, 0, {}, {}, "pin of that key, when it is encrypted"},
};
constexpr Parameter key_parameters[] = {
    {"place", text, required | word, {}, {}, "INSTANCE:LABEL, as in soft:root"},
};
constexpr Parameter repin_parameters[] = {
    {"instance", text, word, {}, {}, "key provider; default the only one"},
    {"new_pin", secret, required, {}, {}, "what encrypts the keys from now on"},
};
constexpr Column repin_columns[] = {{"instance"}, {"keys", ColumnType::integer}};
constexpr Column key_columns[] = {
    {"key"}, {"type"}, {"public", ColumnType::text, false, {}, "SubjectPublicKeyInfo, PEM"}};
constexpr Column deleted_columns[] = {{"key"}};
constexpr Column replicated_columns[] = {{"key"},
                                         {"copies", ColumnType::texts, true, {}, "tokens that have it now"}};

// the node

constexpr Column serials_columns[] = {
    {"authority"},     {"kind", ColumnType::text, true, {}, "random or range"},
    {"next"},          {"current_begin", ColumnType::text, false},
    {"current_end"},   {"following_begin"},
    {"following_end"},
};
constexpr Parameter chain_parameters[] = {
    {"node", text, 0, {}, {}, "only that node's chain"},
};
constexpr Column chain_columns[] = {
    {"node"},
    {"pages", ColumnType::integer},
    {"lines", ColumnType::integer},
    {"last", ColumnType::time, true, {}, "when its last page was written"},
    {"head", ColumnType::text, true, {}, "SHA-256 of its last page"},
};
constexpr Parameter tail_parameters[] = {
    {"lines", integer, 0, "20", "1..10000", "how many lines; default 20"},
    {"node", text, 0, {}, {}, "only that node's chain"},
};
constexpr Column tail_columns[] = {{"node"},
                                   {"line", ColumnType::text, true, {}, "a JSON object as it was written"}};
constexpr Column clock_columns[] = {
    {"node"},
    {"now", ColumnType::time, true, {}, "what its clock says, and its audit goes on from"},
    {"last", ColumnType::time, true, {}, "when the last entry before was written, as the clock was then"},
};
constexpr Parameter backup_parameters[] = {
    {"name", text, required, {}, "8..64", "its name in the state folder; begins with backup-"},
};
constexpr Column backup_columns[] = {
    {"file"},
    {"octets", ColumnType::integer},
    {"entries", ColumnType::integer},
};
constexpr Column reload_columns[] = {
    {"table", ColumnType::text, true, {}, "of the configuration"},
    {"outcome", ColumnType::text, true, {}, "applied, when it will be, or what is wrong with it"},
};

constexpr HostOperation host_table[] = {
    {"issue",
     {"issue", "POST /certificates", "issue a certificate", certificates_request, AnswerForm::one,
      issue_parameters, issue_columns},
     issue},
    {"revoke",
     {"revoke", "POST /certificates/{certificate}/revocation",
      "revoke certificates, hold them, or release them", certificates_revoke, AnswerForm::one,
      revoke_parameters, revoke_columns},
     revoke},
    {"revoke.many",
     {"", "POST /revocations", "revoke many certificates, hold them, or release them", certificates_revoke,
      AnswerForm::one, revoke_many_parameters, revoke_many_columns},
     revoke_many},
    {"show",
     {"show", "GET /certificates/{certificate}", "show a certificate and what has become of it",
      certificates_read, AnswerForm::one, show_parameters, certificate_columns},
     show_certificate},
    {"show.authority",
     {"", "GET /authorities/{authority}", "show an authority's certificate", certificates_read,
      AnswerForm::one, show_authority_parameters, certificate_columns},
     show_authority},
    {"list",
     {"list", "GET /certificates", "list certificates", certificates_read, AnswerForm::list, list_parameters,
      std::span(certificate_columns).first(std::size(certificate_columns) - 3)},
     list_certificates},
    {"requests.list",
     {"requests list", "GET /requests", "list requests that wait for approval, and what became of others",
      certificates_read, AnswerForm::list, requests_parameters, request_columns},
     list_requests},
    {"requests.approve",
     {"requests approve", "POST /requests/{request}/approval", "have a request issued", requests_decide,
      AnswerForm::one, approve_parameters, request_columns},
     approve_request},
    {"requests.deny",
     {"requests deny", "POST /requests/{request}/denial", "refuse a request for good", requests_decide,
      AnswerForm::one, deny_parameters, request_columns},
     deny_request},
    {"events.list",
     {"events list",
      "GET /events",
      "show whom events are told to, and who does not take them",
      system_read,
      AnswerForm::list,
      {},
      event_columns},
     list_events},
    {"events.dead",
     {"events dead", "GET /events/dead-letters", "list events that were given up", system_read,
      AnswerForm::list, dead_parameters, dead_columns},
     list_dead_letters},
    {"events.resend",
     {"events resend", "POST /events/dead-letters/resend", "send one of those again, now", system_operate,
      AnswerForm::one, resend_parameters, resend_columns},
     resend_event},
    {"serials",
     {"serials",
      "GET /serials",
      "show where serial numbers come from",
      system_read,
      AnswerForm::list,
      {},
      serials_columns},
     serials},
    {"keys.list",
     {"keys list", "GET /keys", "list the keys of the key providers", system_read, AnswerForm::list,
      keys_parameters, keys_columns},
     list_keys},
    {"keys.create",
     {"keys create", "POST /keys", "make a key", system_operate, AnswerForm::one, create_key_parameters,
      key_columns},
     create_key},
    {"keys.import",
     {"keys import", "POST /keys/{place}/import", "take a key over from a file", system_operate,
      AnswerForm::one, import_key_parameters, key_columns},
     import_key},
    {"keys.delete",
     {"keys delete", "DELETE /keys/{place}", "delete a key for good", system_operate, AnswerForm::one,
      key_parameters, deleted_columns},
     delete_key},
    {"keys.replicate",
     {"keys replicate", "POST /keys/{place}/copies", "copy a key to every token of its group", system_operate,
      AnswerForm::one, key_parameters, replicated_columns},
     replicate_key},
    {"keys.repin",
     {"keys repin", "POST /keys/pin", "encrypt every key of a key provider again, under another pin",
      system_operate, AnswerForm::one, repin_parameters, repin_columns},
     repin_keys},
    {"audit.verify",
     {"audit verify", "GET /audit/chains", "check the audit's hash chains", audit_read, AnswerForm::list,
      chain_parameters, chain_columns},
     verify_audit},
    {"audit.tail",
     {"audit tail", "GET /audit/lines", "print the last lines of the audit", audit_read, AnswerForm::list,
      tail_parameters, tail_columns},
     tail_audit},
    {"audit.accept-clock",
     {"audit accept-clock",
      "POST /audit/clock",
      "go on writing although the clock is before the last entry of the audit, as after a clock that was "
      "ahead",
      system_operate,
      AnswerForm::one,
      {},
      clock_columns},
     accept_clock},
    {"backup",
     {"backup", "", "write a consistent copy of ledger and keys, while the daemon runs", system_operate,
      AnswerForm::one, backup_parameters, backup_columns},
     backup},
    {"reload",
     {"reload",
      "POST /configuration/reload",
      "have the daemon read its configuration again, and say what changes now and what at the next start",
      system_operate,
      AnswerForm::list,
      {},
      reload_columns},
     reload},
};

Described described(const HostOperation& operation) {
  const std::string_view http = operation.what.http;
  const std::size_t blank = std::min(http.find(' '), http.size());
  Described made{.id = std::string(operation.id),
                 .words = std::string(operation.what.words),
                 .method = std::string(http.substr(0, blank)),
                 .path = std::string(http.substr(std::min(blank + 1, http.size()))),
                 .what = &operation.what};
  made.parameters.assign(operation.what.parameters.begin(), operation.what.parameters.end());
  return made;
}

}  // namespace

std::span<const HostOperation> host_operations() { return host_table; }

const HostOperation* find_host_operation(std::string_view id) {
  const auto found = std::ranges::find(host_table, id, &HostOperation::id);
  return found == std::end(host_table) ? nullptr : &*found;
}

std::vector<Described> describe_host() {
  std::vector<Described> all;
  for (const HostOperation& operation : host_table) all.push_back(described(operation));
  return all;
}

Result<json::Value> run(Node& node, const Caller& caller, std::string_view id, const json::Value& given,
                        Door door, Call& call) {
  const HostOperation* operation = find_host_operation(id);
  if (operation == nullptr) return run_plugin(node, caller, id, given, door, call);
  HANAPER_CHECK(check_permission(caller, operation->what, id));
  HANAPER_TRY(const Arguments arguments, read_arguments(operation->what.parameters, given, door));
  return operation->run(node, caller, arguments, call);
}

Status check_permission(const Caller& caller, const Operation& operation, std::string_view id) {
  if (caller.permissions.holds(operation.permission)) return {};
  return forbidden(std::string(id) + " needs the permission " + std::string(to_string(operation.permission)) +
                   ", which " + caller.name + " does not have");
}

json::Value items(json::Array rows, std::string next) {
  json::Object answer{{"items", std::move(rows)}};
  if (!next.empty()) answer.emplace_back("next", std::move(next));
  return answer;
}

}  // namespace hanaper::operations
