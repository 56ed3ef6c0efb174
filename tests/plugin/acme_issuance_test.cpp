// What may come between a proven name and its certificate, and what must not.
#include "acme_support.hpp"

#include <hanaper/toolkit/time_text.hpp>

namespace hanaper::acme {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

struct Ending {
  const char* name;
  std::chrono::milliseconds after;
  bool deactivate;
};
class AcmeAuthorizationThat : public AcmeIssuance, public testing::WithParamInterface<Ending> {};

// RFC 8555 7.5.2, where the order has been claimed before: it waited for an approval, or its node is gone.
TEST_P(AcmeAuthorizationThat, IssuesNothing) {
  Options options = test_options();
  options.order_lifetime = hours{24};
  open(std::move(options));
  client_->enrol();
  const auto order = ready({"a.example.test"});
  host_.fake_pipeline.fail_with = unavailable("the key is away");
  ASSERT_EQ(finalize(order, {"a.example.test"}).status(), "processing");
  host_.fake_pipeline.fail_with.reset();
  if (GetParam().deactivate)
    client_->post_url(authorization_of(order), json::Value(json::Object{{"status", "deactivated"}}));
  host_.manual_clock.advance(GetParam().after);
  run("issue");
  const auto after = look(order);
  EXPECT_EQ(after.status(), "invalid");
  EXPECT_EQ(after.body.find("certificate"), nullptr);
  ASSERT_NE(after.body.find("error"), nullptr) << after.response.body;
  EXPECT_EQ(after.body.find("error")->text_at("type"), "urn:ietf:params:acme:error:unauthorized");
}
INSTANTIATE_TEST_SUITE_P(Ended, AcmeAuthorizationThat,
                         testing::Values(Ending{"WasDeactivated", minutes{2}, true},
                                         Ending{"HasExpired", hours{3}, false}),
                         [](const auto& test) { return test.param.name; });

// What a node was at is taken up once its run is over, or its time; what waits for an approval has nobody at
// it.
TEST_F(AcmeIssuance, TakesUpWhatARunThatIsOverWasAt) {
  open();
  client_->enrol();
  const struct {
    const char* name;
    bool over;
    std::chrono::seconds after;
    const char* status;
  } table[] = {{"its run goes on", false, std::chrono::seconds{5}, "processing"},
               {"its run is over", true, std::chrono::seconds{5}, "valid"},
               {"its time is over", false, std::chrono::seconds{61}, "valid"}};
  int number = 0;
  for (const auto& row : table) {
    SCOPED_TRACE(row.name);
    const std::string name = "n" + std::to_string(++number) + ".example.test";
    const auto order = ready({name});
    host_.fake_run = "of " + name;
    // It was claimed, and then there was an end.
    host_.fake_pipeline.before_issuing = [&](const IssueRequest& request) -> Status {
      Call call = fakes::test_call();
      EXPECT_TRUE(host_.commit(request.with_intent, call));
      throw std::runtime_error("kill -9");
    };
    EXPECT_THROW(finalize(order, {name}), std::runtime_error);
    host_.fake_pipeline.before_issuing = nullptr;
    if (row.over) host_.runs_over.insert(host_.fake_run);
    host_.fake_run = "another run";
    host_.manual_clock.advance(row.after);
    run("issue");
    EXPECT_EQ(look(order).status(), row.status);
  }
}

TEST_F(AcmeIssuance, GoesOnPastDocumentsThatCannotBeRead) {
  open();
  client_->enrol();
  const auto order = client_->order({"a.example.test"});
  const std::string authorization = authorization_of(order);
  client_->post_url(client_->post_url(authorization).body.find("challenges")->array()->front().text_at("url"),
                    json::Value(json::Object{}));
  for (const auto& [collection, state] : {std::pair{"authorization", "validating"}, {"order", "issuing"}}) {
    RecordWrite damaged;
    damaged.key = "0";
    damaged.indexes = {{"open", state}};
    damaged.data = "\xed\xa0\x80";
    put(collection, damaged);
  }
  host_.fake_scheduler.waiting.clear();  // the node has ended; another goes on
  host_.runs_over = {std::exchange(host_.fake_run, "another run")};
  service_.emplace(test_options(), host_, "web");
  ASSERT_TRUE(service_->start());
  run("validate");
  run("issue");
  EXPECT_EQ(client_->post_url(authorization).status(), "valid");
  const auto rows = operate("orders");
  ASSERT_TRUE(rows) << rows.error().detail;
  ASSERT_EQ(rows->array()->size(), 2u);
  EXPECT_EQ(rows->array()->front().text_at("order"), "0");
  EXPECT_TRUE(rows->array()->front().text_at("status").starts_with("cannot be read: "));
  EXPECT_EQ(rows->array()->back().text_at("status"), "ready");
  std::string lines;
  for (const std::string& line : host_.recording_log.lines()) lines += line + "\n";
  for (const char* loud : {"error an authorization cannot be read", "error an order cannot be finished"})
    EXPECT_NE(lines.find(loud), std::string::npos) << loud;
}

// The order says that it waits in the commit that makes the operator's request: no crash comes between.
TEST_F(AcmeIssuance, WaitsForAnApprovalFromTheVeryCommitOfItsRequest) {
  open();
  client_->enrol();
  const auto order = ready({"a.example.test"});
  host_.fake_pipeline.before_issuing = [&](const IssueRequest& request) -> Status {
    Call call = fakes::test_call();
    EXPECT_TRUE(host_.commit(request.with_pending("r1"), call));
    throw std::runtime_error("kill -9");
  };
  EXPECT_THROW(finalize(order, {"a.example.test"}), std::runtime_error);
  const auto waiting = look(order);
  EXPECT_EQ(waiting.status(), "processing");
  EXPECT_EQ(waiting.header("Retry-After"), "15");
  EXPECT_EQ(stored(order).history.back().text, "request r1 waits for approval");
  EXPECT_EQ(finalize(order, {"a.example.test"}).type(), "orderNotReady");
  host_.fake_pipeline.before_issuing = nullptr;  // approved
  host_.manual_clock.advance(minutes{1});
  run("issue");
  EXPECT_EQ(look(order).status(), "valid");
}

class AcmeStar : public AcmeIssuance {
 protected:
  void SetUp() override {
    Options options = test_options();
    options.star_min_lifetime = minutes{1};
    open(std::move(options));
    client_->enrol();
  }
  // For ten hours, an hour each.
  TestClient::Answer star(json::Object more) {
    more.emplace_back("end-date", time_text(host_.manual_clock.now() + hours{10}));
    more.emplace_back("lifetime", 3600);
    more.emplace_back("allow-certificate-get", true);
    return client_->post(
        "/new-order",
        json::Value(json::Object{
            {"identifiers", json::Array{json::Object{{"type", "dns"}, {"value", "a.example.test"}}}},
            {"auto-renewal", std::move(more)}}));
  }
  CertificateStatus newest(const TestClient::Answer& order) {
    return *host_.fake_pipeline.status(*stored(order).certificate);
  }
};

// RFC 8739 3.5
TEST_F(AcmeStar, IsValidFromItsStartAndPaddedFromTheSecondOn) {
  const Time start = host_.manual_clock.now() + hours{2};
  const auto order = star({{"start-date", time_text(start)}, {"lifetime-adjust", 1800}});
  ASSERT_EQ(finalize(ready(order), {"a.example.test"}).status(), "valid");
  EXPECT_EQ(newest(order).row.not_before, start);
  EXPECT_EQ(newest(order).row.not_after, start + hours{1});
  const Time due = start + minutes{30};
  host_.manual_clock.set(due);
  run("renew");
  EXPECT_EQ(newest(order).row.not_before, due - minutes{30});
  EXPECT_EQ(newest(order).row.not_after, due + hours{1});
}

TEST_F(AcmeStar, BeginsWhenItIsFinalizedHoweverLateThatIs) {
  const auto order = star({{"lifetime-adjust", 1800}});
  const Time made = host_.manual_clock.now();
  const auto proven = ready(order);
  host_.manual_clock.advance(minutes{50});
  ASSERT_EQ(finalize(proven, {"a.example.test"}).status(), "valid");
  EXPECT_EQ(newest(order).row.not_before, made + minutes{20});
  EXPECT_EQ(newest(order).row.not_after, made + minutes{110});
}

// RFC 8657 4: a CAA record may ask for a method, of every certificate.
TEST_F(AcmeStar, IsRenewedByTheProofsOfItsFirstCertificate) {
  std::vector<std::vector<Proof>> proofs;
  host_.fake_pipeline.before_issuing = [&](const IssueRequest& request) {
    proofs.push_back(request.proofs);
    return Status();
  };
  const auto order = star({});
  ASSERT_EQ(finalize(ready(order), {"a.example.test"}).status(), "valid");
  host_.manual_clock.advance(minutes{40});
  run("renew");
  ASSERT_EQ(proofs.size(), 2u);
  for (const std::vector<Proof>& each : proofs) {
    ASSERT_EQ(each.size(), 1u);
    EXPECT_EQ(each.front().name.value, "a.example.test");
    EXPECT_EQ(each.front().method, "http-01");
  }
}

// RFC 8739 3.1.2
TEST_F(AcmeStar, IsCanceledAndNoneOfItsCertificatesIsRevoked) {
  const auto order = star({});
  ASSERT_EQ(finalize(ready(order), {"a.example.test"}).status(), "valid");
  std::vector<Bytes> all{newest(order).certificate};
  host_.manual_clock.advance(minutes{40});
  run("renew");
  all.push_back(newest(order).certificate);
  ASSERT_FALSE(equal(all[0], all[1]));
  const auto canceled =
      client_->post_url(order.header("Location"), json::Value(json::Object{{"status", "canceled"}}));
  EXPECT_EQ(canceled.status(), "canceled");
  EXPECT_EQ(canceled.body.text_at("expires"), time_text(host_.manual_clock.now()));
  for (const Bytes& each : all)
    EXPECT_EQ(
        client_->post("/revoke-cert", json::Value(json::Object{{"certificate", base64::encode_url(each)}}))
            .type(),
        "autoRenewalRevocationNotSupported");
  host_.manual_clock.advance(minutes{40});
  const std::string last = stored(order).certificate->serial.hex();
  run("renew");
  EXPECT_EQ(stored(order).certificate->serial.hex(), last);
}

// An account that is bound to a key of the operator's (RFC 8555 7.3.4).
class AcmeBound : public AcmeStar {
 protected:
  void SetUp() override {
    AcmeStar::SetUp();
    const auto made = operate("eab create", {{"owner", "red"},
                                             {"name", std::vector<std::string>{"a.example.test"}},
                                             {"quota", std::int64_t{3}},
                                             {"accounts", std::int64_t{1}}});
    kid_ = made->text_at("kid");
    const std::string id = client_->kid.substr(client_->kid.rfind('/') + 1);
    Account account = *read_account(*host_.collection("account").get(id));
    account.external_key = kid_;
    put("account", record_of(account));
  }
  void revoke() { ASSERT_TRUE(operate("eab revoke", {{"kid", kid_}})); }
  std::string left() {
    const auto rows = operate("eab list");
    return std::to_string(*rows->array()->front().find("orders_left")->integer());
  }
  TestClient::Answer authorize(const std::string& name) {
    return client_->post(
        "/new-authz",
        json::Value(json::Object{{"identifier", json::Object{{"type", "dns"}, {"value", name}}}}));
  }

