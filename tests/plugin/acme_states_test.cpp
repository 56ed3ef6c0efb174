// Random clients, validations, clocks and crashes: no document ever leaves the states of RFC 8555 7.1.6.
#include "acme_support.hpp"

#include <map>
#include <random>

namespace hanaper::acme {
namespace {

using Steps = std::map<std::string, std::set<std::string>>;

// What may follow what in the eyes of a client that looks now and then: any later state of the figure.
const Steps order_steps = {{"pending", {"pending", "ready", "processing", "valid", "invalid"}},
                           {"ready", {"ready", "processing", "valid", "invalid"}},
                           {"processing", {"processing", "valid", "invalid"}},
                           {"valid", {"valid"}},
                           {"invalid", {"invalid"}}};
const Steps authorization_steps = {{"pending", {"pending", "valid", "invalid", "deactivated", "expired"}},
                                   {"valid", {"valid", "deactivated", "expired"}},
                                   {"invalid", {"invalid"}},
                                   {"deactivated", {"deactivated"}},
                                   {"expired", {"expired"}}};
const Steps challenge_steps = {{"pending", {"pending", "processing", "valid", "invalid"}},
                               {"processing", {"processing", "valid", "invalid"}},
                               {"valid", {"valid"}},
                               {"invalid", {"invalid"}}};

class World {
 public:
  explicit World(std::uint32_t seed) : random_(seed) {
    boot();
    client_.emplace(*service_);
    client_->enrol();
    host_.fake_outbound.answer = [this](const OutboundRequest& request) -> Result<OutboundAnswer> {
      switch (random_() % 4) {
        case 0:
          return unavailable("connection refused");
        case 1:
          return OutboundAnswer{200, "something else", "192.0.2.7"};
        default:
          const std::string token = request.target.substr(request.target.rfind('/') + 1);
          return OutboundAnswer{200, token + "." + client_->thumbprint, "192.0.2.7"};
      }
    };
  }

  void step() {
    switch (random_() % 11) {
      case 0:
        make_order();
        break;
      case 1:
      case 2:
        begin_challenge();
        break;
      case 3:
      case 4:
        run_jobs();
        break;
      case 5:
      case 6:
        finalize();
        break;
      case 7:
        deactivate();
        break;
      case 8:
        host_.manual_clock.advance(std::chrono::minutes{random_() % 3 == 0 ? 30 : 1});
        break;
      case 9:
        crash();
        break;
      default:
        // Signatures that fail leave orders claimed.
        host_.fake_pipeline.fail_with =
            random_() % 2 == 0 ? std::optional<Error>(unavailable("the key is away")) : std::nullopt;
    }
    look();
  }

  std::map<std::string, int> reached;  // states, to see that the walk is not idle

 private:
  void boot() {
    service_.emplace(test_options(), host_, "web");
    const Status started = service_->start();
    ASSERT_TRUE(started) << started.error().detail;
  }
  // The process is gone with all its jobs; another one begins with what is stored.
  void crash() {
    host_.fake_scheduler.waiting.clear();
    host_.fake_scheduler.recurring.clear();
    service_.reset();
    boot();
  }
  void run_jobs() {
    for (const char* name : {"validate", "issue"}) {
      Call call = fakes::test_call();
      ASSERT_TRUE(host_.fake_scheduler.recurring.at(name)(call));
    }
    while (!host_.fake_scheduler.waiting.empty()) {
      auto job = std::move(host_.fake_scheduler.waiting.front().second);
      host_.fake_scheduler.waiting.pop_front();
      Call call = fakes::test_call();
      const Status done = job(call);
      ASSERT_TRUE(done) << done.error().detail;
      if (random_() % 4 == 0) return;  // in the middle
    }
  }
  void make_order() {
    std::vector<std::string> names;
    for (std::uint32_t i = 0; i <= random_() % 3; ++i)
      names.push_back("n" + std::to_string(random_() % 6) + ".example.test");
    const auto made = client_->order(names);
    ASSERT_EQ(made.response.status, 201) << made.response.body;
    orders_.push_back(made.header("Location"));
    if (orders_.size() > 8) orders_.erase(orders_.begin());
  }
  std::string any_order() { return orders_.empty() ? "" : orders_[random_() % orders_.size()]; }
  std::string any_authorization() {
    const std::string order = any_order();
    if (order.empty()) return {};
    const auto shown = client_->post_url(order);
    const json::Array& list = *shown.body.find("authorizations")->array();
    return *list[random_() % list.size()].text();
  }
  void begin_challenge() {
    const std::string authorization = any_authorization();
    if (authorization.empty()) return;
    const auto shown = client_->post_url(authorization);
    if (shown.response.status != 200) return;
    client_->post_url(shown.body.find("challenges")->array()->front().text_at("url"),
                      json::Value(json::Object{}));
  }
  void deactivate() {
    if (const std::string authorization = any_authorization(); !authorization.empty() && random_() % 3 == 0)
      client_->post_url(authorization, json::Value(json::Object{{"status", "deactivated"}}));
  }
  void finalize() {
    const std::string order = any_order();
    if (order.empty()) return;
    const auto shown = client_->post_url(order);
    std::vector<std::string> names;
    for (const json::Value& each : *shown.body.find("identifiers")->array())
      names.emplace_back(each.text_at("value"));
    if (random_() % 5 == 0) names.push_back("more.example.test");
    const auto answer = client_->post_url(shown.body.text_at("finalize"), TestClient::csr_for(names));
    // 7.4: only a ready order is finalized.
    if (shown.status() != "ready") {
      ASSERT_EQ(answer.type(), "orderNotReady") << answer.response.body;
    }
  }

