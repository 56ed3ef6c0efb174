// What an operator can have done: one table, whoever asks and by which door.
//
// A new one is a function that this header declares, and a row of table.cpp. Then write the description anew:
// hanaper openapi -c /none > host/operations/openapi.json
#pragma once

#include "../node/node.hpp"
#include "arguments.hpp"
#include "caller.hpp"

namespace hanaper::operations {

// [worker] Runs an operation on a node that was started. A list answers {"items": [...]}, and "next" where
// there is more: a text that the parameter `after` of the same operation takes.
using Run = Result<json::Value> (*)(Node& node, const Caller& caller, const Arguments& arguments, Call& call);

// Whether it changes nothing: its permission is one to read.
inline bool only_reads(const Operation& operation) {
  return to_string(operation.permission).ends_with(":read");
}

// One of the host's own.
struct HostOperation {
  std::string_view id;  // its words with dots; a name of its own where it is no command
  Operation what;
  Run run;
};

// All of them, in the order of the help.
std::span<const HostOperation> host_operations();
const HostOperation* find_host_operation(std::string_view id);

// An operation as all doors know it, the host's or a plugin's. What it points to lives as long as the
// program.
struct Described {
  std::string id;                          // "crl.generate"
  std::string words;                       // "crl generate"; empty: no command of its own
  std::string method, path;                // "POST", "/crl/crls"
  const Operation* what;                   //
  std::string plugin = {};                 // "crl"; empty: the host's
  std::vector<Parameter> parameters = {};  // with `instance`, for those of plugins
};

std::vector<Described> describe_host();
// Those that the plugin brings; none when it brings none. `plugin` is an instance, configured or not.
std::vector<Described> describe_plugin(const std::string& name, Plugin& plugin);

// Those of the host and of those plugins, by kind and name; of two with the same words the first counts.
std::vector<Described> describe_all(loader::Catalog& catalog,
                                    const std::vector<std::pair<std::string, std::string>>& plugins);
// Every plugin of the folder.
std::vector<std::pair<std::string, std::string>> plugins_of(loader::Catalog& catalog);

// [worker] Runs the operation with that id for whoever asks by that door. unsupported when there is none,
// forbidden when the caller may not, malformed as read_arguments.
Result<json::Value> run(Node& node, const Caller& caller, std::string_view id, const json::Value& arguments,
                        Door door, Call& call);

// [any] forbidden when the caller may not have that done.
Status check_permission(const Caller& caller, const Operation& operation, std::string_view id);

// plugins.cpp: asks the instances that bring the operation `words` of `plugin`; unsupported when none does.
Result<json::Value> run_plugin(Node& node, const Caller& caller, std::string_view id,
                               const json::Value& arguments, Door door, Call& call);

// {"items": [...]}, with "next" unless that is empty.
json::Value items(json::Array rows, std::string next = {});

// certificates.cpp
Result<json::Value> issue(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
Result<json::Value> show_certificate(Node& node, const Caller& caller, const Arguments& arguments,
                                     Call& call);
Result<json::Value> show_authority(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
Result<json::Value> list_certificates(Node& node, const Caller& caller, const Arguments& arguments,
                                      Call& call);
// revoke.cpp
Result<json::Value> revoke(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
Result<json::Value> revoke_many(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
Result<json::Value> revoke_unknown(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
// import.cpp
Result<json::Value> import_foreign(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
// events.cpp
Result<json::Value> list_events(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
Result<json::Value> list_dead_letters(Node& node, const Caller& caller, const Arguments& arguments,
                                      Call& call);
Result<json::Value> resend_event(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
// requests.cpp
Result<json::Value> list_requests(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
Result<json::Value> approve_request(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
Result<json::Value> deny_request(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
// keys.cpp
Result<json::Value> list_keys(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
Result<json::Value> create_key(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
Result<json::Value> import_key(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
Result<json::Value> delete_key(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
Result<json::Value> replicate_key(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
Result<json::Value> repin_keys(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
// node.cpp
Result<json::Value> serials(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
Result<json::Value> verify_audit(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
Result<json::Value> tail_audit(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
Result<json::Value> accept_clock(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
Result<json::Value> drain(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
Result<json::Value> reload(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
// nodes.cpp
Result<json::Value> list_nodes(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
Result<json::Value> list_roles(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
Result<json::Value> move_role(Node& node, const Caller& caller, const Arguments& arguments, Call& call);
// backup.cpp
Result<json::Value> backup(Node& node, const Caller& caller, const Arguments& arguments, Call& call);

// For the operations above: the row of the certificate that an argument names, and the name of an authority,
// or its number when the ledger does not know it.
// `authority`: whose it is; empty: of whichever has that serial number, when only one has.
Result<CertificateRow> find_row(Node& node, const NamedCertificate& named, const std::string& authority);
// Those of the ledger, or that one alone. not_found.
Result<std::vector<AuthorityRow>> authorities_called(Node& node, const std::string& name);
Result<CertificateRow> find_row(Node& node, const std::vector<AuthorityRow>& authorities,
                                const Serial& serial);
std::string authority_name(Node& node, AuthorityId id);
// One of the configuration that has a certificate; not_found, unavailable.
Result<std::shared_ptr<issuance::Authority>> find_authority(Node& node, const std::string& name);

}  // namespace hanaper::operations
