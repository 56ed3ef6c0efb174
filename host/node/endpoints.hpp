// What the host itself answers over HTTP, and protocols as the front sees them.
#pragma once

#include "../http/router.hpp"
#include "../services/thread_tag.hpp"
#include "instance.hpp"

namespace hanaper {

// A protocol plugin behind the guard that no exception passes.
class ProtocolEndpoint final : public http::Endpoint {
 public:
  ProtocolEndpoint(Protocol& protocol, std::string name, Log& log)
      : protocol_(protocol), name_(std::move(name)), log_(log) {}

  ByteCount body_limit() const override { return protocol_.body_limit(); }
  Response handle(const Request& request, Call& call) override {
    HANAPER_ON(worker);
    auto response =
        guarded<Response>(log_, name_, [&] { return Result<Response>(protocol_.handle(request, call)); });
    if (response) return *std::move(response);
    return {500, {{"Content-Type", "text/plain"}}, "internal error, call " + call.id + "\n"};
  }
  bool answer_fast(const Request& request, FastReply& reply) override {
    HANAPER_ON(io);
    const auto answered =
        guarded<bool>(log_, name_, [&] { return Result<bool>(protocol_.answer_fast(request, reply)); });
    return answered && *answered;
  }

 private:
  Protocol& protocol_;
  const std::string name_;
  Log& log_;
};

// /health/live, /health/ready, /metrics.
class StatusEndpoint final : public http::Endpoint {
 public:
  StatusEndpoint(services::Readiness& readiness, services::Registry& metrics)
      : readiness_(readiness), metrics_(metrics) {}
  ByteCount body_limit() const override { return ByteCount{0}; }
  Response handle(const Request& request, Call& call) override;

 private:
  Response ready() const;

  services::Readiness& readiness_;
  services::Registry& metrics_;
};

}  // namespace hanaper
