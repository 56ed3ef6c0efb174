// What the tests of storages share.
#pragma once

#include "subject.hpp"

#include <gtest/gtest.h>

#include <set>

namespace hanaper::kit {

using fakes::commit_one;

class StorageKit : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(subject.status()) << subject.status().error().detail; }
  Storage& storage() { return dynamic_cast<Storage&>(subject.plugin()); }
  Ledger& ledger() { return storage().ledger(); }
  Records& records() { return storage().records(); }
  Time now() { return subject.host().manual_clock.now(); }

  static Serial serial(std::uint64_t number) {
    std::array<std::uint8_t, 9> octets{0x01};
    for (std::size_t i = 0; i < 8; ++i) octets[8 - i] = static_cast<std::uint8_t>(number >> (8 * i));
    return *Serial::from_magnitude(octets);
  }

  Status put(std::string collection, std::string key, std::uint64_t expected, std::string data,
             std::vector<RecordIndex> indexes = {}, std::optional<Time> expires = {}) {
    Write write;
    write.records.push_back({std::move(collection), std::move(key), expected, false, expires,
                             std::move(indexes), std::move(data)});
    return commit_one(storage(), write);
  }

  Status reserve(AuthorityId authority, const Serial& number, ByteView tbs,
                 std::chrono::days life = std::chrono::days{90}) {
    Write write;
    write.reservation = Reservation{.authority = authority,
                                    .serial = number,
                                    .profile = "web",
                                    .requester = "kit",
                                    .not_before = now(),
                                    .not_after = now() + life,
                                    .shard = 0,
                                    .tbs = tbs,
                                    .pipeline = "kit-pipeline"};
    return commit_one(storage(), write);
  }

  Status record(AuthorityId authority, const Serial& number, ByteView signature) {
    Write write;
    write.recording = Recording{authority, number, signature, now()};
    return commit_one(storage(), write);
  }

  Status revoke(AuthorityId authority, const Serial& number, std::optional<Fingerprint> block = {}) {
    Write write;
    write.revocation = Revocation{.authority = authority,
                                  .serial = number,
                                  .shard = 0,
                                  .reason = RevocationReason::superseded,
                                  .at = now(),
                                  .invalidity = {},
                                  .not_after = now() + std::chrono::days{90},
                                  .block_key = block};
    return commit_one(storage(), write);
  }

  Subject subject;
  const Bytes octets{0x30, 0x03, 0x00, 0xff, 0x0a};
};

}  // namespace hanaper::kit
