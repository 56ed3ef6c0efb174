#include "issuance/serials.hpp"
#include "temporary_folder.hpp"
#include "writer_support.hpp"

#include <set>

namespace hanaper::test {
namespace {

using issuance::RandomSerials;
using issuance::RangeSerials;

TEST(RandomSerialNumbers, BeginWithTheTimeAndNeverRepeat) {
  fakes::ManualClock clock;
  RandomSerials serials(clock);
  std::set<Serial> seen;
  const Bytes before = to_bytes(serials.draw(soon())->octets());
  for (int i = 0; i < 10'000; ++i) {
    const auto serial = *serials.draw(soon());
    EXPECT_EQ(serial.octets().size(), 20u);
    EXPECT_EQ(serial.octets()[0] & 0x80, 0);
    EXPECT_TRUE(equal(serial.octets().first(4), ByteView(before).first(4)));
    EXPECT_TRUE(seen.insert(serial).second);
  }
  clock.advance(std::chrono::seconds{1});
  EXPECT_GT(*serials.draw(soon()), *seen.rbegin()) << "later ones sort behind";
}

TEST(RandomSerialNumbers, AreNotGivenOutBeforeTheirTime) {
  fakes::ManualClock clock(Time{});
  const auto serial = RandomSerials(clock).draw(soon());
  ASSERT_FALSE(serial.has_value());
  EXPECT_EQ(serial.error().code, Code::unavailable);
  EXPECT_NE(serial.error().detail.find("1970-01-01"), std::string::npos);
}

TEST(RandomSerialNumbers, StayPositiveWhenTheirTimeBeginsAgain) {
  fakes::ManualClock clock(Time{std::chrono::sys_days{std::chrono::year{2090} / 1 / 1}});
  const auto serial = *RandomSerials(clock).draw(soon());
  EXPECT_TRUE(Serial::from_der(serial.octets()).has_value());
}

// Two nodes of one storage, each with a state folder of its own.
class RangeSerialNumbers : public WriterFixture {
 protected:
  RangeSerials node(const std::string& name, const std::string& begin = "1000", std::uint64_t size = 16) {
    return RangeSerials({true, *Serial::from_text(begin), size}, "issuing", folder_ / name, storage_.memory,
                        writer_, log_);
  }
  static std::string next(RangeSerials& serials) {
    const auto serial = serials.draw(soon());
    return serial ? serial->hex() : serial.error().detail;
  }
  void set_head(const std::string& text, const std::string& lane = "issuing:1000") {
    Write write;
    write.records.push_back({"host.serial", lane, 0, false, {}, {}, text});
    ASSERT_TRUE(writer_.commit(write, soon()).has_value());
  }

