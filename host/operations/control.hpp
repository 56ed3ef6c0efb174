// The daemon's side of the control socket.
#pragma once

#include "../node/endpoints.hpp"
#include "table.hpp"

namespace hanaper::operations {

// POST / with {"operation":...,"arguments":{...}}, answered with {"result":...} or
// {"error":{"code":...,"detail":...}}. Who asks is what the kernel says of the peer; nothing else in the
// request counts for that.
class ControlEndpoint final : public http::Endpoint {
 public:
  explicit ControlEndpoint(Node& node)
      : node_(node), health_(node.shared().readiness, node.shared().metrics) {}
  ByteCount body_limit() const override { return ByteCount{4 * 1024 * 1024}; }
  Response handle(const Request& request, Call& call) override;
  // GET /health/..., whatever the workers do.
  bool answer_fast(const Request& request, FastReply& reply) override {
    return health_.answer_fast(request, reply);
  }

 private:
  Node& node_;
  StatusEndpoint health_;
};

// {"code":"not_found","detail":"..."}: how errors look wherever they are JSON.
json::Value error_value(const Error& error);

}  // namespace hanaper::operations
