// Who lives, under which name, and whose clock counts: several nodes on one storage.
#include "services/nodes.hpp"
#include "writer_support.hpp"

namespace hanaper::services {
namespace {

using namespace std::chrono_literals;
using test::DirectedStorage;

// One node on what all of them share.
struct Node {
  Node(fakes::ManualClock& storage_clock, fakes::MemoryStorage& memory, Holder self)
      : storage(memory),
        clock(storage_clock.now()),
        writer(storage, self.node, clock, log, metrics, expiries),
        roles(storage, self, false, log, [this] { return Deadline{} + clock.now().time_since_epoch(); }),
        nodes({storage, writer, roles, clock, log, [this] { return in_step; }}, self,
              {"https://" + self.node + ".test"}) {
    writer.guard_name([this] { return nodes.name_is_ours(); });
    EXPECT_TRUE(writer.start().has_value());
  }
  ~Node() { writer.stop(); }

  // How the others are seen from here: "a lives, b late".
  std::string sees() const {
    std::string all;
    for (const Nodes::Peer& peer : nodes.peers())
      all += (all.empty() ? "" : ", ") + peer.said.name +
             (peer.said.boot.empty() ? " stopped"
              : peer.lives           ? " lives"
                                     : " late");
    return all;
  }

  // A storage that may refuse what this node writes, and no other's.
  struct Reached final : Storage {
    explicit Reached(fakes::MemoryStorage& all) : memory(all) {}
    Status configure(const Settings&, Host&) override { return {}; }
    Ledger& ledger() override { return memory; }
    Records& records() override { return memory; }
    Leases& leases() override { return memory; }
    Status health() override { return {}; }
    Status commit(Batch& batch) override { return away ? Status(unavailable("away")) : memory.commit(batch); }
    fakes::MemoryStorage& memory;
    bool away = false;
  } storage;
  fakes::ManualClock clock;
  fakes::RecordingLog log;
  Registry metrics;
  ExpiryCounts expiries;
  Writer writer;
  Roles roles;
  bool in_step = true;
  Nodes nodes;
};

class NodesOf : public ::testing::Test {
 protected:
  Node& node(const std::string& name, const std::string& state, const std::string& boot) {
    return nodes_.emplace_back(clock_, memory_, Holder{name, state, boot});
  }
  static Status claim(
      Node& node, const std::function<void()>& meanwhile = [] {}) {
    return node.nodes.claim([&](std::chrono::milliseconds) { meanwhile(); });
  }
  static void tend(std::initializer_list<Node*> nodes) {
    for (Node* node : nodes) EXPECT_TRUE(node->nodes.tend().has_value());
  }

