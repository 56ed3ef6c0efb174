#include "table.hpp"

#include "shapes.hpp"

#include <algorithm>

namespace hanaper::operations {
namespace {

using namespace shapes;

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
    {"revoke.unknown",
     {"", "POST /authorities/{authority}/revocations",
      "revoke a certificate that the ledger does not know, by its serial number alone", certificates_revoke,
      AnswerForm::one, revoke_unknown_parameters, revoke_columns},
     revoke_unknown},
    {"certificates.import",
     {"", "POST /authorities/{authority}/certificates",
      "take in what an authority has issued and revoked elsewhere", system_operate, AnswerForm::one,
      import_parameters, import_columns},
     import_foreign},
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
    {"nodes",
     {"nodes",
      "GET /nodes",
      "show the nodes of this storage, and which of them live",
      system_read,
      AnswerForm::list,
      {},
      nodes_columns},
     list_nodes},
    {"roles",
     {"roles",
      "GET /roles",
      "show what one node does for all, and which one",
      system_read,
      AnswerForm::list,
      {},
      roles_columns},
     list_roles},
    {"role.move",
     {"role move", "POST /roles/{role}/holder", "have a role held by another node", system_operate,
      AnswerForm::one, move_parameters, roles_columns},
     move_role},
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
    {"drain",
     {"drain",
      "POST /node/drain",
      "have the daemon end: not ready first, then no new connections, then what was begun is finished",
      system_operate,
      AnswerForm::one,
      {},
      drain_columns},
     drain},
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
