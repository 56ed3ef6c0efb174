// The parts of the ACME plugin, each by itself: nonces, limits, names of things.
#include "acme_support.hpp"
#include "methods.hpp"

#include <thread>

namespace hanaper::acme {
namespace {

const Time now = std::chrono::sys_days{std::chrono::year{2026} / 11 / 22};

TEST(Nonces, AreGoodOnceAndAuthentic) {
  Nonces nonces, others;
  const std::string nonce = nonces.issue(now);
  EXPECT_EQ(nonces.check(nonce, now), Nonces::Verdict::good);
  EXPECT_TRUE(nonces.spend(nonce, now));
  EXPECT_FALSE(nonces.spend(nonce, now));
  EXPECT_EQ(nonces.check(nonce, now), Nonces::Verdict::bad);
  EXPECT_EQ(others.check(nonces.issue(now), now), Nonces::Verdict::bad) << "of another process";
  EXPECT_EQ(nonces.check("a+b=", now), Nonces::Verdict::not_a_nonce);
  std::string forged = nonces.issue(now);
  forged.back() = forged.back() == 'A' ? 'E' : 'A';
  EXPECT_EQ(nonces.check(forged, now), Nonces::Verdict::bad);
}

TEST(Nonces, LiveForTheirTimeHoweverManyAreDrawn) {
  constexpr auto lifetime = Nonces::lifetime;
  const struct {
    const char* name;
    int drawn;
    std::chrono::milliseconds age;
    bool good;
  } table[] = {{"at once", 0, {}, true},
               {"behind two million others", 2'000'000, {}, true},
               {"just before its end", 1000, lifetime - std::chrono::seconds{1}, true},
               {"at its end", 0, lifetime, false},
               {"on a clock that was set back a little", 0, -std::chrono::minutes{4}, true},
               {"on a clock that was set back a lot", 0, -std::chrono::minutes{6}, false}};
  for (const auto& row : table) {
    SCOPED_TRACE(row.name);
    Nonces nonces;
    const std::string used = nonces.issue(now), unused = nonces.issue(now);
    EXPECT_TRUE(nonces.spend(used, now));
    for (int i = 0; i < row.drawn; ++i) nonces.issue(now);
    EXPECT_EQ(nonces.check(unused, now + row.age), row.good ? Nonces::Verdict::good : Nonces::Verdict::bad);
    EXPECT_EQ(nonces.check(used, now + row.age), Nonces::Verdict::bad);
  }
}

TEST(Nonces, ThatAreOlderThanTheMemoryOfUsedOnesAreBad) {
  Nonces nonces(32);  // two runs for each of the sixteen parts
  const std::string used = nonces.issue(now), unused = nonces.issue(now);
  EXPECT_TRUE(nonces.spend(used, now));
  std::string last;
  for (int i = 0; i < 3 * 16 * 256; ++i) {
    last = nonces.issue(now);
    EXPECT_TRUE(i % 256 != 0 || nonces.spend(last, now));
  }
  EXPECT_EQ(nonces.check(used, now), Nonces::Verdict::bad);
  EXPECT_FALSE(nonces.spend(used, now));
  EXPECT_EQ(nonces.check(unused, now), Nonces::Verdict::bad);
  EXPECT_EQ(nonces.check(last, now), Nonces::Verdict::good);
}

TEST(Nonces, AreSpentByOneOfManyThreads) {
  Nonces nonces;
  for (int round = 0; round < 200; ++round) {
    const std::string nonce = nonces.issue(now);
    std::atomic<int> won = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([&] { won += nonces.spend(nonce, now); });
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(won, 1);
  }
}

TEST(Nonces, AreSharedByAllWhoHaveTheKeyUntilTheyAreOld) {
  Nonces one, two;
  const Fingerprint key{1, 2, 3};
  one.share(key);
  two.share(key);
  const std::string nonce = one.issue(now);
  EXPECT_EQ(two.check(nonce, now), Nonces::Verdict::good);
  EXPECT_EQ(two.check(nonce, now - std::chrono::minutes{1}), Nonces::Verdict::good)
      << "a clock that is behind";
  EXPECT_EQ(two.check(nonce, now + Nonces::lifetime + std::chrono::seconds{1}), Nonces::Verdict::bad);
  EXPECT_NE(one.issue(now), one.issue(now));
}

TEST(Nonces, AreSharedOnceThereAreSeveralNodes) {
  fakes::FakeHost host;
  Service service(test_options(), host, "web");
  ASSERT_TRUE(service.start());
  const auto tick = [&] {
    Call call = fakes::test_call();
    EXPECT_TRUE(host.fake_scheduler.recurring.at("nonces")(call));
  };
  TestClient client(service);
  client.enrol();
  tick();
  EXPECT_FALSE(host.collection("shared").get("nonce-key")) << "alone";
  const std::string old = client.sign("/new-order", json::Value(json::Object{}));
  host.fake_is_alone = false;
  tick();
  EXPECT_EQ(client.ask(Method::post, "/new-order", old).type(), "badNonce");
  EXPECT_EQ(client.order({"a.example.test"}).status(), "pending");
  tick();
  host.fake_is_alone = true;  // the other is forgotten: what is out stays good
  tick();
  EXPECT_EQ(client.order({"b.example.test"}).status(), "pending");
}

// Item 11: two nodes of one storage, each with its own process.
TEST(Nonces, OfOneNodeAreGoodOnceOnTheOther) {
  fakes::FakeHost host;
  const auto options = [] {
    Options shared = test_options();
    shared.shared_nonces = true;
    return shared;
  };
  Service first(options(), host, "web"), second(options(), host, "web");
  ASSERT_TRUE(first.start());
  ASSERT_TRUE(second.start());
  TestClient client(first);
  client.enrol();
  const std::string body = client.sign(client.kid.substr(client.base.size()), {});
  TestClient other(second);
  const std::string tail = client.kid.substr(client.base.size());
  EXPECT_EQ(other.ask(Method::post, tail, body).response.status, 200) << "made there, redeemed here";
  for (TestClient* node : {&client, &other})
    EXPECT_EQ(node->ask(Method::post, tail, body).type(), "badNonce") << "once, wherever";
}

TEST(Limits, SaySoWhenTheyAreNone) {
  for (const char* text :
       {"", "orders-per-account", "orders-per-account 3", "orders-per-account 3/", "x 3/1h",
        "orders-per-account 0/1h", "orders-per-account -1/1h", "orders-per-account 3/x",
        "orders-per-account 99999999999/1h", "orders-per-account 3/1h x"})
    EXPECT_FALSE(Limit::parse(text)) << text;
  EXPECT_TRUE(Limit::parse("orders-per-name 3/1h"));
}

TEST(Limits, LetThroughACountAndThenOneInATime) {
  const auto limit = *Limit::parse("orders-per-name 3/1h");
  Time time = now;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit->take("a", time)) << i;
  const Status refused = limit->take("a", time);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::rate_limited);
  EXPECT_EQ(refused.error().retry_after, std::chrono::minutes{20});
  EXPECT_NE(refused.error().detail.find("orders-per-name 3/1h"), std::string::npos);
  EXPECT_FALSE(limit->check("a", time));
  EXPECT_TRUE(limit->check("b", time));
  EXPECT_TRUE(limit->take("b", time)) << "another key";
  EXPECT_FALSE(limit->take("a", time += std::chrono::minutes{19}));
  EXPECT_TRUE(limit->take("a", time += std::chrono::minutes{1}));
  EXPECT_FALSE(limit->take("a", time));
}

