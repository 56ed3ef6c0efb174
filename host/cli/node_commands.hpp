// Commands that need a node: the same functions whether the daemon runs them or the command line itself.
#pragma once

#include "../http/router.hpp"
#include "../node/node.hpp"

#include <hanaper/toolkit/json.hpp>

namespace hanaper::cli {

using NodeCommand = Result<json::Value> (*)(Node& node, const json::Value& arguments, Call& call);

// Null when there is none of that name.
NodeCommand find_node_command(std::string_view name);

// certificates
Result<json::Value> issue(Node& node, const json::Value& arguments, Call& call);
Result<json::Value> revoke(Node& node, const json::Value& arguments, Call& call);
Result<json::Value> revoke_many(Node& node, const json::Value& arguments, Call& call);
Result<json::Value> operate(Node& node, const json::Value& arguments, Call& call);
Result<json::Value> show(Node& node, const json::Value& arguments, Call& call);
Result<json::Value> list(Node& node, const json::Value& arguments, Call& call);
Result<json::Value> requests(Node& node, const json::Value& arguments, Call& call);
// keys
Result<json::Value> keys(Node& node, const json::Value& arguments, Call& call);
// the node
Result<json::Value> serials(Node& node, const json::Value& arguments, Call& call);
Result<json::Value> audit_verify(Node& node, const json::Value& arguments, Call& call);
Result<json::Value> audit_tail(Node& node, const json::Value& arguments, Call& call);
Result<json::Value> backup(Node& node, const json::Value& arguments, Call& call);
Result<json::Value> init_authorities(Node& node, const json::Value& arguments, Call& call);
Result<json::Value> install_authority(Node& node, const json::Value& arguments, Call& call);
Result<json::Value> import_authority(Node& node, const json::Value& arguments, Call& call);

// The name of an authority, or its number when the ledger does not know it.
std::string authority_name(Node& node, AuthorityId id);
// The row that the arguments name, by serial number or by the certificate itself.
Result<CertificateRow> find_row(Node& node, const json::Value& arguments);
// By serial number, among the certificates of those.
Result<CertificateRow> find_row(Node& node, const std::vector<AuthorityRow>& authorities,
                                std::string_view serial);

// Puts a backup into the state folder of a node that is configured and not started.
Result<json::Value> restore(Node& node, const std::string& file);

// The daemon's side of the control socket: POST / with {"command":...,"arguments":{...}}.
class ControlEndpoint final : public http::Endpoint {
 public:
  explicit ControlEndpoint(Node& node) : node_(node) {}
  ByteCount body_limit() const override { return ByteCount{4 * 1024 * 1024}; }
  Response handle(const Request& request, Call& call) override;

 private:
  Node& node_;
};

}  // namespace hanaper::cli
