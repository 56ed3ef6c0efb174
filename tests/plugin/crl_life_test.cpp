// CRLs over their life: when they are made, by which node, and what the others have of it.
#include "crl_support.hpp"

#include <thread>

namespace hanaper::test {
namespace {

class CrlLife : public CrlFixture {
 protected:
  // The same list on a node that has files of its own.
  std::unique_ptr<crl::List> make_theirs() { return make_list(false, {.path = folder_ + "/theirs.crl"}); }
  static std::uint64_t number_of(const crl::List& list) {
    return list.current() ? list.current()->row().number : 0;
  }
  // Nothing can be published under that name until it is removed again.
  void block(const std::string& name) const {
    std::filesystem::remove(folder_ + name);
    std::filesystem::create_directories(folder_ + name + "/in the way");
  }
};

TEST_F(CrlLife, IsMadeWhenItIsTimeAndSoonAfterARevocation) {
  tend(*list_);
  ASSERT_TRUE(list_->current());
  EXPECT_EQ(list_->current()->row().number, 1u);
  host_.manual_clock.advance(std::chrono::hours{23});
  tend(*list_);
  EXPECT_EQ(list_->current()->row().number, 1u);
  list_->touch();
  tend(*list_);
  EXPECT_EQ(list_->current()->row().number, 2u);
  tend(*list_);
  EXPECT_EQ(list_->current()->row().number, 2u) << "once is enough";
  list_->touch();
  tend(*list_);
  EXPECT_EQ(list_->current()->row().number, 2u) << "those that come together wait for each other";
  host_.manual_clock.advance(std::chrono::seconds{1});
  tend(*list_);
  EXPECT_EQ(list_->current()->row().number, 3u);
  host_.manual_clock.advance(std::chrono::hours{24});
  tend(*list_);
  EXPECT_EQ(list_->current()->row().number, 4u);
}

TEST_F(CrlLife, IsFoundAgainAfterARestartAndPutBackWhenItWasLost) {
  tend(*list_);
  list_ = make_list(false);
  tend(*list_);
  EXPECT_EQ(list_->current()->row().number, 1u);
  list_ = make_list(false);
  std::filesystem::resize_file(folder_ + "/complete.crl", 100);
  tend(*list_);
  EXPECT_EQ(list_->current()->row().number, 1u);
  EXPECT_TRUE(read(*list_));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/complete.crl.new"));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/complete.crl.entries"));
}

TEST_F(CrlLife, LeavesItToTheNodeThatHasTheRight) {
  Call call = fakes::test_call();
  ASSERT_TRUE(list_->make(call));
  authority_.node = "another";
  const auto refused = list_->make(call);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::conflict);
  EXPECT_TRUE(list_->health()) << "that is how it should be";
}

TEST_F(CrlLife, IsNotSaidToBeMadeWhereTheOtherNodeHasFailed) {
  tend(*list_);
  authority_.node = "another";
  // The other node takes the wish away, and has made none.
  Collection& asks = host_.collection("asks");
  std::thread other([&] {
    auto ask = asks.get(list_->ask_key());
    while (!ask) ask = asks.get(list_->ask_key());
    RecordWrite done;
    done.key = ask->key;
    done.expected = ask->version;
    done.erase = true;
    Call call = fakes::test_call();
    EXPECT_TRUE(host_.commit({asks.bind(std::move(done))}, call));
  });
  Call call = fakes::test_call();
  const auto made = list_->make_anywhere(call);
  other.join();
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::unavailable);
  EXPECT_NE(made.error().detail.find("that node could not make it"), std::string::npos)
      << made.error().detail;
}

TEST_F(CrlLife, GoesToTheOtherNodes) {
  authority_.revoke(authority_.add(10), Reason::superseded);
  tend(*list_);
  authority_.node = "another";
  const auto theirs = make_theirs();
  tend(*theirs);
  ASSERT_TRUE(theirs->current());
  EXPECT_EQ(theirs->current()->row().number, 1u);
  EXPECT_EQ(entries(read(*theirs).get()).size(), 1u);
  // A revocation that both hear of is made known by the one that has the right, and by the other after it.
  host_.manual_clock.advance(std::chrono::seconds{10});
  authority_.revoke(authority_.add(11), Reason::superseded);
  theirs->touch();
  tend(*theirs);
  EXPECT_EQ(theirs->current()->row().number, 1u);
  host_.manual_clock.advance(std::chrono::seconds{1});
  authority_.node = "test";
  list_->touch();
  tend(*list_);
  authority_.node = "another";
  host_.manual_clock.advance(std::chrono::seconds{1});
  tend(*theirs);
  EXPECT_EQ(theirs->current()->row().number, 2u);
  EXPECT_EQ(entries(read(*theirs).get()).size(), 2u);
  // And when the other is gone for good, so is its right.
  host_.manual_clock.advance(std::chrono::days{1});
  tend(*theirs);
  EXPECT_EQ(theirs->current()->row().number, 3u);
}