TEST(Limits, HoldABoundedNumberOfKeys) {
  const auto limit = *Limit::parse("orders-per-name 1/1h");
  for (int i = 0; i < 250'000; ++i) EXPECT_TRUE(limit->take(std::to_string(i), now));
}

TEST(Limits, StayForWhoHasReachedThemHoweverManyOthersCome) {
  const auto limit = *Limit::parse("accounts-per-address 3/1h");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit->take("guesser", now));
  for (int i = 0; i < 300'000; ++i) EXPECT_TRUE(limit->take("other" + std::to_string(i), now));
  EXPECT_FALSE(limit->take("guesser", now));
}

// The client who asked for a validation may be nobody to whoever answered.
TEST(Judgements, RepeatNothingOfWhatIsAnswered) {
  const std::string key = "token-1.thumbprint";
  const auto txt = [](std::string_view text) {
    Bytes rdata{static_cast<std::uint8_t>(text.size())};
    rdata.insert(rdata.end(), text.begin(), text.end());
    return rdata;
  };
  const std::vector<Bytes> records{txt("internal-secret"), txt("another-secret")};
  const std::vector<std::string> issuers{"ca.test"};
  const struct {
    const char* name;
    Status judged;
    const char* says;
  } table[] = {
      {"a page", judge_http_01("internal-secret", key), "answered 15 octets of something else instead of"},
      {"one octet", judge_http_01("s", key), "answered 1 octet of something else"},
      {"the key of another account", judge_http_01("token-1.secret", key), "the key of another account"},
      {"a TXT record", judge_dns_01("_acme-challenge.a.test", records, key),
       "is 2 records of something else"},
      {"a lasting TXT record",
       judge_dns_persist_01("_validation-persist.a.test", records, issuers, "https://ca.test/1", false, now),
       "names another issuer"},
  };
  for (const auto& row : table) {
    SCOPED_TRACE(row.name);
    ASSERT_FALSE(row.judged);
    EXPECT_NE(row.judged.error().detail.find(row.says), std::string::npos) << row.judged.error().detail;
    EXPECT_EQ(row.judged.error().detail.find("secret"), std::string::npos) << row.judged.error().detail;
  }
}

ValidationQueue::Validation turn(const std::string& account, int number) {
  return {account, account + std::to_string(number), {}, {}, false};
}

TEST(ValidationQueue, AreTakenByAccountsOneAfterAnotherAFewAtOnceEach) {
  ValidationQueue queue({5, 2, 2, 9});
  for (int i = 0; i < 9; ++i) queue.add(turn("a", i));
  queue.add(turn("b", 0));
  queue.add(turn("c", 0));
  std::vector<ValidationQueue::Validation> running;
  std::string order;
  while (auto next = queue.next()) {
    order += next->authorization + " ";
    running.push_back(*std::move(next));
  }
  EXPECT_EQ(order, "a0 b0 c0 a1 ") << "two of an account, though a fifth could run";
  queue.done(running[1]);
  EXPECT_FALSE(queue.next()) << "b has no more, and a has its two";
  queue.done(running[0]);
  EXPECT_EQ(queue.next()->authorization, "a2");
}

TEST(ValidationQueue, AreTakenByClientsHoweverManyAccountsEachMakes) {
  ValidationQueue queue({8, 3, 2, 9});
  const auto add = [&](const std::string& account, int number, const char* client) {
    ValidationQueue::Validation one = turn(account, number);
    one.client = client;
    queue.add(std::move(one));
  };
  for (int i = 0; i < 40; ++i) add("m" + std::to_string(i) + "-", 0, "192.0.2.1");
  for (int i = 0; i < 3; ++i) add("a", i, "192.0.2.2");
  queue.add(turn("x", 0));  // from storage: nobody knows whose it is
  std::vector<ValidationQueue::Validation> running;
  std::string order;
  while (auto next = queue.next()) {
    order += next->authorization + " ";
    running.push_back(*std::move(next));
  }
  EXPECT_EQ(order, "m0-0 a0 x0 m1-0 a1 m2-0 ")
      << "three of a client and two of an account, though more could run";
  for (const auto& one : running) queue.done(one);
  EXPECT_EQ(queue.next()->authorization, "m3-0");
  EXPECT_EQ(queue.next()->authorization, "a2");
}

TEST(ValidationQueue, AreNotTakenTwiceByOneNorByMoreThanFit) {
  ValidationQueue queue({2, 9, 9, 9});
  for (int i = 0; i < 2; ++i) queue.add(turn("a", 0));
  const auto first = queue.next();
  EXPECT_FALSE(queue.next());
  queue.add(turn("a", 0));
  EXPECT_FALSE(queue.next()) << "it runs";
  queue.done(*first);
  EXPECT_FALSE(queue.has("a0"));
  for (const char* account : {"a", "b", "c"}) queue.add(turn(account, 1));
  EXPECT_TRUE(queue.next() && queue.next());
  EXPECT_FALSE(queue.next()) << "two at once";
}

TEST(ValidationQueue, HoldABoundedNumberOfAnAccount) {
  ValidationQueue queue({1, 1, 1, 1});
  for (int i = 0; i < 1000; ++i) queue.add(turn("a", i));
  EXPECT_FALSE(queue.has_room("a"));
  EXPECT_TRUE(queue.has_room("b"));
  EXPECT_FALSE(queue.has("a999")) << "it is found in storage later";
}

struct Reverse {
  const char* address;
  const char* name;
};
class ServerName : public testing::TestWithParam<Reverse> {};
TEST_P(ServerName, OfAnAddressIsItsReverseName) {
  EXPECT_EQ(tls_server_name({Identifier::Kind::ip, GetParam().address}), GetParam().name);
}
// RFC 8738 6 and RFC 3596 2.5
INSTANTIATE_TEST_SUITE_P(
    Rfc8738, ServerName,
    testing::Values(Reverse{"192.0.2.1", "1.2.0.192.in-addr.arpa"},
                    Reverse{"2001:db8::1",
                            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"}));

TEST(Methods, AreOfferedWhereTheyProveSomething) {
  using Kind = Identifier::Kind;
  for (const char* method : {"http-01", "tls-alpn-01"}) {
    EXPECT_TRUE(method_fits(method, Kind::dns, false));
    EXPECT_TRUE(method_fits(method, Kind::ip, false));
    EXPECT_FALSE(method_fits(method, Kind::dns, true)) << "one host proves nothing about all below";
  }
  for (const char* method : {"dns-01", "dns-account-01", "dns-persist-01"}) {
    EXPECT_TRUE(method_fits(method, Kind::dns, true));
    EXPECT_FALSE(method_fits(method, Kind::ip, false)) << "RFC 8738 7";
  }
  for (const Kind kind : identifier_kinds) {
    EXPECT_EQ(method_fits(device_attest, kind, false), names_device(kind));
    EXPECT_FALSE(names_device(kind) && method_fits("http-01", kind, false));
    EXPECT_FALSE(names_device(kind) && method_fits("dns-01", kind, false));
  }
}

TEST(Authorizations, CoverTheirNameAndNothingElse) {
  using Kind = Identifier::Kind;
  Authorization plain, star, below;
  plain.identifier = star.identifier = below.identifier = {Kind::dns, "a.test"};
  star.wildcard = below.subdomains = true;
  struct Row {
    Identifier name;
    bool plain, star, below;
  };
  const Row table[] = {
      {{Kind::dns, "a.test"}, true, false, true},    {{Kind::dns, "*.a.test"}, false, true, true},
      {{Kind::dns, "b.a.test"}, false, false, true}, {{Kind::dns, "*.b.a.test"}, false, false, true},
      {{Kind::dns, "xa.test"}, false, false, false}, {{Kind::dns, "test"}, false, false, false},
      {{Kind::ip, "a.test"}, false, false, false}};
  for (const Row& row : table) {
    EXPECT_EQ(plain.covers(row.name), row.plain) << row.name.value;
    EXPECT_EQ(star.covers(row.name), row.star) << row.name.value;
    EXPECT_EQ(below.covers(row.name), row.below) << row.name.value;
  }
}

TEST(Documents, ComeBackAsTheyWere) {
  Order order;
  order.id = "o";
  order.account = "a";
  order.identifiers = {{Identifier::Kind::dns, "x.test"}};
  order.authorizations = {"z"};
  order.renew = Order::AutoRenewal{
      now, now + std::chrono::hours{5}, std::chrono::seconds{60}, std::chrono::seconds{5}, true, now};
  order.renew->proofs = {{order.identifiers.front(), "dns-01"}};
  order.csr = {1, 2, 3};
  order.awaits_approval = true;
  add_event(order.history, now, "something");
  const RecordWrite write = record_of(order);
  const auto again = read_order({write.key, 1, {}, {}, write.data});
  ASSERT_TRUE(again) << again.error().detail;
  EXPECT_EQ(write_document(*again), write_document(order));
  EXPECT_TRUE(again->awaits_approval);
  EXPECT_EQ(again->renew->proofs.front().method, "dns-01");
  Authorization device;
  device.identifier = {Identifier::Kind::permanent_identifier, "*.SERIAL/1.2.3"};
  device.challenges.push_back({std::string(device_attest), "t", "valid", now, {}});
  device.attested_key = "00ff";
  const auto attested = read_authorization({"z", 1, {}, {}, record_of(device).data});
  ASSERT_TRUE(attested) << attested.error().detail;
  EXPECT_EQ(attested->identifier, device.identifier);
  EXPECT_EQ(attested->attested_key, device.attested_key);
  EXPECT_FALSE(read_order({"o", 1, {}, {}, "{}"}));
  EXPECT_FALSE(read_account({"o", 1, {}, {}, "[]"}));
  EXPECT_FALSE(read_authorization({"o", 1, {}, {}, "nonsense"}));
}

TEST(Histories, KeepTheirBeginningAndTheirEnd) {
  History history;
  for (int i = 0; i < 1000; ++i) add_event(history, now, std::to_string(i) + std::string(1000, 'x'));
  EXPECT_LE(history.size(), 60u);
  EXPECT_TRUE(history.front().text.starts_with("0x"));
  EXPECT_TRUE(history.back().text.starts_with("999x"));
  EXPECT_LE(history.back().text.size(), 400u);
}

}  // namespace
}  // namespace hanaper::acme