  void moved(const Steps& steps, const std::string& url, std::string_view status) {
    const std::string now(status);
    ASSERT_TRUE(steps.contains(now)) << url << " is " << now;
    const auto [known, first] = seen_.try_emplace(url, now);
    ASSERT_TRUE(first || steps.at(known->second).contains(now))
        << url << " went from " << known->second << " to " << now;
    known->second = now;
    ++reached[now];
  }
  void look() {
    for (const std::string& url : orders_) {
      const auto order = client_->post_url(url);
      ASSERT_EQ(order.response.status, 200) << order.response.body;
      moved(order_steps, url, order.status());
      bool all_valid = true;
      for (const json::Value& each : *order.body.find("authorizations")->array()) {
        const auto authorization = client_->post_url(*each.text());
        moved(authorization_steps, *each.text(), authorization.status());
        all_valid = all_valid && authorization.status() == "valid";
        const json::Value& challenge = authorization.body.find("challenges")->array()->front();
        moved(challenge_steps, std::string(challenge.text_at("url")), challenge.text_at("status"));
        EXPECT_TRUE(authorization.status() != "valid" || challenge.text_at("status") == "valid");
      }
      // 7.1.6: ready is where all authorizations are valid; a certificate is where the order is valid.
      EXPECT_TRUE(order.status() != "ready" || all_valid);
      EXPECT_FALSE(order.status() == "pending" && all_valid);
      EXPECT_EQ(order.body.find("certificate") != nullptr, order.status() == "valid");
    }
  }

  std::mt19937 random_;
  fakes::FakeHost host_;
  std::optional<Service> service_;
  std::optional<TestClient> client_;
  std::vector<std::string> orders_;
  std::map<std::string, std::string> seen_;
};

TEST(AcmeStates, NeverLeaveTheFiguresOfRfc8555) {
  std::map<std::string, int> reached;
  for (std::uint32_t seed = 1; seed <= 40 && !testing::Test::HasFailure(); ++seed) {
    World world(seed);
    for (int i = 0; i < 60 && !testing::Test::HasFailure(); ++i) world.step();
    for (const auto& [state, times] : world.reached) reached[state] += times;
    if (testing::Test::HasFailure()) ADD_FAILURE() << "seed " << seed;
  }
  for (const char* state : {"pending", "ready", "processing", "valid", "invalid", "deactivated", "expired"})
    EXPECT_GT(reached[state], 0) << "the walk never came to " << state;
}

TEST(AcmeOrders, AreFinishedByWhoeverComesAfterACrash) {
  fakes::FakeHost host;
  std::optional<Service> service(std::in_place, test_options(), host, "web");
  ASSERT_TRUE(service->start());
  TestClient client(*service);
  client.enrol();
  host.fake_outbound.answer = [&](const OutboundRequest& request) -> Result<OutboundAnswer> {
    return OutboundAnswer{200, request.target.substr(request.target.rfind('/') + 1) + "." + client.thumbprint,
                          "x"};
  };
  const auto order = client.order({"a.example.test"});
  const auto authorization = client.post_url(*order.body.find("authorizations")->array()->front().text());
  client.post_url(authorization.body.find("challenges")->array()->front().text_at("url"),
                  json::Value(json::Object{}));
  ASSERT_TRUE(host.fake_scheduler.run_waiting());
  // The key fails after the order was claimed: the client sees processing, and when to come back.
  host.fake_pipeline.fail_with = unavailable("the key is away");
  const auto claimed =
      client.post_url(order.body.text_at("finalize"), TestClient::csr_for({"a.example.test"}));
  EXPECT_EQ(claimed.response.status, 200) << claimed.response.body;
  EXPECT_EQ(claimed.status(), "processing");
  EXPECT_EQ(claimed.header("Retry-After"), "1");
  host.fake_pipeline.fail_with.reset();
  const auto finish = [&] {
    Call call = fakes::test_call();
    return host.fake_scheduler.recurring.at("issue")(call);
  };
  ASSERT_TRUE(finish());
  EXPECT_EQ(client.post_url(order.header("Location")).status(), "processing")
      << "whoever claimed it may be alive";
  host.manual_clock.advance(std::chrono::minutes{2});
  ASSERT_TRUE(finish());
  EXPECT_EQ(client.post_url(order.header("Location")).status(), "valid");
}

}  // namespace
}  // namespace hanaper::acme