// In parts, each a document, and never the whole in memory.
TEST_F(CrlLife, GoesToTheOtherNodesHoweverLargeItIs) {
  options_.part_size = 500;
  for (std::uint64_t i = 0; i < 100; ++i)
    authority_.revoke(authority_.add(i + 1'000'000), Reason::superseded);
  list_ = make_list(false);
  tend(*list_);
  ASSERT_GT(list_->current()->row().size, 5 * options_.part_size);
  authority_.node = "another";
  const auto theirs = make_theirs();
  tend(*theirs);
  ASSERT_TRUE(theirs->current());
  EXPECT_EQ(theirs->current()->row().hash, list_->current()->row().hash);
  EXPECT_EQ(*theirs->current()->der(), *list_->current()->der());
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/theirs.crl.fetched"));
  // A part that is another's is noticed, and what was served stays.
  const std::uint64_t number = number_of(*theirs);
  authority_.node = "test";
  host_.manual_clock.advance(std::chrono::seconds{2});
  authority_.revoke(authority_.add(10), Reason::superseded);
  list_->touch();
  tend(*list_);
  host_.manual_clock.advance(std::chrono::seconds{2});
  tend(*list_);
  ASSERT_GT(number_of(*list_), number);
  authority_.node = "another";
  Collection& parts = host_.collection("lists");
  const auto found = parts.find("", "", "", 2);
  ASSERT_TRUE(found && found->size() == 2);
  RecordWrite other;
  other.key = found->back().key;
  other.expected = found->back().version;
  other.data = found->front().data;
  Call call = fakes::test_call();
  ASSERT_TRUE(host_.commit({parts.bind(std::move(other))}, call));
  host_.manual_clock.advance(std::chrono::seconds{2});
  tend(*theirs);
  EXPECT_EQ(number_of(*theirs), number);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/theirs.crl.fetched"));
}

// RFC 5280 5.2.3: numbers tell "when a particular CRL supersedes another CRL".
TEST_F(CrlLife, IsNotNumberedAfterOneThatHasMoreOnIt) {
  make(*list_);
  const auto theirs = make_theirs();
  host_.manual_clock.advance(std::chrono::minutes{3});
  const Serial late = authority_.add(10);
  // Reading takes so long that the right is lost, and another node makes one meanwhile.
  authority_.read = [&] {
    host_.manual_clock.advance(std::chrono::minutes{3});
    authority_.revoke(late, Reason::superseded);
    authority_.node = "another";
    EXPECT_EQ(entries(make(*theirs).get()).size(), 1u);
    authority_.node = "test";
    host_.manual_clock.advance(std::chrono::minutes{3});
  };
  Call call = fakes::test_call();
  const auto slow = list_->make(call);
  ASSERT_FALSE(slow);
  EXPECT_EQ(slow.error().code, Code::conflict);
  const CrlPointer next = make(*list_);
  EXPECT_EQ(integer_of(next.get(), NID_crl_number), 3);
  EXPECT_EQ(entries(next.get()).size(), 1u);
}

TEST_F(CrlLife, TakesANewerOneFromAnotherNodeThoughItsOwnIsNotDue) {
  tend(*list_);
  authority_.node = "another";
  const auto theirs = make_theirs();
  tend(*theirs);
  EXPECT_EQ(number_of(*theirs), 1u);
  authority_.node = "test";
  make(*list_);
  authority_.node = "another";
  host_.manual_clock.advance(std::chrono::seconds{1});
  tend(*theirs);
  EXPECT_EQ(number_of(*theirs), 2u);
  EXPECT_EQ(theirs->held()->number, 2u);
}

