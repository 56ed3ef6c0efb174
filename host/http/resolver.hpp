// DNS for outbound checks. The only home of libunbound.
#pragma once

#include <hanaper/values.hpp>

#include <memory>

namespace hanaper::http {

// Looks names up, with a deadline on every answer. Thread-safe.
class Resolver {
 public:
  // Servers as "address" or "address:port"; none: those of the system, and its hosts file. `anchors` is a
  // file of DNSSEC trust anchors, in zone file form; empty: what the servers say is believed.
  static Result<std::unique_ptr<Resolver>> open(const std::vector<std::string>& servers,
                                                const std::string& anchors);
  ~Resolver();

  // [worker] Addresses of a host name, IPv6 first, 4 or 16 octets each. not_found when there are none;
  // unavailable when no server answers in time or the answer cannot be trusted.
  Result<std::vector<Bytes>> addresses(const std::string& name, Deadline deadline);

  // [worker] RDATA of the records of that name and type, CNAMEs followed; none is an answer too. unavailable
  // likewise.
  Result<std::vector<Bytes>> records(const std::string& name, int type, Deadline deadline);

 private:
  struct State;
  explicit Resolver(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hanaper::http
