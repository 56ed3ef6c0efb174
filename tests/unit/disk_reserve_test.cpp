#include "services/disk_reserve.hpp"

#include <gtest/gtest.h>

namespace hanaper::services {
namespace {

constexpr std::uint64_t mib = 1024 * 1024;

TEST(DiskReserve, StopsWhatIsNewBeforeTheDiskIsFull) {
  const struct {
    const char* name;
    std::uint64_t reserve;
    DiskReserve::Space space;
    bool room;
  } table[] = {
      {"much is free", 64 * mib, {4096 * mib, 2048 * mib}, true},
      {"just enough", 64 * mib, {4096 * mib, 64 * mib}, true},
      {"an octet less", 64 * mib, {4096 * mib, 64 * mib - 1}, false},
      {"a full disk", 64 * mib, {4096 * mib, 0}, false},
      {"a small disk, for which the reserve is not meant", 64 * mib, {1023 * mib, mib}, true},
      {"the smallest for which it is", 64 * mib, {1024 * mib, mib}, false},
      {"no reserve", 0, {4096 * mib, 0}, true},
      {"nobody knows", 64 * mib, {0, 0}, true},
  };
  for (const auto& row : table) {
    SCOPED_TRACE(row.name);
    const DiskReserve disk("/state", ByteCount{row.reserve}, [&](const std::string&) { return row.space; });
    const Status room = disk.room();
    EXPECT_EQ(room.has_value(), row.room);
    if (room) continue;
    EXPECT_EQ(room.error().code, Code::unavailable);
    EXPECT_EQ(
        room.error().detail,
        "less than 64MiB are free at /state; nothing is issued until there is more (node.disk_reserve)");
  }
}

TEST(DiskReserve, LooksAtTheDiskThatIsThere) {
  const DiskReserve::Space space = DiskReserve::look_at_disk("/");
  EXPECT_GT(space.size, 0u);
  EXPECT_GE(space.size, space.free);
  EXPECT_EQ(DiskReserve::look_at_disk("/nowhere at all").size, 0u);
}

}  // namespace
}  // namespace hanaper::services
