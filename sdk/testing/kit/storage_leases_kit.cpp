// Leases: one holder at a time, and nobody who writes after losing one.
#include "storage_kit.hpp"

#include <barrier>
#include <thread>

namespace hanaper::kit {
namespace {

// The lease as it is stored; what nobody has ever taken as a node would see it.
LeaseRow lease_of(Storage& storage, const std::string& name) {
  const auto rows = storage.leases().all();
  EXPECT_TRUE(rows) << rows.error().detail;
  if (rows)
    for (const LeaseRow& row : *rows)
      if (row.name == name) return row;
  return {name, "", 0, 0};
}

TEST_F(StorageKit, GrantsALeaseToOneHolderAndFencesTheOther) {
  Leases& leases = storage().leases();
  EXPECT_TRUE(leases.all()->empty());
  const auto first = leases.take(lease_of(storage(), "crl"), "a");
  ASSERT_TRUE(first) << first.error().detail;
  LeaseRow row = lease_of(storage(), "crl");
  EXPECT_EQ(row.holder, "a");
  EXPECT_EQ(row.epoch, *first);
  const auto second = leases.take(row, "b");
  ASSERT_TRUE(second) << second.error().detail << "; whether `a` is gone is not for the storage to know";
  EXPECT_EQ(*second, *first + 1);

  Write stale;
  stale.fence = Fence{"crl", *first};
  stale.records.push_back({"crl", "1", 0, false, {}, {}, "stale"});
  EXPECT_EQ(commit_one(storage(), stale).error().code, Code::conflict);
  EXPECT_EQ(records().get("crl", "1").error().code, Code::not_found);
  Write current;
  current.fence = Fence{"crl", *second};
  current.records.push_back({"crl", "1", 0, false, {}, {}, "current"});
  EXPECT_TRUE(commit_one(storage(), current));

  row = lease_of(storage(), "crl");
  EXPECT_TRUE(leases.release("crl", "a")) << "releasing what one does not hold is no error";
  EXPECT_TRUE(leases.release("none", "a"));
  EXPECT_EQ(lease_of(storage(), "crl").holder, "b");
  EXPECT_TRUE(leases.release("crl", "b"));
  const LeaseRow freed = lease_of(storage(), "crl");
  EXPECT_EQ(freed.holder, "") << "at once";
  EXPECT_EQ(freed.epoch, row.epoch) << "epochs do not begin again";
  EXPECT_EQ(freed.renewals, row.renewals);
  EXPECT_EQ(*leases.take(freed, "c"), *second + 1);
}

TEST_F(StorageKit, LetsALeaseBeTakenOnlyAsItWasSeen) {
  Leases& leases = storage().leases();
  const LeaseRow never = lease_of(storage(), "crl");
  ASSERT_TRUE(leases.take(never, "a"));
  const LeaseRow taken = lease_of(storage(), "crl");
  ASSERT_TRUE(leases.renew("a"));
  const LeaseRow renewed = lease_of(storage(), "crl");
  EXPECT_EQ(renewed.renewals, taken.renewals + 1);
  EXPECT_EQ(renewed.epoch, taken.epoch) << "a renewal keeps the epoch";
  LeaseRow other_epoch = renewed, other_count = renewed, unknown = renewed;
  ++other_epoch.epoch;
  ++other_count.renewals;
  unknown.name = "never taken";
  for (const LeaseRow& seen : {never, taken, other_epoch, other_count, unknown})
    EXPECT_EQ(leases.take(seen, "b").error().code, Code::conflict)
        << seen.name << " " << seen.epoch << " " << seen.renewals;
  EXPECT_EQ(lease_of(storage(), "crl").holder, "a");
  EXPECT_TRUE(leases.take(renewed, "b"));
  EXPECT_EQ(lease_of(storage(), "crl").holder, "b");
}

TEST_F(StorageKit, RenewsAllLeasesOfOneHolderAndNoOthers) {
  Leases& leases = storage().leases();
  for (const auto& [name, holder] :
       {std::pair{"crl:a", "a"}, {"crl:b", "b"}, {"events", "a"}, {"freed", "a"}})
    ASSERT_TRUE(leases.take(lease_of(storage(), name), holder));
  ASSERT_TRUE(leases.release("freed", "a"));
  ASSERT_TRUE(leases.renew("a"));
  ASSERT_TRUE(leases.renew("a"));
  ASSERT_TRUE(leases.renew("nobody"));
  const auto rows = leases.all();
  ASSERT_EQ(rows->size(), 4u);
  const std::map<std::string, std::uint64_t> expected = {
      {"crl:a", 3}, {"crl:b", 1}, {"events", 3}, {"freed", 1}};
  for (const LeaseRow& row : *rows) EXPECT_EQ(row.renewals, expected.at(row.name)) << row.name;
}

TEST_F(StorageKit, CountsNoWriteUnderALeaseAsARenewal) {
  ASSERT_TRUE(storage().leases().take(lease_of(storage(), "crl"), "a"));
  const LeaseRow before = lease_of(storage(), "crl");
  Write write;
  write.fence = Fence{"crl", before.epoch};
  write.records.push_back({"crl", "1", 0, false, {}, {}, "1"});
  ASSERT_TRUE(commit_one(storage(), write));
  EXPECT_EQ(lease_of(storage(), "crl").renewals, before.renewals);
}

TEST_F(StorageKit, GrantsALeaseOnceWhenManyAskAtOnce) {
  for (const LeaseRow& seen : {LeaseRow{"job", "", 0, 0}, LeaseRow{"job", "", 1, 1}}) {
    constexpr int threads = 8;
    std::barrier start(threads);
    std::atomic<int> granted{0}, refused{0};
    std::vector<std::thread> workers;
    for (int t = 0; t < threads; ++t)
      workers.emplace_back([&, t] {
        start.arrive_and_wait();
        const auto taken = storage().leases().take(seen, "holder" + std::to_string(t));
        granted += taken.has_value();
        refused += !taken && taken.error().code == Code::conflict;
      });
    for (std::thread& worker : workers) worker.join();
    EXPECT_EQ(granted, 1) << seen.epoch;
    EXPECT_EQ(refused, threads - 1) << seen.epoch;
  }
}

}  // namespace
}  // namespace hanaper::kit
