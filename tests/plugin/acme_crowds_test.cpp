// Whoever asks for much, and what keeps nobody else waiting.
#include "acme_support.hpp"

#include <map>
#include <sstream>

namespace hanaper::acme {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

// Steps of a queue: "+Aa1x" adds number 1 of the account a of the client A, for the target x; "-a1" ends it;
// "a1>y" sends it to another target, "a1>" to none. What has its turn begins after each step.
struct Turns {
  const char* name;
  ValidationQueue::Bounds bounds;
  const char* steps;
  const char* entered;  // in this order
};
class ValidationQueueAtOneTarget : public testing::TestWithParam<Turns> {
 protected:
  using Validation = ValidationQueue::Validation;
  void step(const std::string& text) {
    if (text[0] == '+') {
      const std::string who = text.substr(2, 2);
      targets_[who] = text.substr(4);
      queue_.add({text.substr(2, 1), who, text.substr(1, 1), {}, false});
    } else if (text[0] == '-') {
      const auto running = running_.extract(text.substr(1));
      ASSERT_TRUE(running) << text;
      queue_.done(running.mapped());
    } else {
      targets_[text.substr(0, 2)] = text.substr(3);
    }
    while (const auto next = queue_.next()) begin(*next);
  }
  void begin(const Validation& turn) {
    const std::string& target = targets_.at(turn.authorization);
    if (target.empty()) return queue_.done(turn);
    if (!queue_.enter(turn, target)) return queue_.put_back(turn);
    running_.emplace(turn.authorization, turn);
    entered_ += (entered_.empty() ? "" : " ") + turn.authorization;
  }

