// What stays free on the disk for what must go on: revocations, CRLs, responses, the audit.
#pragma once

#include <hanaper/result.hpp>
#include <hanaper/values.hpp>

#include <atomic>
#include <functional>
#include <string>

namespace hanaper::services {

// Thread-safe.
class DiskReserve {
 public:
  struct Space {
    std::uint64_t size = 0, free = 0;  // octets; size 0: nobody knows
  };
  using Look = std::function<Space(const std::string& folder)>;

  // Of the file system of that folder; a `reserve` of more than a sixteenth of it is none, so that small ones
  // can be used at all.
  DiskReserve(std::string folder, ByteCount reserve, Look look = look_at_disk)
      : folder_(std::move(folder)), reserve_(reserve.value), look_(std::move(look)) {}

  // [any] unavailable while less is free. Looks at the disk once a second.
  Status room() const;

  static Space look_at_disk(const std::string& folder);

 private:
  const std::string folder_;
  const std::uint64_t reserve_;
  const Look look_;
  mutable std::atomic<std::int64_t> looked_at_{-1};  // second of the steady clock
  mutable std::atomic<bool> low_{false};
};

}  // namespace hanaper::services
