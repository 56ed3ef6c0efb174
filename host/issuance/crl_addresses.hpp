// Where an authority's certificates say that their CRLs are: not only today's, also those of before the last
// change.
#pragma once

#include "../services/writer.hpp"

#include <map>

namespace hanaper::issuance {

// Every address of a complete CRL that certificates of one authority were ever given, on whatever node, by
// shard.
//
// A CRL of a shard, or an indirect one, is good for a certificate only if it names one of the certificate's
// addresses itself (RFC 5280 6.3.3). So they are kept for as long as there may be certificates: in a document
// for each shard, written before the first certificate with a new one is signed. Thread-safe.
class CrlAddresses {
 public:
  // Of one shard; when there are more, those that came first are dropped.
  static constexpr std::size_t most = 32;
  using ByShard = std::map<std::uint32_t, std::vector<std::string>>;

  CrlAddresses(std::string authority, AuthorityId id, Records& records, services::Writer& writer, Log& log);

  // [worker] Reads what the ledger has, of other nodes as well. unavailable.
  Status load();

  // [any] As far as this node knows; those that came last are the first.
  std::vector<std::string> of(std::uint32_t shard) const;

  // [worker] When it succeeds the ledger has them; at once where it is known to. unavailable.
  Status remember(std::uint32_t shard, const std::vector<std::string>& addresses, Deadline deadline);
  Status remember(const ByShard& addresses, Deadline deadline);

 private:
  bool knows(std::uint32_t shard, const std::vector<std::string>& addresses) const;
  void learn(std::uint32_t shard, std::vector<std::string> addresses);
  Result<std::optional<RecordWrite>> write_of(std::uint32_t shard, const std::vector<std::string>& addresses);
  std::string key_of(std::uint32_t shard) const;

  const std::string authority_;
  const AuthorityId id_;
  Records& records_;
  services::Writer& writer_;
  Log& log_;
  mutable Mutex mutex_;
  ByShard known_ HANAPER_GUARDED_BY(mutex_);
};

}  // namespace hanaper::issuance
