#include "disk_reserve.hpp"

#include <hanaper/toolkit/time_text.hpp>

#include <sys/statvfs.h>

#include <chrono>

namespace hanaper::services {

Status DiskReserve::room() const {
  const std::int64_t second =
      std::chrono::floor<std::chrono::seconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
  if (looked_at_.exchange(second) != second) {
    const Space space = look_(folder_);
    low_ = space.size / 16 >= reserve_ && space.free < reserve_;
  }
  if (!low_) return {};
  return unavailable("less than " + size_text(ByteCount{reserve_}) + " are free at " + folder_ +
                         "; nothing is issued until there is more (node.disk_reserve)",
                     std::chrono::minutes{1});
}

DiskReserve::Space DiskReserve::look_at_disk(const std::string& folder) {
  struct statvfs found {};
  if (::statvfs(folder.c_str(), &found) != 0) return {};
  return {std::uint64_t{found.f_blocks} * found.f_frsize, std::uint64_t{found.f_bavail} * found.f_frsize};
}

}  // namespace hanaper::services
