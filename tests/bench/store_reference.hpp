// The least that a database client can do for a batch of certificate rows: what storage is measured against.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace hanaper::bench {

struct CertificateData {
  std::int64_t authority = 1, not_before = 0, not_after = 0, shard = 0;
  std::string serial, profile, requester, tbs;
};

// One connection with prepared statements, written by hand against the database's own library, in tables of
// the same shape beside ours.
class Reference {
 public:
  virtual ~Reference() = default;
  // One durable transaction: the writer's row, and these.
  virtual void commit(std::uint64_t number, const std::vector<CertificateData>& rows) = 0;
};

// `kind` is the plugin's name; `settings` are "file", or "host", "port", "user", "password", "database".
std::unique_ptr<Reference> make_reference(const std::string& kind,
                                          const std::map<std::string, std::string>& settings);

[[noreturn]] void give_up(const std::string& why);

}  // namespace hanaper::bench