  fakes::ManualClock clock_;
  fakes::MemoryStorage memory_{clock_};
  std::list<Node> nodes_;
};

TEST_F(NodesOf, APeerIsLateByWhatThisOneHasDone) {
  Node &a = node("a", "state-a", "1"), &b = node("b", "state-b", "2");
  tend({&a, &b, &a});
  EXPECT_EQ(a.sees(), "a lives, b lives");
  tend({&a, &a});
  EXPECT_EQ(a.sees(), "a lives, b lives");
  a.storage.away = true;  // a stall of everybody's commits makes nobody look dead
  for (int i = 0; i < 10; ++i) EXPECT_EQ(a.nodes.tend().error().code, Code::unavailable);
  EXPECT_EQ(a.sees(), "a lives, b lives");
  const auto over = [&](const char* state, const char* boot, const char* name) {
    return a.nodes.is_over(Holder{name, state, boot}.text());
  };
  EXPECT_FALSE(over("state-b", "2", "b"));
  a.storage.away = false;
  tend({&a});
  EXPECT_EQ(a.sees(), "a lives, b late");
  EXPECT_TRUE(over("state-b", "2", "b"));
  EXPECT_FALSE(over("state-c", "2", "c")) << "never seen";
  EXPECT_FALSE(over("state-a", "1", "a")) << "this one";
  tend({&b, &a});
  EXPECT_FALSE(over("state-b", "2", "b"));
  EXPECT_TRUE(over("state-b", "1", "b")) << "an earlier run";
  EXPECT_TRUE(over("state-d", "2", "b")) << "a name that was taken";
  for (const char* nonsense : {"", "b", " ", "state-b 2", "state-b 2 "})
    EXPECT_FALSE(a.nodes.is_over(nonsense));
  EXPECT_EQ(a.sees(), "a lives, b lives");
  EXPECT_EQ(b.sees(), "a lives, b lives");
}

TEST_F(NodesOf, ANameIsTakenFromNobodyWhoLives) {
  Node& a = node("a", "state-a", "1");
  EXPECT_TRUE(claim(a).has_value()) << "nobody has it";
  tend({&a});
  Node& other = node("a", "state-b", "2");
  const Status refused = claim(other, [&] { tend({&a}); });
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::conflict);
  EXPECT_EQ(
      refused.error().detail,
      "another node lives under the name \"a\", at https://a.test: give this one another, by name in [node]");
}

TEST_F(NodesOf, ANameOfTheDeadIsTakenAfterAWatchAndOnesOwnAtOnce) {
  Node& a = node("a", "state-a", "1");
  tend({&a});
  int pauses = 0;
  EXPECT_TRUE(claim(node("a", "state-a", "2"), [&] { ++pauses; }).has_value());
  EXPECT_EQ(pauses, 0) << "the same state folder has one process at a time";
  EXPECT_TRUE(claim(node("a", "state-b", "3"), [&] { ++pauses; }).has_value());
  EXPECT_EQ(pauses, 31) << "three seconds, and the last look";
}

TEST_F(NodesOf, OfTwoWithOneNameOneFindsOut) {
  Node& a = node("a", "state-a", "1");
  tend({&a});
  Node& other = node("a", "state-b", "2");
  EXPECT_TRUE(claim(other).has_value());
  tend({&other});
  Status found;
  for (int i = 0; i < 3 && (found || found.error().code != Code::conflict); ++i) found = a.nodes.tend();
  ASSERT_FALSE(found.has_value());
  EXPECT_NE(found.error().detail.find("another node has taken the name \"a\""), std::string::npos);
}

TEST_F(NodesOf, ClocksAreComparedWithEachBeat) {
  const struct {
    const char* name;
    std::chrono::milliseconds ahead;  // of b
    bool a_in_step, b_in_step;
    bool near, a_may_issue, a_may_take;
  } cases[] = {
      {"the same", 0ms, true, true, true, true, true},
      {"a second", 1000ms, true, true, true, true, true},
      {"three seconds ahead", 3000ms, true, true, false, true, true},
      {"three seconds behind", -3000ms, false, true, false, true, true},
      {"far ahead, and nobody keeps this one", 60s, false, true, false, false, true},
      {"far behind, and nobody keeps this one", -60s, false, true, false, false, true},
      {"far ahead, and nobody keeps the other", 60s, true, false, false, true, true},
      {"far ahead, both kept", 60s, true, true, false, true, true},
      {"far behind, both kept: this one is ahead", -60s, true, true, false, true, false},
      {"far behind, neither kept", -60s, false, false, false, true, false},
  };
  int number = 0;
  for (const auto& one : cases) {
    SCOPED_TRACE(one.name);
    const std::string suffix = std::to_string(++number);
    Node &a = node("a", "state-a", suffix), &b = node("b", "state-b", suffix);
    EXPECT_TRUE(claim(a) && claim(b));
    a.in_step = one.a_in_step;
    b.in_step = one.b_in_step;
    b.clock.advance(one.ahead);
    const std::string role = "held-" + suffix, other = "new-" + suffix;
    EXPECT_TRUE(a.roles.hold(role).has_value());
    for (int i = 0; i < 3; ++i) tend({&b, &a});
    EXPECT_EQ(a.nodes.clocks().has_value(), one.near);
    EXPECT_EQ(a.nodes.yields().has_value(), one.a_may_issue);
    EXPECT_EQ(a.roles.held(role).has_value(), one.a_may_issue);
    EXPECT_EQ(a.roles.hold(other).has_value(), one.a_may_issue && one.a_may_take);
    nodes_.clear();
  }
}

TEST_F(NodesOf, ARoleGoesWhereItIsSent) {
  Node &a = node("a", "state-a", "1"), &b = node("b", "state-b", "2");
  tend({&a, &b, &a});
  ASSERT_TRUE(a.roles.hold("crl").has_value());
  ASSERT_TRUE(a.nodes.ask_to_move("crl", "b", "test", test::soon()).has_value());
  tend({&b});
  EXPECT_FALSE(b.roles.held("crl").has_value()) << "a has it still";
  tend({&a});
  EXPECT_FALSE(a.roles.held("crl").has_value());
  EXPECT_EQ(a.roles.hold("crl").error().detail, "role crl is on its way to b");
  tend({&b});
  EXPECT_TRUE(b.roles.held("crl").has_value());
  EXPECT_EQ(b.roles.mine(), std::vector<std::string>{"crl"});
  tend({&a});
  EXPECT_EQ(a.roles.hold("crl").error().detail, "role crl is held by b");
}

TEST_F(NodesOf, ARoleThatNobodyFetchesComesBack) {
  Node &a = node("a", "state-a", "1"), &b = node("b", "state-b", "2");
  tend({&a, &b, &a});
  ASSERT_TRUE(a.roles.hold("crl").has_value());
  ASSERT_TRUE(a.nodes.ask_to_move("crl", "b", "test", test::soon()).has_value());
  tend({&a});
  EXPECT_FALSE(a.roles.hold("crl").has_value());
  clock_.advance(31s);
  a.clock.advance(31s);
  tend({&a});
  EXPECT_TRUE(a.roles.hold("crl").has_value());
}

TEST(WhatANodeSays, ComesBackAsItWas) {
  const NodeSaid said{"a",  "state", "boot", "1.2", {"https://a.test"}, {"crl:x"}, Time{1234567890123ms},
                      true, 7};
  const auto read = NodeSaid::read(said.text());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->text(), said.text());
  for (const char* bad : {"", "{}", "[]", "null", "{\"name\":\"a\"}", "{\"name\":1,\"state\":\"s\"}"})
    EXPECT_FALSE(NodeSaid::read(bad).has_value()) << bad;
}

}  // namespace
}  // namespace hanaper::services
