// The host's way out: HTTP, TLS handshakes and DNS, to addresses that policy allows.
#pragma once

#include "../config/model.hpp"
#include "dial.hpp"
#include "resolver.hpp"

#include <hanaper/outbound.hpp>
#include <hanaper/services.hpp>
#include <hanaper/toolkit/swapped.hpp>

#include <memory>
#include <shared_mutex>

namespace hanaper::http {

// Which addresses may be reached. `deny` always wins. `permit` opens what is closed by default: every address
// but public unicast ones and the private networks of RFC 1918. An address that carries another is good when
// both are.
class EgressPolicy {
 public:
  explicit EgressPolicy(const config::OutboundConfig& config) : permit_(config.permit), deny_(config.deny) {}
  bool allows(ByteView address) const;

 private:
  std::vector<x509::Subtree> permit_, deny_;
};

// Thread-safe.
class OutboundClient final : public Outbound {
 public:
  static Result<std::unique_ptr<OutboundClient>> open(const config::OutboundConfig& config);
  Result<OutboundAnswer> get(const OutboundRequest& request, Call& call) override;
  Result<HandshakeAnswer> handshake(const OutboundHandshake& request, Call& call) override;
  Result<std::vector<Bytes>> records(const std::string& name, DnsType type, Call& call) override;
  Result<OutboundAnswer> send(const OutboundMessage& message, Call& call) override;

 private:
  OutboundClient(const config::OutboundConfig& config, std::unique_ptr<Resolver> resolver)
      : timeout_(config.timeout), policy_(config), resolver_(std::move(resolver)) {}

  Result<std::vector<Bytes>> allowed_addresses(const std::string& host, Deadline deadline);
  Deadline deadline_of(const Call& call) const {
    return std::min(call.deadline, std::chrono::steady_clock::now() + timeout_);
  }
  // Connects to the first address that answers, of those that `may` lets through.
  Result<Dial> dial(const std::string& host, std::uint16_t port, Deadline deadline,
                    const MayConnect& may = {});
  Result<OutboundAnswer> get_once(const OutboundRequest& request, Deadline deadline);

  const std::chrono::milliseconds timeout_;
  const EgressPolicy policy_;
  const std::unique_ptr<Resolver> resolver_;
};

// What plugins hold: the client of the configuration that is in force. Thread-safe.
class SwappedOutbound final : public Outbound {
 public:
  // [any] Requests under way go on with the one before.
  void swap(std::shared_ptr<Outbound> client) { client_.store(std::move(client)); }

  Result<OutboundAnswer> get(const OutboundRequest& request, Call& call) override {
    return run([&](Outbound& client) { return client.get(request, call); });
  }
  Result<HandshakeAnswer> handshake(const OutboundHandshake& request, Call& call) override {
    return run([&](Outbound& client) { return client.handshake(request, call); });
  }
  Result<std::vector<Bytes>> records(const std::string& name, DnsType type, Call& call) override {
    return run([&](Outbound& client) { return client.records(name, type, call); });
  }
  Result<OutboundAnswer> send(const OutboundMessage& message, Call& call) override {
    return run([&](Outbound& client) { return client.send(message, call); });
  }

 private:
  template <class Function>
  auto run(Function&& call) -> decltype(call(std::declval<Outbound&>())) {
    const auto client = client_.load();
    if (!client) return unavailable("the node does not serve yet");
    return call(*client);
  }

  Swapped<Outbound> client_;
};

}  // namespace hanaper::http