TEST_F(CrlLife, OfADeltaBeginsWithTheCompleteOneThatIsServed) {
  const auto delta = make_list(true);
  make(*list_);
  host_.manual_clock.advance(std::chrono::minutes{10});
  const Serial serial = authority_.add(10);
  authority_.revoke(serial, Reason::superseded);
  // Its number and hash are in the ledger, but the file cannot be put in its place.
  block("/complete.crl");
  Call call = fakes::test_call();
  EXPECT_FALSE(list_->make(call));
  EXPECT_EQ(authority_.newest_crl(0, false)->number, 2u);
  EXPECT_EQ(number_of(*list_), 1u);
  EXPECT_EQ(list_->held()->number, 1u);
  host_.manual_clock.advance(std::chrono::minutes{10});
  const CrlPointer change = make(*delta);
  EXPECT_EQ(integer_of(change.get(), NID_delta_crl), 1);
  EXPECT_EQ(entries(change.get()).count(serial.hex()), 1u) << "no CRL that is served has it";
}

TEST_F(CrlLife, LeavesADeltaThatAddsToWhatItDoesNotHave) {
  const auto delta = make_list(true);
  make(*list_);
  make(*delta);
  authority_.node = "another";
  const auto theirs = make_theirs();
  crl::List their_delta(options_, host_, authority_, 0, theirs.get(),
                        {.path = folder_ + "/theirs-delta.crl"});
  tend(*theirs);
  tend(their_delta);
  EXPECT_EQ(number_of(their_delta), 2u);
  block("/theirs.crl");
  authority_.node = "test";
  host_.manual_clock.advance(std::chrono::minutes{10});
  make(*list_);
  make(*delta);
  authority_.node = "another";
  tend(*theirs);
  tend(their_delta);
  EXPECT_EQ(number_of(*theirs), 1u) << "what the other node has made cannot be stored";
  EXPECT_EQ(number_of(their_delta), 2u) << "the newest adds to 3";
  std::filesystem::remove_all(folder_ + "/theirs.crl");
  host_.manual_clock.advance(std::chrono::seconds{1});
  tend(*theirs);
  tend(their_delta);
  EXPECT_EQ(number_of(*theirs), 3u);
  EXPECT_EQ(number_of(their_delta), 4u);
}

TEST_F(CrlLife, IsNotAsItShouldBeBeforeThereIsOne) {
  EXPECT_FALSE(list_->health());
  tend(*list_);
  EXPECT_TRUE(list_->health());
}

TEST_F(CrlLife, LeavesToTheOtherNodeWhatThatOneHasTheRightToMake) {
  tend(*list_);
  host_.manual_clock.advance(std::chrono::hours{61});
  authority_.key_is_away = true;
  Call call = fakes::test_call();
  EXPECT_FALSE(list_->tend(call));
  EXPECT_FALSE(list_->health()) << "it failed here";
  authority_.key_is_away = false;
  authority_.node = "another";
  host_.manual_clock.advance(std::chrono::minutes{3});
  ASSERT_TRUE(authority_.claim_crl(0));
  authority_.node = "test";
  host_.manual_clock.advance(std::chrono::seconds{6});
  tend(*list_);
  EXPECT_EQ(number_of(*list_), 1u);
  EXPECT_TRUE(list_->health()) << "another node is at it, and what is served is valid";
}

TEST_F(CrlLife, IsAsItShouldBeAgainOnceAnotherNodeHasMadeWhatThisOneCouldNot) {
  tend(*list_);
  host_.manual_clock.advance(std::chrono::hours{61});
  authority_.key_is_away = true;
  list_->touch();
  Call call = fakes::test_call();
  EXPECT_FALSE(list_->tend(call));
  EXPECT_FALSE(list_->health());
  authority_.key_is_away = false;
  authority_.node = "another";
  host_.manual_clock.advance(std::chrono::minutes{3});
  const auto theirs = make_theirs();
  make(*theirs);
  authority_.node = "test";
  host_.manual_clock.advance(std::chrono::seconds{1});
  tend(*list_);
  EXPECT_EQ(number_of(*list_), 3u);
  EXPECT_TRUE(list_->health()) << list_->health().error().detail;
}

TEST_F(CrlLife, IsNotAsItShouldBeWhereTheOneThatIsServedHasRunOut) {
  tend(*list_);
  authority_.node = "another";
  const auto theirs = make_theirs();
  tend(*theirs);
  EXPECT_EQ(number_of(*theirs), 1u);
  block("/theirs.crl");
  for (int day = 1; day <= 5; ++day) {
    host_.manual_clock.advance(std::chrono::days{1});
    authority_.node = "test";
    tend(*list_);
    authority_.node = "another";
    tend(*theirs);
    EXPECT_EQ(number_of(*theirs), 1u);
    EXPECT_EQ(theirs->health().has_value(), day < 4) << day;
  }
  EXPECT_TRUE(list_->health());
}