  std::string kid_;
};

TEST_F(AcmeBound, FinalizesWithoutCountingTwiceAndNotOnceItsKeyIsRevoked) {
  const auto first = ready({"a.example.test"}), second = ready(client_->order({"x.a.example.test"}));
  EXPECT_EQ(left(), "1");
  EXPECT_EQ(finalize(first, {"a.example.test"}).status(), "valid");
  EXPECT_EQ(left(), "1");
  revoke();
  const auto refused = finalize(second, {"x.a.example.test"});
  EXPECT_EQ(refused.response.status, 403);
  EXPECT_EQ(refused.type(), "unauthorized") << refused.response.body;
}

TEST_F(AcmeBound, RenewsUntilItsKeyIsRevoked) {
  const auto order = star({});
  ASSERT_EQ(finalize(ready(order), {"a.example.test"}).status(), "valid");
  std::set<std::string> serials{stored(order).certificate->serial.hex()};
  host_.manual_clock.advance(minutes{40});
  run("renew");
  EXPECT_TRUE(serials.insert(stored(order).certificate->serial.hex()).second);
  revoke();
  host_.manual_clock.advance(minutes{40});
  run("renew");
  EXPECT_TRUE(serials.contains(stored(order).certificate->serial.hex()));
  EXPECT_NE(stored(order).history.back().text.find("revoked"), std::string::npos);
}

TEST_F(AcmeBound, AuthorizesTheNamesOfItsKeyAheadOfOrders) {
  EXPECT_EQ(authorize("x.a.example.test").response.status, 201);
  EXPECT_EQ(authorize("b.example.test").type(), "rejectedIdentifier");
  EXPECT_EQ(left(), "3") << "orders are counted, nothing else";
  revoke();
  EXPECT_EQ(authorize("a.example.test").type(), "unauthorized");
}

}  // namespace
}  // namespace hanaper::acme