  ValidationQueue queue_{GetParam().bounds};
  std::map<std::string, std::string> targets_;
  std::map<std::string, Validation> running_;
  std::string entered_;
};

TEST_P(ValidationQueueAtOneTarget, AreAFewAtOnce) {
  std::istringstream steps(GetParam().steps);
  for (std::string text; steps >> text;) step(text);
  EXPECT_EQ(entered_, GetParam().entered);
  while (!running_.empty()) step("-" + running_.begin()->first);
  for (const auto& [who, target] : targets_) {
    EXPECT_EQ(entered_.find(who) != std::string::npos, !target.empty()) << who << " has its turn in the end";
    EXPECT_FALSE(queue_.has(who)) << who;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Acme, ValidationQueueAtOneTarget,
    testing::Values(
        Turns{"others_go_on", {9, 9, 9, 2}, "+Aa1x +Bb1x +Cc1x +Dd1y", "a1 b1 d1"},
        Turns{"a_place_goes_to_the_next", {9, 9, 9, 2}, "+Aa1x +Bb1x +Cc1x +Dd1x -b1", "a1 b1 c1"},
        Turns{"an_account_goes_on_elsewhere", {9, 9, 2, 1}, "+Aa1x +Aa2x +Aa3y", "a1 a3"},
        Turns{"a_client_goes_on_elsewhere", {9, 2, 9, 1}, "+Aa1x +Ab1x +Ac1y", "a1 c1"},
        Turns{"who_waits_takes_none_of_the_turns", {2, 2, 2, 1}, "+Aa1x +Bb1x +Cc1x +Dd1y", "a1 d1"},
        Turns{"the_client_with_least_under_way",
              {9, 9, 9, 2},
              "+Aa1x +Aa2x +Aa3x +Aa4x +Bb1x -a1 -a2",
              "a1 a2 b1 a3"},
        Turns{"accounts_of_a_client_one_after_another",
              {9, 9, 9, 1},
              "+Aa1x +Aa2x +Aa3x +Ab1x +Ab2x -a1 -a2 -b1 -a3",
              "a1 a2 b1 a3 b2"},
        Turns{"who_goes_elsewhere_leaves_its_place", {9, 9, 9, 1}, "+Aa1x +Bb1x +Cc1x b1>y -a1", "a1 b1 c1"},
        Turns{"who_ends_first_leaves_its_place", {9, 9, 9, 1}, "+Aa1x +Bb1x +Cc1x b1> -a1", "a1 c1"},
        Turns{"who_is_refused_elsewhere_waits_there",
              {9, 9, 9, 1},
              "+Aa1x +Bb1x +Cc1x +Dd1y b1>y -a1 -d1",
              "a1 d1 c1 b1"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(ValidationQueue, FindAPlaceThatIsFreeByTheTimeTheyWouldWait) {
  ValidationQueue queue({9, 9, 9, 1});
  for (const char* account : {"a", "b"}) queue.add({account, account, {}, {}, false});
  const auto first = *queue.next(), second = *queue.next();
  EXPECT_TRUE(queue.enter(first, "x"));
  EXPECT_TRUE(queue.enter(first, "x")) << "a redirect to the same server";
  EXPECT_FALSE(queue.enter(second, "x"));
  queue.done(first);
  queue.put_back(second);
  const auto again = queue.next();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->authorization, "b");
  EXPECT_TRUE(queue.enter(*again, "x"));
}

TEST(ValidationQueue, HoldABoundedNumberOfAnAccountAtOneTarget) {
  ValidationQueue queue({999, 999, 999, 1});
  for (int i = 0; i < 1000; ++i) {
    queue.add({"a", "a" + std::to_string(i), {}, {}, false});
    while (const auto next = queue.next())
      if (!queue.enter(*next, "x")) queue.put_back(*next);
  }
  EXPECT_FALSE(queue.has_room("a"));
  EXPECT_FALSE(queue.has("a999")) << "it is found in storage later";
}

class AcmeValidations : public AcmeIssuance {
 protected:
  using Job = Scheduler::Job;
  void SetUp() override {
    open();
    client_->enrol();
  }
  // The client is ready for that name's challenge; the authorization.
  std::string begin(TestClient& client, const std::string& name) {
    const std::string authorization = authorization_of(client.order({name}));
    client.post_url(client.post_url(authorization).body.find("challenges")->array()->front().text_at("url"),
                    json::Value(json::Object{}));
    return authorization;
  }
  std::list<Job> taken() {
    std::list<Job> jobs;
    for (auto& [name, job] : host_.fake_scheduler.waiting) jobs.push_back(std::move(job));
    host_.fake_scheduler.waiting.clear();
    return jobs;
  }
  void look_for_more() {
    Call call = fakes::test_call();
    ASSERT_TRUE(host_.fake_scheduler.recurring.at("validate")(call));
  }
  void finish(const Job& job) {
    Call call = fakes::test_call();
    const Status done = job(call);
    EXPECT_TRUE(done) << done.error().detail;
  }
};

// Jobs that are taken and not finished are those whose servers keep their threads.
TEST_F(AcmeValidations, OfOneAccountKeepNobodyElseWaiting) {
  for (int i = 0; i < 30; ++i) begin(*client_, "tarpit" + std::to_string(i) + ".example.test");
  const std::list<Job> stuck = taken();
  EXPECT_EQ(stuck.size(), 16u);
  host_.manual_clock.advance(minutes{5});  // all are due now
  for (int look = 0; look < 3; ++look) look_for_more();
  EXPECT_TRUE(taken().empty()) << "they are known, and have their turn";
  TestClient other(*service_);
  other.enrol();
  host_.fake_outbound.answer = [&](const OutboundRequest& request) -> Result<OutboundAnswer> {
    const std::string token = request.target.substr(request.target.rfind('/') + 1);
    return OutboundAnswer{200, token + "." + other.thumbprint, "192.0.2.7"};
  };
  const std::string authorization = begin(other, "quick.example.test");
  const std::list<Job> quick = taken();
  ASSERT_EQ(quick.size(), 1u);
  finish(quick.front());
  EXPECT_EQ(other.post_url(authorization).status(), "valid");
}

TEST_F(AcmeValidations, MakeWayForTheNext) {
  std::vector<std::string> authorizations;
  for (int i = 0; i < 10; ++i)
    authorizations.push_back(begin(*client_, "n" + std::to_string(i) + ".example.test"));
  ASSERT_TRUE(host_.fake_scheduler.run_waiting());
  for (const std::string& each : authorizations) EXPECT_EQ(client_->post_url(each).status(), "valid");
}

TEST_F(AcmeValidations, ThatWaitedLongAreMadeOnceAndByOneNode) {
  const std::string authorization = begin(*client_, "a.example.test");
  const std::list<Job> late = taken();
  host_.manual_clock.advance(minutes{2});
  Service other(test_options(), host_, "web");
  ASSERT_TRUE(other.start());  // takes up what nobody seems to be at
  const std::list<Job> taken_up = taken();
  ASSERT_EQ(taken_up.size(), 1u);
  host_.fake_outbound.answer = [](const OutboundRequest&) -> Result<OutboundAnswer> {
    return unavailable("connection refused");
  };
  finish(taken_up.front());
  finish(late.front());
  EXPECT_EQ(host_.fake_outbound.asked.size(), 1u) << "the claim of the first is over";
}

TEST_F(AcmeValidations, ThatWaitedLongLoseNoAttempt) {
  const std::string authorization = begin(*client_, "a.example.test");
  const std::list<Job> late = taken();
  host_.manual_clock.advance(minutes{2});
  host_.fake_outbound.answer = [](const OutboundRequest&) -> Result<OutboundAnswer> {
    return unavailable("connection refused");
  };
  finish(late.front());
  for (int attempt = 1; attempt < 4; ++attempt) {
    EXPECT_EQ(client_->post_url(authorization).status(), "pending") << attempt;
    host_.manual_clock.advance(minutes{1});
    run("validate");
  }
  EXPECT_EQ(client_->post_url(authorization).status(), "invalid");
  EXPECT_EQ(host_.fake_outbound.asked.size(), 4u);
}

// Jobs that run inside of another's answer are those that go on while it waits for its server.
TEST_F(AcmeValidations, AtOneServerThatNeverAnswersKeepNobodyElseWaiting) {
  std::size_t inside = 0, most_inside = 0, judged = 0, judged_before = 999;
  TestClient honest(*service_);
  host_.fake_outbound.answer = [&](const OutboundRequest& request) -> Result<OutboundAnswer> {
    const bool silent = request.host.starts_with("tarpit");
    HANAPER_CHECK(request.may_connect(silent ? "192.0.2.66" : "192.0.2.7"));
    if (!silent) {
      judged_before = judged;
      const std::string token = request.target.substr(request.target.rfind('/') + 1);
      return OutboundAnswer{200, token + "." + honest.thumbprint, "192.0.2.7"};
    }
    most_inside = std::max(most_inside, ++inside);
    EXPECT_TRUE(host_.fake_scheduler.run_waiting());
    --inside;
    ++judged;
    return unavailable("connecting timed out");
  };
  constexpr int accounts = 40, names = 8;
  for (int i = 0; i < accounts; ++i) {
    TestClient client(*service_);
    client.address = "198.51.100." + std::to_string(i);
    client.enrol();
    for (int name = 0; name < names; ++name) begin(client, "tarpit" + std::to_string(name) + ".example.test");
  }
  honest.enrol();
  const std::string authorization = begin(honest, "quick.example.test");
  ASSERT_TRUE(host_.fake_scheduler.run_waiting());
  EXPECT_EQ(honest.post_url(authorization).status(), "valid");
  EXPECT_EQ(judged_before, 0u);
  EXPECT_EQ(most_inside, 16u);
  EXPECT_EQ(judged, std::size_t{accounts * names}) << "each has had its turn";
  const auto open = host_.collection("authorization").find("open", "validating", "", 1000);
  ASSERT_EQ(open->size(), std::size_t{accounts * names});
  for (const Record& record : *open) {
    const Authorization one = *read_authorization(record);
    EXPECT_EQ(one.attempts, 1) << "to wait for a place is no attempt";
    EXPECT_TRUE(one.client.starts_with("198.51.100."));
  }
}

class AcmeLimits : public AcmeIssuance {
 protected:
  void open_with(const std::string& limit) {
    Options options = test_options();
    options.limits = *Limits::parse({limit});
    open(std::move(options));
    client_->enrol();
  }
};

TEST_F(AcmeLimits, OfNamesAreOfEachAccountApart) {
  open_with("orders-per-name 2/1h");
  TestClient stranger(*service_);
  stranger.enrol();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(stranger.order({"a.example.test"}).response.status, 201);
  EXPECT_EQ(stranger.order({"a.example.test"}).type(), "rateLimited");
  EXPECT_EQ(client_->order({"a.example.test"}).response.status, 201) << "it may be the owner";
}

TEST_F(AcmeLimits, CountTheNamesOfAnAccountInWhateverOrders) {
  open_with("names-per-account 3/1h");
  EXPECT_EQ(client_->order({"a.example.test", "b.example.test"}).response.status, 201);
  EXPECT_EQ(client_->order({"a.example.test", "c.example.test"}).type(), "rateLimited");
  TestClient other(*service_);
  other.enrol();
  EXPECT_EQ(other.order({"a.example.test", "b.example.test", "c.example.test"}).response.status, 201);
}

// RFC 9773 5, and what it is not for.
TEST_F(AcmeLimits, LetARenewalPassForTheNamesOfItsCertificateAlone) {
  open_with("orders-per-name 1/1h");
  const auto order = ready({"a.example.test"});
  ASSERT_EQ(finalize(order, {"a.example.test"}).status(), "valid");
  const auto replacing = [&](std::vector<std::string> names) {
    json::Array identifiers;
    for (const std::string& name : names)
      identifiers.emplace_back(json::Object{{"type", "dns"}, {"value", name}});
    return client_->post("/new-order", json::Value(json::Object{{"identifiers", std::move(identifiers)},
                                                                {"replaces", renewal_name(order)}}));
  };
  EXPECT_EQ(client_->order({"a.example.test"}).type(), "rateLimited");
  EXPECT_EQ(client_->order({"fresh.example.test"}).response.status, 201);
  EXPECT_EQ(replacing({"a.example.test", "fresh.example.test"}).type(), "rateLimited");
  EXPECT_EQ(replacing({"a.example.test"}).response.status, 201);
}

TEST_F(AcmeLimits, OfFailuresAreForAuthorizationsAheadOfOrdersAsWell) {
  open_with("failures-per-account 1/1h");
  host_.fake_outbound.answer = [](const OutboundRequest&) -> Result<OutboundAnswer> {
    return OutboundAnswer{200, "something else", "192.0.2.7"};
  };
  const json::Value wanted =
      json::Object{{"identifier", json::Object{{"type", "dns"}, {"value", "a.example.test"}}}};
  const auto first = client_->post("/new-authz", wanted);
  ASSERT_EQ(first.response.status, 201) << first.response.body;
  prove(first.header("Location"));
  EXPECT_EQ(client_->post_url(first.header("Location")).status(), "invalid");
  EXPECT_EQ(client_->post("/new-authz", wanted).type(), "rateLimited");
}

}  // namespace
}  // namespace hanaper::acme