  TemporaryFolder folder_;
};

TEST_F(RangeSerialNumbers, CountOnFromTheirStart) {
  start();
  RangeSerials serials = node("a");
  for (int i = 0; i < 40; ++i)
    EXPECT_EQ(next(serials), Serial::from_text(to_hex(Bytes{0x10, std::uint8_t(i)}))->hex());
}

TEST_F(RangeSerialNumbers, OfTwoNodesNeverMeet) {
  start();
  RangeSerials a = node("a"), b = node("b");
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(seen.insert(next(a)).second);
    if (i % 3 != 0) continue;
    EXPECT_TRUE(seen.insert(next(b)).second);
  }
}

TEST_F(RangeSerialNumbers, OfOverlappingLanesAreGivenOutByOneOfThem) {
  start();
  RangeSerials a = node("a", "5000"), b = node("b", "5020"), c = node("c", "5008"), d = node("d", "4ff8"),
               far = node("far", "500000"),
               other_authority = RangeSerials({true, *Serial::from_text("5000"), 16}, "issuing-2",
                                              folder_ / "e", storage_.memory, writer_, log_);
  const auto refused = [](const char* lane, const char* other) {
    return std::string("the serial numbers of lane issuing:") + lane + " are those of lane issuing:" + other +
           ", too; configure another range.start";
  };
  EXPECT_EQ(next(a), "5000");
  EXPECT_EQ(next(b), "5020");
  EXPECT_EQ(next(c), refused("5008", "5000")) << "begins inside of what is taken";
  EXPECT_EQ(next(d), refused("4ff8", "5000")) << "would reach it";
  EXPECT_EQ(next(far), "500000");
  EXPECT_EQ(next(other_authority), "5000");
  // Up to where the next lane begins, and no further.
  for (int i = 1; i < 32; ++i) EXPECT_EQ(next(a).size(), 4u) << i;
  EXPECT_EQ(next(a), refused("5000", "5020"));
  EXPECT_EQ(next(b), "5021");
}

TEST_F(RangeSerialNumbers, OfManyThreadsNeverMeet) {
  start();
  RangeSerials a = node("a"), b = node("b");
  std::mutex mutex;
  std::set<std::string> seen;
  for (int i = 0; i < 8; ++i)
    threads_.emplace_back([&, i] {
      for (int n = 0; n < 100; ++n) {
        const std::string serial = next(i % 2 ? a : b);
        const std::lock_guard lock(mutex);
        EXPECT_TRUE(seen.insert(serial).second) << serial;
      }
    });
  join();
  EXPECT_EQ(seen.size(), 800u);
}

TEST_F(RangeSerialNumbers, AreNotUsedAgainAfterARestart) {
  start();
  std::set<std::string> seen;
  for (int run = 0; run < 5; ++run) {
    RangeSerials serials = node("a");
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(seen.insert(next(serials)).second);
  }
}

TEST_F(RangeSerialNumbers, SkipWhatTheDatabaseHasLost) {
  start();
  folder_.write("a", "4096\n");
  RangeSerials serials = node("a");
  EXPECT_EQ(next(serials), "2000");
  ASSERT_FALSE(log_.lines().empty());
  EXPECT_NE(log_.lines().front().find("the database has lost a serial range"), std::string::npos);
}

TEST_F(RangeSerialNumbers, AreNotGivenOutBeforeTheirRangeIsOnDisk) {
  start();
  RangeSerials serials = node("a");
  storage_.before_commit = [](const Batch&) -> Status { return unavailable("disk full"); };
  EXPECT_EQ(serials.draw(soon()).error().code, Code::unavailable);
  storage_.before_commit = nullptr;
  EXPECT_EQ(next(serials), "1000");
  EXPECT_EQ(folder_.read("a"), "16\n");
}

TEST_F(RangeSerialNumbers, AreNotGivenOutWhenTheMarkCannotBeWritten) {
  start();
  RangeSerials serials = node("no/such/folder/a");
  EXPECT_FALSE(serials.draw(soon()).has_value());
  RangeSerials other = node("a");
  EXPECT_EQ(next(other), "1010") << "what was taken is left out";
}

TEST_F(RangeSerialNumbers, LastThroughAnOutageUntilTheirRangeIsUsedUp) {
  start();
  RangeSerials serials = node("a");
  EXPECT_EQ(next(serials), "1000");
  storage_.before_commit = [](const Batch&) -> Status { return unavailable("no quorum"); };
  for (int i = 1; i < 16; ++i) EXPECT_TRUE(serials.draw(soon()).has_value()) << i;
  EXPECT_EQ(serials.draw(soon()).error().code, Code::unavailable);
  storage_.before_commit = nullptr;
  EXPECT_EQ(next(serials), "1010");
}

TEST_F(RangeSerialNumbers, ShowWhereTheyAre) {
  start();
  RangeSerials serials = node("a");
  EXPECT_FALSE(serials.state().current.has_value());
  next(serials);
  auto state = serials.state();
  EXPECT_EQ(state.kind, "range");
  EXPECT_EQ(state.next->hex(), "1001");
  EXPECT_EQ(state.current->begin.hex() + "-" + state.current->end.hex(), "1001-100f");
  EXPECT_FALSE(state.following.has_value());
  for (int i = 0; i < 12; ++i) next(serials);
  state = serials.state();
  EXPECT_EQ(state.following->begin.hex() + "-" + state.following->end.hex(), "1010-101f");
}

TEST_F(RangeSerialNumbers, StopAtTheLastNumberThereIs) {
  start();
  // 20 octets, positive: 7f and nineteen times ff is the last.
  const std::string last_run = "7f" + std::string(36, 'f') + "f0";
  RangeSerials serials = node("a", last_run);
  for (int i = 0; i < 16; ++i) EXPECT_TRUE(next(serials).starts_with("7fff")) << i;
  for (int i = 0; i < 2; ++i) {
    const auto beyond = serials.draw(soon());
    ASSERT_FALSE(beyond.has_value());
    EXPECT_EQ(beyond.error().code, Code::unavailable);
    EXPECT_NE(beyond.error().detail.find("are used up"), std::string::npos) << beyond.error().detail;
  }
}

TEST_F(RangeSerialNumbers, StopWhereTheCountWouldBeginAgain) {
  start();
  set_head("18446744073709551610");
  RangeSerials serials = node("a");
  EXPECT_NE(serials.draw(soon()).error().detail.find("are used up"), std::string::npos);
}

TEST_F(RangeSerialNumbers, StopAtARecordOrMarkThatIsNoNumber) {
  start();
  RangeSerials marked = node("a", "2000");
  for (const char* mark : {"", "-1", "12x", "0x10", " 1", "18446744073709551616"}) {
    folder_.write("a", mark);
    EXPECT_NE(marked.draw(soon()).error().detail.find("is no number"), std::string::npos) << mark;
  }
  set_head("many");
  RangeSerials serials = node("b");
  EXPECT_EQ(serials.draw(soon()).error().code, Code::internal);
}

TEST_F(RangeSerialNumbers, GoOnBehindThoseThatSomebodyElseHasGivenOut) {
  start();
  RangeSerials first = node("a");
  EXPECT_EQ(next(first), "1000");
  std::vector<Serial> taken;
  for (const char* text :
       {"0fff", "1001", "1002", "1014", "1015", "7f00000000000000", "7f0000000000000000000000"})
    taken.push_back(*Serial::from_text(text));
  ASSERT_TRUE(first.pass(taken, soon()));
  EXPECT_EQ(next(first), "1003") << "what is left of the range at hand";
  RangeSerials second = node("b");
  EXPECT_EQ(next(second), "1016") << "numbers far ahead were drawn at random: nobody comes to them";
  ASSERT_TRUE(second.pass(taken, soon()));
  EXPECT_EQ(next(second), "1017") << "once more changes nothing";
}

TEST_F(RangeSerialNumbers, OfARestoredLedgerGoOnFarAheadInEveryLane) {
  start();
  set_head("32");
  set_head("48", "issuing:2000");
  set_head("forty", "issuing:3000");
  ASSERT_TRUE(issuance::skip_in_lanes(storage_.memory, writer_, 1000));
  RangeSerials first = node("a"), second = node("b", "2000"), broken = node("c", "3000");
  EXPECT_EQ(next(first), "1408");
  EXPECT_EQ(next(second), "2418");
  EXPECT_EQ(broken.draw(soon()).error().code, Code::internal) << "what was no number is none afterwards";
}

}  // namespace
}  // namespace hanaper::test
