// Who may act for all nodes, and when: two nodes on one storage, each with a steady clock of its own.
#include "services/roles.hpp"

#include <hanaper/testing/fake_host.hpp>

#include <gtest/gtest.h>

#include <sstream>

namespace hanaper::services {
namespace {

// The storage as one node reaches it.
class Reached final : public Storage, public Leases {
 public:
  explicit Reached(fakes::MemoryStorage& memory) : memory_(memory) {}

  Status configure(const Settings&, Host&) override { return {}; }
  Ledger& ledger() override { return memory_; }
  Records& records() override { return memory_; }
  Leases& leases() override { return *this; }
  Status commit(Batch& batch) override { return memory_.commit(batch); }
  Status health() override { return {}; }

  Result<std::vector<LeaseRow>> all() override {
    return through<std::vector<LeaseRow>>([&] { return memory_.all(); });
  }
  Result<std::uint64_t> take(const LeaseRow& seen, std::string_view holder) override {
    if (before_take) std::exchange(before_take, nullptr)();
    return through<std::uint64_t>([&] { return memory_.take(seen, holder); });
  }
  Status renew(std::string_view holder) override {
    ++renewals;
    return through<void>([&] { return memory_.renew(holder); });
  }
  Status release(std::string_view name, std::string_view holder) override {
    return through<void>([&] { return memory_.release(name, holder); });
  }

  bool away = false;                  // nothing arrives
  bool deaf = false;                  // it arrives, and the answer is lost
  std::function<void()> before_take;  // what happens between the last look and it
  int renewals = 0;

 private:
  template <class T, class Function>
  Result<T> through(Function function) {
    if (away) return unavailable("nobody answers there");
    Result<T> result = function();
    if (deaf) return unavailable("connection lost");
    return result;
  }

  fakes::MemoryStorage& memory_;
};

class RolesOf : public ::testing::Test {
 protected:
  struct Node {
    Node(RolesOf& test, std::string name, std::string state, std::string boot, Deadline origin, bool alone)
        : storage(*test.memory_),
          roles(storage, {std::move(name), std::move(state), std::move(boot)}, alone, test.log_,
                [&test, origin] { return origin + test.clock_.now().time_since_epoch(); }) {}
    Reached storage;
    Roles roles;
  };

