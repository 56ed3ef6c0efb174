// What the host itself answers over HTTP, and protocols as the front sees them.
#pragma once

#include "../http/router.hpp"
#include "../services/thread_tag.hpp"
#include "instance.hpp"

namespace hanaper {

// A protocol plugin behind its guard. Both outlive it.
class ProtocolEndpoint final : public http::Endpoint {
 public:
  ProtocolEndpoint(Protocol& protocol, services::Guard& guard) : protocol_(protocol), guard_(guard) {}

  ByteCount body_limit() const override {
    return guard_.run_or(ByteCount{0}, "body_limit", [&] { return protocol_.body_limit(); });
  }
  Response handle(const Request& request, Call& call) override {
    HANAPER_ON(worker);
    auto response =
        guard_.run("handle", call.id, [&] { return Result<Response>(protocol_.handle(request, call)); });
    if (response) return *std::move(response);
    return {500, {{"Content-Type", "text/plain"}}, "internal error, call " + call.id + "\n"};
  }
  bool answer_fast(const Request& request, FastReply& reply) override {
    HANAPER_ON(io);
    return guard_.run_or(false, "answer_fast", [&] { return protocol_.answer_fast(request, reply); });
  }

 private:
  Protocol& protocol_;
  services::Guard& guard_;
};

// /health/live, /health/ready, /health/status and /health/node, from memory on the network threads, whatever
// the workers do; /metrics.
class StatusEndpoint final : public http::Endpoint {
 public:
  StatusEndpoint(services::Readiness& readiness, services::Registry& metrics)
      : readiness_(readiness), metrics_(metrics) {}
  ByteCount body_limit() const override { return ByteCount{0}; }
  bool answer_fast(const Request& request, FastReply& reply) override;
  Response handle(const Request& request, Call& call) override;

 private:
  // Nothing when that is none of the addresses below /health.
  std::optional<Response> health(std::string_view path) const;
  Response report(std::optional<Purpose> purpose, std::string_view good, std::string_view bad) const;

  services::Readiness& readiness_;
  services::Registry& metrics_;
};

// A protocol whose pipeline has no authority yet.
class WaitingEndpoint final : public http::Endpoint {
 public:
  explicit WaitingEndpoint(std::string why) : why_(std::move(why)) {}
  Response handle(const Request&, Call&) override {
    return {503, {{"Content-Type", "text/plain"}, {"Retry-After", "300"}}, why_ + "\n"};
  }

 private:
  const std::string why_;
};

// /roots.pem: whom to trust, for those who know the fingerprint. From memory on the network threads.
class RootsEndpoint final : public http::Endpoint {
 public:
  static constexpr std::string_view path = "/roots.pem";

  explicit RootsEndpoint(std::string roots) : roots_(std::move(roots)) {}
  ByteCount body_limit() const override { return ByteCount{0}; }
  bool answer_fast(const Request& request, FastReply& reply) override;
  Response handle(const Request& request, Call& call) override;

 private:
  const std::string roots_;
};

}  // namespace hanaper