TEST_F(CrlLife, IsNotAsItShouldBeWhereThereIsNoneToBeHad) {
  tend(*list_);
  authority_.node = "another";
  const auto theirs = make_theirs();
  block("/theirs.crl");
  Call call = fakes::test_call();
  EXPECT_FALSE(theirs->tend(call));
  EXPECT_FALSE(theirs->health());
  std::filesystem::remove_all(folder_ + "/theirs.crl");
  tend(*theirs);
  EXPECT_TRUE(theirs->health());
}

struct StartCase {
  const char* name;
  std::chrono::minutes before;  // the start, when the certificate was revoked
  bool with_deltas, on_revoke;
  std::uint64_t complete, delta;  // their numbers soon after the start
};

TEST_F(CrlLife, HasWhatWasRevokedBeforeTheStartAndToldToNobody) {
  constexpr StartCase cases[] = {
      {"JustBefore", std::chrono::minutes{0}, false, true, 2, 0},
      {"LongBeforeTheLastOne", std::chrono::minutes{30}, false, true, 1, 0},
      {"WithDeltas", std::chrono::minutes{0}, true, true, 1, 3},
      {"OfNoConcern", std::chrono::minutes{0}, false, false, 1, 0},
  };
  for (std::uint64_t shard = 0; const StartCase& test : cases) {
    SCOPED_TRACE(test.name);
    options_.on_revoke = test.on_revoke;
    options_.delta = std::chrono::hours{test.with_deltas ? 1 : 0};
    const auto number = static_cast<std::uint32_t>(++shard);
    const Serial serial = authority_.add(100 + shard, true, number);
    const auto revoke = [&] { authority_.revoke(serial, Reason::superseded, {}, false); };
    const auto start = [&] {
      list_ = make_list(false, {.path = folder_ + "/" + test.name}, number);
      return test.with_deltas
                 ? make_list(true, {.path = folder_ + "/" + test.name + std::string("d")}, number)
                 : nullptr;
    };
    auto delta = start();
    if (test.before.count() > 0) revoke();
    host_.manual_clock.advance(test.before);
    make(*list_);
    if (delta) make(*delta);
    host_.manual_clock.advance(std::chrono::seconds{10});
    if (test.before.count() == 0) revoke();
    delta = start();
    for (int tick = 0; tick < 4; ++tick) {
      tend(*list_);
      if (delta) tend(*delta);
      host_.manual_clock.advance(std::chrono::milliseconds{500});
    }
    EXPECT_EQ(number_of(*list_), test.complete);
    EXPECT_EQ(delta ? number_of(*delta) : 0, test.delta);
  }
}

struct SpentCase {
  const char* name;
  std::uint64_t number;         // that was spent before the start, on a CRL that nobody has finished; 0: none
  std::chrono::hours valid{0};  // how long that would have been good; a restore skips numbers with none
  std::uint64_t complete, delta;  // the numbers of what is served soon after the start
};

TEST_F(CrlLife, IsNotServedAgainAfterARestore) {
  constexpr SpentCase cases[] = {
      {"None", 0, {}, 1, 2},
      {"OfOneWhoDied", 3, std::chrono::hours{24}, 1, 2},
      {"OfARestore", 1'000'002, {}, 1'000'003, 1'000'004},
  };
  std::uint32_t shard = 0;
  for (const bool on_revoke : {true, false})
    for (const SpentCase& test : cases) {
      SCOPED_TRACE(test.name);
      options_.on_revoke = on_revoke;
      ++shard;
      const auto make_lists = [&] {
        const std::string path = folder_ + "/" + std::to_string(shard);
        list_ = make_list(false, {.path = path}, shard);
        return make_list(true, {.path = path + "d"}, shard);
      };
      auto delta = make_lists();
      make(*list_);
      make(*delta);
      if (test.number != 0) {
        Call call = fakes::test_call();
        CrlRow row;
        row.shard = shard;
        row.number = test.number;
        row.this_update = host_.manual_clock.now();
        row.next_update = row.this_update + test.valid;
        ASSERT_TRUE(authority_.begin_crl(row, call));
      }
      host_.manual_clock.advance(std::chrono::seconds{10});
      delta = make_lists();
      EXPECT_EQ(list_->held().has_value(), test.complete == 1) << "it is never served";
      for (int tick = 0; tick < 3; ++tick) {
        tend(*list_);
        tend(*delta);
        host_.manual_clock.advance(std::chrono::seconds{2});
      }
      EXPECT_EQ(number_of(*list_), test.complete);
      EXPECT_EQ(number_of(*delta), test.delta);
    }
}

}  // namespace
}  // namespace hanaper::test