  // a and b; c, which is a again after a crash; d, which has a's name and another state folder; and e, whose
  // storage no other node can use.
  Node& node(const std::string& name) {
    auto& made = nodes_[name];
    if (made) return *made;
    const auto origin = Deadline{} + std::chrono::hours{name == "b" ? 12'345 : 1};
    const bool like_a = name == "c" || name == "d";
    const std::string state = name == "d" ? "state-d" : like_a ? "state-a" : "state-" + name;
    made = std::make_unique<Node>(*this, like_a ? "a" : name, state, "boot-" + name, origin, name == "e");
    return *made;
  }

  static std::string text(const Result<Fence>& fence) {
    return fence ? fence->lease + " " + std::to_string(fence->epoch)
                 : std::string(to_string(fence.error().code)) + ": " + fence.error().detail;
  }

  // "a hold": the fence or the refusal; "a held", "a write EPOCH"; "a tend|release|stop"; "a
  // away|deaf|unheard|well"; "wait MILLISECONDS".
  std::string obey(const std::string& line) {
    std::istringstream words(line);
    std::string who, what;
    std::uint64_t number = 0;
    words >> who >> what >> number;
    if (who == "wait") {
      clock_.advance(std::chrono::milliseconds{std::stoll(what)});
      return "";
    }
    Node& at = node(who);
    if (what == "hold") return text(at.roles.hold("crl"));
    if (what == "held") {
      const auto fence = at.roles.held("crl");
      return fence ? text(*fence) : "no";
    }
    if (what == "write") {
      Write write;
      write.fence = Fence{"crl", number};
      const Status written = fakes::commit_one(*memory_, write);
      return written ? "written" : written.error().detail;
    }
    if (what == "share") {
      const auto share = at.roles.share("work");
      return share ? std::to_string(share->index) + " of " + std::to_string(share->count)
                   : share.error().detail;
    }
    if (what == "tend") at.roles.tend();
    if (what == "release") at.roles.release("crl");
    if (what == "stop") at.roles.stop();
    if (what == "unheard") at.storage.before_take = [&at] { at.storage.deaf = true; };
    at.storage.away = what == "away" || (at.storage.away && what != "well");
    at.storage.deaf = what == "deaf" || (at.storage.deaf && what != "well");
    return "";
  }

  struct Step {
    std::string line;
    std::string answer = "";
  };
  void play(const std::string& name, const std::vector<Step>& steps) {
    SCOPED_TRACE(name);
    for (const Step& step : steps) EXPECT_EQ(obey(step.line), step.answer) << step.line;
    nodes_.clear();
    memory_.emplace(clock_);
  }

  fakes::ManualClock clock_;
  fakes::RecordingLog log_;
  std::optional<fakes::MemoryStorage> memory_{clock_};
  std::map<std::string, std::unique_ptr<Node>> nodes_;
};

const std::string refused = "conflict: role crl is held by a";

TEST_F(RolesOf, TwoNodesAreHeldByOneOfThem) {
  play(
      "a free role is taken at once, and kept without being asked for again",
      {{"a hold", "crl 1"}, {"a held", "crl 1"}, {"a hold", "crl 1"}, {"b held", "no"}, {"b hold", refused}});
  play("a holder that renews is never followed", {{"a hold", "crl 1"},
                                                  {"wait 3000"},
                                                  {"a tend"},
                                                  {"b hold", refused},
                                                  {"wait 3000"},
                                                  {"a tend"},
                                                  {"b hold", refused},
                                                  {"wait 3000"},
                                                  {"a tend"},
                                                  {"b hold", refused},
                                                  {"wait 3000"},
                                                  {"a tend"},
                                                  {"b hold", refused},
                                                  {"wait 3000"},
                                                  {"a tend"},
                                                  {"b hold", refused},
                                                  {"a held", "crl 1"}});
  play(
      "a holder that is gone is followed after ten seconds of the same count",
      {{"a hold", "crl 1"}, {"b tend"}, {"wait 9999"}, {"b hold", refused}, {"wait 1"}, {"b hold", "crl 2"}});
  play("the ten seconds begin when the count is first seen, however old it is", {{"a hold", "crl 1"},
                                                                                 {"wait 60000"},
                                                                                 {"b hold", refused},
                                                                                 {"wait 9999"},
                                                                                 {"b hold", refused},
                                                                                 {"wait 1"},
                                                                                 {"b hold", "crl 2"}});
  play("the ten seconds begin again with each new count", {{"a hold", "crl 1"},
                                                           {"b tend"},
                                                           {"wait 7000"},
                                                           {"a tend"},
                                                           {"wait 9000"},
                                                           {"b hold", refused},
                                                           {"wait 9999"},
                                                           {"b hold", refused},
                                                           {"wait 1"},
                                                           {"b hold", "crl 2"}});
}

TEST_F(RolesOf, AnybodyMayHaveWhatIsGivenBackAtOnce) {
  play("by a release", {{"a hold", "crl 1"}, {"a release"}, {"a held", "no"}, {"b hold", "crl 2"}});
  play("by a stop", {{"a hold", "crl 1"}, {"a stop"}, {"b hold", "crl 2"}});
  play("also by who gave it back", {{"a hold", "crl 1"}, {"a release"}, {"a hold", "crl 2"}});
  play("a release of what another holds is nothing",
       {{"a hold", "crl 1"}, {"b release"}, {"b hold", refused}, {"a held", "crl 1"}});
  play("what could not be given back is, as soon as the storage is there", {{"a hold", "crl 1"},
                                                                            {"a away"},
                                                                            {"a release"},
                                                                            {"a held", "no"},
                                                                            {"b hold", refused},
                                                                            {"a well"},
                                                                            {"a tend"},
                                                                            {"b hold", "crl 2"}});
}

TEST_F(RolesOf, WhoWasStoppedForAWhileFindsOut) {
  play("it stops acting eight seconds after the begin of its last renewal", {{"a hold", "crl 1"},
                                                                             {"wait 3000"},
                                                                             {"a tend"},
                                                                             {"wait 7999"},
                                                                             {"a held", "crl 1"},
                                                                             {"wait 1"},
                                                                             {"a held", "no"}});
  play("before anybody can have followed it",
       {{"a hold", "crl 1"}, {"b tend"}, {"wait 8000"}, {"a held", "no"}, {"b hold", refused}});
  play(
      "it goes on when nobody has missed it",
      {{"a hold", "crl 1"}, {"wait 60000"}, {"a held", "no"}, {"a hold", "crl 1"}, {"a write 1", "written"}});
  play("it does not when another has followed it", {{"a hold", "crl 1"},
                                                    {"b tend"},
                                                    {"wait 10000"},
                                                    {"b hold", "crl 2"},
                                                    {"a held", "no"},
                                                    {"a hold", "conflict: role crl is held by b"},
                                                    {"wait 3000"},
                                                    {"b tend"},
                                                    {"wait 8000"},
                                                    {"b hold", "crl 2"}});
  play("what it was about to write is refused, whatever it believes",
       {{"a hold", "crl 1"},
        {"a write 1", "written"},
        {"b tend"},
        {"wait 10000"},
        {"b hold", "crl 2"},
        {"a write 1", "lease crl has moved on"},
        {"a write 2", "written"}});
}

TEST_F(RolesOf, AnswersThatAreLostMakeNobodyActTooLong) {
  play("a lost renewal counts for the others, and not for the holder", {{"a hold", "crl 1"},
                                                                        {"b tend"},
                                                                        {"a deaf"},
                                                                        {"wait 4000"},
                                                                        {"a tend"},
                                                                        {"b tend"},
                                                                        {"wait 4000"},
                                                                        {"a held", "no"},
                                                                        {"b hold", refused},
                                                                        {"wait 5999"},
                                                                        {"b hold", refused},
                                                                        {"wait 1"},
                                                                        {"b hold", "crl 2"}});
  play("it is renewed again when there are answers", {{"a hold", "crl 1"},
                                                      {"a deaf"},
                                                      {"wait 4000"},
                                                      {"a tend"},
                                                      {"wait 4000"},
                                                      {"a held", "no"},
                                                      {"a well"},
                                                      {"a hold", "crl 1"}});
  play("a role that was taken without our hearing of it is taken again",
       {{"a unheard"},
        {"a hold", "unavailable: connection lost"},
        {"a held", "no"},
        {"b hold", refused},
        {"a well"},
        {"a hold", "crl 2"}});
  play("or given back, when nobody asks for it", {{"a unheard"},
                                                  {"a hold", "unavailable: connection lost"},
                                                  {"a well"},
                                                  {"a tend"},
                                                  {"b hold", "crl 2"}});
  play("a storage that is away gives no role, and takes none at once",
       {{"a hold", "crl 1"},
        {"a away"},
        {"b away"},
        {"b hold", "unavailable: nobody answers there"},
        {"wait 7999"},
        {"a tend"},
        {"a held", "crl 1"},
        {"wait 1"},
        {"a held", "no"},
        {"a hold", "unavailable: nobody answers there"}});
}

TEST_F(RolesOf, ATakeOverIsOfTheVeryCountThatWasWatched) {
  node("b").storage.before_take = [&] { node("a").roles.tend(); };
  play("the holder renews in between", {{"a hold", "crl 1"},
                                        {"b tend"},
                                        {"wait 10000"},
                                        {"b hold", "conflict: lease crl has moved on"},
                                        {"a held", "crl 1"},
                                        {"b hold", refused}});
  node("b").storage.before_take = [&] { EXPECT_EQ(obey("d hold"), "crl 2"); };
  play("another was faster", {{"a hold", "crl 1"},
                              {"b tend"},
                              {"d tend"},
                              {"wait 10000"},
                              {"b hold", "conflict: lease crl has moved on"},
                              {"b hold", refused}});
  node("b").storage.before_take = [&] { EXPECT_EQ(obey("a hold"), "crl 1"); };
  play("another was faster with one that nobody has ever had",
       {{"b hold", "conflict: lease crl has moved on"}, {"b hold", refused}});
}

TEST_F(RolesOf, ARestartFollowsItsOwnPastAtOnce) {
  play("in the same state folder, with a new epoch",
       {{"a hold", "crl 1"}, {"c hold", "crl 2"}, {"a write 1", "lease crl has moved on"}});
  play("and the one before that stops", {{"a hold", "crl 1"},
                                         {"c hold", "crl 2"},
                                         {"wait 3000"},
                                         {"a tend"},
                                         {"a held", "no"},
                                         {"c held", "crl 2"}});
  play("the same name in another folder waits like anybody",
       {{"a hold", "crl 1"}, {"d hold", refused}, {"wait 10000"}, {"d hold", "crl 2"}});
}

TEST_F(RolesOf, WhoIsAloneHoldsEveryRoleForGood) {
  play("without renewals", {{"e hold", "crl 1"},
                            {"wait 86400000"},
                            {"e tend"},
                            {"e held", "crl 1"},
                            {"e write 1", "written"},
                            {"e share", "0 of 1"}});
  play("whoever had them in a storage that was moved",
       {{"a hold", "crl 1"}, {"e hold", "crl 2"}, {"a write 1", "lease crl has moved on"}});
  EXPECT_EQ(node("e").storage.renewals, 0);
}

TEST_F(RolesOf, WorkIsDividedAmongThoseWhoTakePart) {
  play("each has a seat of its own, and they move up when one has gone", {{"a share", "0 of 1"},
                                                                          {"b share", "1 of 2"},
                                                                          {"a share", "0 of 2"},
                                                                          {"d share", "2 of 3"},
                                                                          {"b share", "1 of 3"},
                                                                          {"wait 3000"},
                                                                          {"a tend"},
                                                                          {"b tend"},
                                                                          {"d tend"},
                                                                          {"wait 3000"},
                                                                          {"b tend"},
                                                                          {"d tend"},
                                                                          {"wait 3000"},
                                                                          {"b tend"},
                                                                          {"d tend"},
                                                                          {"d share", "2 of 3"},
                                                                          {"wait 3000"},
                                                                          {"b tend"},
                                                                          {"d tend"},
                                                                          {"wait 3000"},
                                                                          {"b tend"},
                                                                          {"d tend"},
                                                                          {"d share", "0 of 2"},
                                                                          {"b share", "1 of 2"},
                                                                          {"d share", "0 of 2"}});
  play("at once when it was stopped",
       {{"a share", "0 of 1"}, {"b share", "1 of 2"}, {"a stop"}, {"b share", "0 of 1"}});
  play("at once after a restart", {{"a share", "0 of 1"}, {"b share", "1 of 2"}, {"c share", "0 of 2"}});
}

TEST_F(RolesOf, TheWallClocksAreNotAsked) {
  // The storage's and the log's clock is the only one of this kind there is: it may say what it likes.
  const Deadline now = Deadline{} + std::chrono::hours{1};
  Reached storage(*memory_);
  Roles roles(storage, {"a", "state-a", "boot-a"}, false, log_, [&] { return now; });
  Reached storage_of_b(*memory_);
  Roles other(storage_of_b, {"b", "state-b", "boot-b"}, false, log_, [&] { return now; });
  EXPECT_EQ(text(roles.hold("crl")), "crl 1");
  for (const auto jump : {std::chrono::hours{-24 * 365}, std::chrono::hours{24 * 3650}}) {
    clock_.advance(jump);
    roles.tend();
    EXPECT_TRUE(roles.held("crl"));
    EXPECT_EQ(text(other.hold("crl")), refused);
  }
}

TEST_F(RolesOf, ItIsSaidWhenARoleIsLost) {
  play("and to whom",
       {{"a hold", "crl 1"}, {"b tend"}, {"wait 10000"}, {"b hold", "crl 2"}, {"a tend"}, {"a tend"}});
  EXPECT_EQ(log_.lines(), (std::vector<std::string>{"info role taken over role=crl from=a",
                                                    "warning another node has taken over role=crl node=b"}));
}

struct Text {
  const char* holder;
  const char* node;
};

TEST(HolderOf, ALeaseIsShownByItsNode) {
  const Text table[] = {{"s b node", "node"}, {"s b a node", "a node"}, {"s b ", ""},
                        {"old", "old"},       {"a b", "a b"},           {"", ""}};
  for (const auto& [holder, node] : table) EXPECT_EQ(Holder::node_of(holder), node);
  EXPECT_EQ((Holder{"n", "s", "b"}.text()), "s b n");
  EXPECT_TRUE((Holder{"n", "s", "b"}.was("s a n")));
  EXPECT_FALSE((Holder{"n", "s", "b"}.was("sa a n")));
}

}  // namespace
}  // namespace hanaper::services
