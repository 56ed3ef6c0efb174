// Two nodes over one storage.
#include "storage_kit.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/mutex.hpp>

#include <functional>
#include <thread>

namespace hanaper::kit {
namespace {

// The writer of one node, as the host's: its own count of batches.
class NodeWriter {
 public:
  NodeWriter(Storage& storage, std::string node) : storage_(storage), node_(std::move(node)) {}

  Status commit(Write& write) {
    Write* writes[] = {&write};
    Batch batch;
    batch.node = node_;
    batch.number = number_ + 1;
    crypto::random(batch.token);
    batch.writes = writes;
    const Status committed = storage_.commit(batch);
    if (committed) ++number_;
    return committed;
  }
  const std::string& node() const { return node_; }
  Storage& storage() { return storage_; }

 private:
  Storage& storage_;
  const std::string node_;
  std::uint64_t number_ = 0;
};

class StorageKitNodes : public StorageKit {
 protected:
  void SetUp() override {
    StorageKit::SetUp();
    if (HasFatalFailure()) return;
    other_ = subject.second_instance();
    if (!other_ && !manifest().clusterable)
      GTEST_SKIP() << "this storage is for one process at a time, and keeps others out";
    ASSERT_TRUE(other_) << "a second instance over the same storage does not start";
    nodes_.emplace_back(storage(), "a");
    nodes_.emplace_back(dynamic_cast<Storage&>(*other_), "b");
  }
  void TearDown() override {
    if (other_) other_->stop(std::chrono::steady_clock::now() + std::chrono::seconds{5});
  }

  // Both at once, each on a thread of its own.
  void on_both(const std::function<void(NodeWriter&)>& work) {
    std::vector<std::jthread> threads;
    for (NodeWriter& node : nodes_) threads.emplace_back([&] { work(node); });
  }

  static Write reservation(const Serial& number, Time at, ByteView tbs) {
    Write write;
    write.reservation = Reservation{.authority = 1,
                                    .serial = number,
                                    .profile = "web",
                                    .requester = "kit",
                                    .not_before = at,
                                    .not_after = at,
                                    .shard = 0,
                                    .tbs = tbs};
    return write;
  }

  std::unique_ptr<Plugin> other_;
  std::vector<NodeWriter> nodes_;
};

TEST_F(StorageKitNodes, LoseNoUpdateToOneAnother) {
  constexpr int each = 20;
  std::atomic<int> failures{0};
  on_both([&](NodeWriter& node) {
    for (int done = 0; done < each;) {
      const auto record = node.storage().records().get("counter", "n");
      const std::uint64_t version = record ? record->version : 0;
      const int value = record ? std::stoi(record->data) : 0;
      Write write;
      write.records.push_back({"counter", "n", version, false, {}, {}, std::to_string(value + 1)});
      const Status committed = node.commit(write);
      if (committed)
        ++done;
      else if (committed.error().code != Code::conflict && ++failures > 100)
        return;
    }
  });
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(records().get("counter", "n")->data, std::to_string(2 * each));
  EXPECT_EQ(records().get("counter", "n")->version, 2u * each);
}

TEST_F(StorageKitNodes, TakeRangesThatDoNotOverlap) {
  Mutex mutex;
  std::multiset<std::uint64_t> taken;
  on_both([&](NodeWriter& node) {
    for (int got = 0, attempts = 0; got < 15 && attempts < 1000; ++attempts) {
      const auto record = node.storage().records().get("serial", "head");
      const std::uint64_t head = record ? std::stoull(record->data) : 0;
      Write write;
      write.records.push_back(
          {"serial", "head", record ? record->version : 0, false, {}, {}, std::to_string(head + 100)});
      if (!node.commit(write)) continue;
      ++got;
      const Lock lock(mutex);
      taken.insert(head);
    }
  });
  EXPECT_EQ(taken.size(), 30u);
  EXPECT_EQ(std::set<std::uint64_t>(taken.begin(), taken.end()).size(), 30u);
}

TEST_F(StorageKitNodes, NeverBothGetASerialNumber) {
  std::atomic<int> won{0}, lost{0};
  on_both([&](NodeWriter& node) {
    for (std::uint64_t i = 0; i < 30; ++i) {
      Write write = reservation(serial(i), now(), octets);
      const Status committed = node.commit(write);
      if (committed)
        ++won;
      else if (committed.error().code == Code::conflict)
        ++lost;
    }
  });
  EXPECT_EQ(won, 30);
  EXPECT_EQ(lost, 30);
}

TEST_F(StorageKitNodes, FeedWhatBothIssueAndLeaveNothingOut) {
  constexpr std::uint64_t each = 60;
  std::atomic<int> running{2};
  std::set<std::string> seen;
  const auto read = [&](std::string& cursor) {
    const auto rows = ledger().issued_since(cursor, 7);
    if (!rows) return false;
    for (const CertificateRow& row : *rows) seen.insert(row.serial.hex());
    return !rows->empty();
  };
  std::string cursor;
  std::jthread reader([&] {
    while (running > 0) read(cursor);
  });
  on_both([&](NodeWriter& node) {
    const std::uint64_t first = node.node() == "a" ? 0 : each;
    for (std::uint64_t i = first; i < first + each; ++i) {
      Write write = reservation(serial(i), now(), octets);
      write.recording = Recording{1, serial(i), octets, now()};
      EXPECT_TRUE(node.commit(write));
    }
    --running;
  });
  reader.join();
  while (read(cursor)) {}
  EXPECT_EQ(seen.size(), 2 * each);
}

TEST_F(StorageKitNodes, AreFencedWhenTheirLeaseHasMoved) {
  Leases &ours = nodes_[0].storage().leases(), &theirs = nodes_[1].storage().leases();
  const auto stale = ours.take({"crl", "", 0, 0}, "a");
  ASSERT_TRUE(stale);
  EXPECT_EQ(theirs.take({"crl", "", 0, 0}, "b").error().code, Code::conflict);
  const auto rows = theirs.all();
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 1u);
  EXPECT_EQ(rows->front().holder, "a");
  ASSERT_TRUE(ours.renew("a"));
  EXPECT_EQ(theirs.take(rows->front(), "b").error().code, Code::conflict) << "it has been renewed meanwhile";
  const auto current = theirs.take(theirs.all()->front(), "b");
  ASSERT_TRUE(current);
  Write late;
  late.fence = Fence{"crl", *stale};
  late.records.push_back({"crl", "number", 0, false, {}, {}, "1"});
  EXPECT_EQ(nodes_[0].commit(late).error().code, Code::conflict);
  Write fresh;
  fresh.fence = Fence{"crl", *current};
  fresh.records.push_back({"crl", "number", 0, false, {}, {}, "1"});
  EXPECT_TRUE(nodes_[1].commit(fresh));
}

TEST_F(StorageKitNodes, NoticeAnotherProcessUnderTheirName) {
  NodeWriter first(storage(), "same"), second(nodes_[1].storage(), "same");
  Write write;
  write.records.push_back({"orders", "a", 0, false, {}, {}, "1"});
  ASSERT_TRUE(first.commit(write));
  write.records[0].key = "b";
  const Status refused = second.commit(write);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::conflict);
  EXPECT_TRUE(write.outcome);
}

}  // namespace
}  // namespace hanaper::kit
