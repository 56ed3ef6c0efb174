// What was begun and not gone on with: authorizations that stay pending, and accounts that never had a
// certificate.
#include "acme_support.hpp"

namespace hanaper::acme {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

class AcmePending : public AcmeIssuance {
 protected:
  static Options options_for(std::vector<std::string> challenges) {
    Options options = test_options();
    options.challenges = std::move(challenges);
    options.pending_authorizations = 3;
    return options;
  }
  void SetUp() override {
    open(options_for({"http-01", "dns-01"}));
    client_->enrol();
  }
  std::string authorize_ahead(const std::string& name, bool subdomains = false) {
    json::Object identifier{{"type", "dns"}, {"value", name}};
    if (subdomains) identifier.emplace_back("subdomainAuthAllowed", true);
    return client_
        ->post("/new-authz", json::Value(json::Object{{"identifier", json::Value(std::move(identifier))}}))
        .header("Location");
  }
  std::string order_below(const std::string& ancestor, const std::string& name) {
    return authorization_of(client_->post(
        "/new-order",
        json::Value(json::Object{
            {"identifiers",
             json::Array{json::Object{{"type", "dns"}, {"value", name}, {"ancestorDomain", ancestor}}}}})));
  }
  std::string order(const std::string& name) { return authorization_of(client_->order({name})); }
  void begin(const std::string& authorization) {
    const auto shown = client_->post_url(authorization);
    client_->post_url(shown.body.find("challenges")->array()->front().text_at("url"),
                      json::Value(json::Object{}));
  }
  void give_up(const std::string& authorization) {
    client_->post_url(authorization, json::Value(json::Object{{"status", "deactivated"}}));
  }
};

TEST_F(AcmePending, AreUsedAgainAsLongAsNobodyHasBegunWithThem) {
  using Row = std::tuple<const char*, std::function<std::string()>, std::function<std::string()>, bool>;
  const auto first = [&] { return order("a.example.test"); };
  const auto again = first;
  const Row rows[] = {
      {"the same name", first, again, true},
      {"another name", first, [&] { return order("b.example.test"); }, false},
      {"its wildcard", first, [&] { return order("*.a.example.test"); }, false},
      {"the same wildcard", [&] { return order("*.a.example.test"); },
       [&] { return order("*.a.example.test"); }, true},
      {"ahead of the order", [&] { return authorize_ahead("a.example.test"); }, again, true},
      {"of a whole domain", [&] { return authorize_ahead("a.example.test", true); }, again, false},
      {"of the domain that is to be proven", [&] { return authorize_ahead("a.example.test", true); },
       [&] { return order_below("a.example.test", "x.a.example.test"); }, true},
      {"of the domain alone", first, [&] { return order_below("a.example.test", "x.a.example.test"); },
       false},
      {"begun", first,
       [&] {
         begin(order("a.example.test"));
         return again();
       },
       false},
      {"given up", first,
       [&] {
         give_up(order("a.example.test"));
         return again();
       },
       false},
      {"with half of its time left", first,
       [&] {
         host_.manual_clock.advance(minutes{29});
         return again();
       },
       true},
      {"with less left", first,
       [&] {
         host_.manual_clock.advance(minutes{30});
         return again();
       },
       false},
      {"of other challenges", first,
       [&] {
         service_.emplace(options_for({"http-01"}), host_, "web");
         return again();
       },
       false},
      {"of another account", first,
       [&] {
         client_.emplace(*service_);
         client_->enrol();
         return again();
       },
       false},
  };
  for (const auto& [name, make, ask, same] : rows) {
    SCOPED_TRACE(name);
    SetUp();
    const std::string made = make(), got = ask();
    EXPECT_FALSE(made.empty() || got.empty());
    EXPECT_EQ(made == got, same);
  }
}

TEST_F(AcmePending, AreAsManyAsAnAccountMayHave) {
  const auto status = [&](std::vector<std::string> names) { return client_->order(names).response.status; };
  EXPECT_EQ(status({"a.example.test", "b.example.test", "c.example.test", "d.example.test"}), 429);
  EXPECT_EQ(status({"a.example.test", "b.example.test"}), 201);
  const auto refused = client_->order({"c.example.test", "d.example.test"});
  EXPECT_EQ(refused.response.status, 429);
  EXPECT_EQ(refused.type(), "rateLimited");
  EXPECT_EQ(refused.header("Retry-After"), "3600");
  EXPECT_NE(refused.body.text_at("detail").find("at most 3 pending"), std::string::npos);
  EXPECT_EQ(status({"a.example.test", "b.example.test"}), 201) << "nothing new is made";
  EXPECT_EQ(status({"a.example.test", "c.example.test"}), 201) << "one is";
  EXPECT_EQ(authorize_ahead("d.example.test"), "");
  Service other_node(options_for({"http-01", "dns-01"}), host_, "web");
  ASSERT_TRUE(other_node.start());
  TestClient other(other_node);
  other.enrol();
  EXPECT_EQ(other.order({"d.example.test"}).response.status, 201) << "each account has its own";
  host_.manual_clock.advance(minutes{20});
  EXPECT_EQ(client_->order({"d.example.test"}).header("Retry-After"), "2400");

  const auto orders = [&] { return host_.collection("order").find("", "", "", 100)->size(); };
  const std::size_t before = orders();
  EXPECT_EQ(status({"d.example.test"}), 429);
  EXPECT_EQ(orders(), before) << "nothing is left of what is refused";
  ready({"a.example.test"});
  EXPECT_EQ(status({"d.example.test"}), 201) << "what is met does not count";
  EXPECT_EQ(status({"e.example.test"}), 429);
  give_up(order("d.example.test"));
  EXPECT_EQ(status({"e.example.test"}), 201) << "nor does what is given up";
  begin(order("e.example.test"));
  EXPECT_EQ(status({"d.example.test"}), 429) << "what is under way does";
  host_.manual_clock.advance(minutes{61});
  EXPECT_EQ(status({"f.example.test", "g.example.test", "h.example.test"}), 201) << "nor what has expired";
}

TEST_F(AcmePending, AreNotKeptForLongWhereNobodyHasBegunWithThem) {
  const std::string untouched = order("a.example.test"), failed = order("b.example.test");
  host_.fake_outbound.answer = [](const OutboundRequest&) -> Result<OutboundAnswer> {
    return OutboundAnswer{200, "something else", "192.0.2.7"};
  };
  prove(failed);
  EXPECT_EQ(client_->post_url(failed).status(), "invalid");
  host_.manual_clock.advance(hours{24});
  EXPECT_EQ(client_->post_url(untouched).status(), "expired");
  host_.manual_clock.advance(hours{2});
  EXPECT_EQ(client_->post_url(untouched).response.status, 404);
  EXPECT_EQ(client_->post_url(failed).status(), "invalid") << "somebody may ask why";
}

class AcmeUnused : public AcmeIssuance {
 protected:
  void SetUp() override {
    Options options = test_options();
    options.unused_accounts = hours{10};
    open(std::move(options));
    client_->enrol();
  }
  void purge() {
    Write purge;
    purge.purge = host_.manual_clock.now() + std::chrono::milliseconds{1};
    ASSERT_TRUE(fakes::commit_one(host_.memory_storage, purge));
  }
  std::size_t documents(const char* collection) {
    return host_.collection(collection).find("", "", "", 100)->size();
  }
};

TEST_F(AcmeUnused, AreForgottenUnlessTheyHadACertificate) {
  struct Row {
    const char* name;
    hours at;
    std::function<void()> use;
    hours gone;  // since it was made; none: never
  };
  const json::Value contact = json::Object{{"contact", json::Array{"mailto:a@example.test"}}};
  const Row rows[] = {
      {"registered and no more", hours{0}, [] {}, hours{10}},
      {"an order in good time", hours{1}, [&] { client_->order({"a.example.test"}); }, hours{10}},
      {"an order near its end", hours{9}, [&] { client_->order({"a.example.test"}); }, hours{19}},
      {"an authorization near its end", hours{9},
       [&] {
         client_->post("/new-authz",
                       json::Value(json::Object{
                           {"identifier", json::Object{{"type", "dns"}, {"value", "a.example.test"}}}}));
       },
       hours{19}},
      {"a contact", hours{9}, [&] { client_->post_url(client_->kid, contact); }, hours{10}},
      {"a new key", hours{9}, [&] { EXPECT_EQ(client_->change_key().response.status, 200); }, hours{10}},
      {"a name proven", hours{1}, [&] { ready({"a.example.test"}); }, hours{10}},
      {"a certificate", hours{1},
       [&] {
         EXPECT_EQ(finalize(ready({"a.example.test"}), {"a.example.test"}).status(), "valid");
         EXPECT_EQ(client_->change_key().response.status, 200) << "and another key later";
       },
       hours{0}},
      {"a request that is refused", hours{1},
       [&] { EXPECT_EQ(finalize(ready({"a.example.test"}), {"b.example.test"}).type(), "badCSR"); },
       hours{0}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    SetUp();
    const Time made = host_.manual_clock.now();
    host_.manual_clock.advance(row.at);
    row.use();
    const bool stays = row.gone == hours{0};
    host_.manual_clock.set(made + (stays ? hours{10000} : row.gone) - minutes{1});
    EXPECT_EQ(client_->post_url(client_->kid).response.status, 200);
    host_.manual_clock.advance(minutes{1});
    EXPECT_EQ(client_->post_url(client_->kid).type(), stays ? "" : "accountDoesNotExist");
    purge();
    EXPECT_EQ(documents("account"), documents("key")) << "both or none";
    const std::string former = client_->kid;
    client_->kid.clear();
    const auto again = client_->post("/new-account", json::Value(json::Object{}));
    EXPECT_EQ(again.response.status, stays ? 200 : 201) << again.response.body;
    EXPECT_EQ(again.header("Location") == former, stays);
  }
}

TEST_F(AcmeUnused, HaveTheirOrdersEndWithThem) {
  const std::string authorization = authorization_of(client_->order({"a.example.test"}));
  client_->post_url(client_->post_url(authorization).body.find("challenges")->array()->front().text_at("url"),
                    json::Value(json::Object{}));
  for (const char* collection : {"account", "key"}) {
    const Record record = host_.collection(collection).find("", "", "", 1)->front();
    RecordWrite erase;
    erase.key = record.key;
    erase.expected = record.version;
    erase.erase = true;
    put(collection, std::move(erase));
  }
  ASSERT_TRUE(host_.fake_scheduler.run_waiting());
  const auto id = authorization.substr(authorization.rfind('/') + 1);
  EXPECT_EQ(read_authorization(*host_.collection("authorization").get(id))->status, "invalid");
}

}  // namespace
}  // namespace hanaper::acme
