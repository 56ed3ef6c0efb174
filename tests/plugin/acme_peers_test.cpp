// Clients and their servers as they are: what nothing depends on is taken as it comes.
#include "acme_support.hpp"
#include "methods.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/oids.hpp>

#include <thread>

namespace hanaper::acme {
namespace {

using std::chrono::hours;

// --- certificates that answer tls-alpn-01 ---

struct AlpnCertificate {
  const char* name;
  Bytes serial = {1};
  std::optional<std::uint64_t> version = 2;
  const char* date = "260101000000Z";
  std::vector<std::string> names = {"a.test"};
  bool critical = true, spelt_false = false, twice = false, proof = true;
  std::string key_authorization = "token.thumbprint";
  bool good = true;
};
std::ostream& operator<<(std::ostream& out, const AlpnCertificate& of) { return out << of.name; }

void write_extension(der::Writer& writer, ByteView oid, ByteView value, std::optional<bool> critical) {
  writer.sequence([&] {
    writer.octets(value);
    if (critical) writer.boolean(*critical);
    writer.oid(oid);
  });
}

Bytes make(const AlpnCertificate& of) {
  std::vector<Identifier> names;
  for (const std::string& name : of.names) names.push_back({Identifier::Kind::dns, name});
  der::Writer digest;
  digest.octets(crypto::sha256(as_bytes(of.key_authorization)));
  der::Writer writer;
  const auto name = [&] { writer.sequence([] {}); };
  writer.sequence([&] {
    writer.bits(Bytes{1, 2, 3}, 5);
    writer.sequence([&] { writer.oid(*der::oid_from_text("1.2.3.4")); });
    writer.sequence([&] {
      writer.constructed(der::context(3), [&] {
        writer.sequence([&] {
          const auto critical = of.critical ? std::optional(true) : std::nullopt;
          for (int i = 0; of.proof && i < (of.twice ? 2 : 1); ++i)
            write_extension(writer, oid::acme_identifier, digest.view(), critical);
          if (!names.empty())
            write_extension(writer, oid::subject_alt_name, x509::encode_general_names(names),
                            of.spelt_false ? std::optional(false) : std::nullopt);
        });
      });
      writer.sequence([&] { writer.oid(*der::oid_from_text("1.2.3.4")); });  // a key of no known kind
      name();
      writer.sequence([&] {
        for (int i = 0; i < 2; ++i) writer.text(der::utc_time, of.date);
      });
      name();
      writer.sequence([&] { writer.oid(*der::oid_from_text("1.2.3.4")); });
      writer.integer(of.serial);
      if (of.version) writer.constructed(der::context(0), [&] { writer.integer(*of.version); });
    });
  });
  return writer.bytes();
}

class TlsAlpn : public testing::TestWithParam<AlpnCertificate> {};

// RFC 8737 3 speaks of two extensions.
TEST_P(TlsAlpn, LooksAtTheNameAndTheProofAlone) {
  const Status judged = judge_tls_alpn_01({Identifier::Kind::dns, "a.test"}, make(GetParam()), "acme-tls/1",
                                          "token.thumbprint");
  EXPECT_EQ(judged.has_value(), GetParam().good) << (judged ? "" : judged.error().detail);
}

Bytes octets(std::size_t size, std::uint8_t first) {
  Bytes all(size, 0x11);
  all.front() = first;
  return all;
}

const AlpnCertificate alpn[] = {
    {.name = "Plain"},
    {.name = "SerialOfApache",
     .serial =
         [] {
           Bytes all = octets(21, 0);
           all[1] = 0xf1;
           return all;
         }()},
    {.name = "SerialOfThirtyOctets", .serial = octets(30, 0x11)},
    {.name = "SerialZero", .serial = {0}},
    {.name = "SerialBelowZero", .serial = {0xf1, 1}},
    {.name = "SerialWithLeadingZeros", .serial = {0, 0, 1}},
    {.name = "SerialOfNothing", .serial = {}},
    {.name = "VersionOne", .version = std::nullopt},
    {.name = "VersionOneSpeltOut", .version = 0},
    {.name = "VersionOfTheFuture", .version = 7},
    {.name = "DateOfNoDay", .date = "269999000000Z"},
    {.name = "DateWithoutSeconds", .date = "2601010000Z"},
    {.name = "DateInSummerTime", .date = "260101000000+0200"},
    {.name = "UpperCaseName", .names = {"A.TEST"}},
    {.name = "NotCriticalSpeltOut", .spelt_false = true},
    {.name = "AnotherName", .names = {"b.test"}, .good = false},
    {.name = "OneNameMore", .names = {"a.test", "b.test"}, .good = false},
    {.name = "NoName", .names = {}, .good = false},
    {.name = "ProofNotCritical", .critical = false, .good = false},
    {.name = "ProofTwice", .twice = true, .good = false},
    {.name = "NoProof", .proof = false, .good = false},
    {.name = "ProofOfAnother", .key_authorization = "token.other", .good = false},
};
INSTANTIATE_TEST_SUITE_P(Certificates, TlsAlpn, testing::ValuesIn(alpn),
                         [](const auto& test) { return test.param.name; });

// --- members that say nothing ---

class AcmePeers : public testing::Test {
 protected:
  void open(Options options = test_options()) {
    service_.emplace(std::move(options), host_, "web");
    ASSERT_TRUE(service_->start());
    client_.emplace(*service_);
  }
  void run(const char* recurring) {
    Call call = fakes::test_call();
    ASSERT_TRUE(host_.fake_scheduler.recurring.at(recurring)(call));
    ASSERT_TRUE(host_.fake_scheduler.run_waiting());
  }
  TestClient::Answer begin(const TestClient::Answer& order) {
    const auto authorization = client_->post_url(*order.body.find("authorizations")->array()->front().text());
    return client_->post_url(authorization.body.find("challenges")->array()->front().text_at("url"),
                             json::Value(json::Object{}));
  }
  TestClient::Answer ready() {
    host_.fake_outbound.answer = [this](const OutboundRequest& request) -> Result<OutboundAnswer> {
      return OutboundAnswer{
          200, request.target.substr(request.target.rfind('/') + 1) + "." + client_->thumbprint, "192.0.2.7"};
    };
    const auto order = client_->order({"a.test"});
    begin(order);
    EXPECT_TRUE(host_.fake_scheduler.run_waiting());
    return client_->post_url(order.header("Location"));
  }

  fakes::FakeHost host_;
  std::optional<Service> service_;
  std::optional<TestClient> client_;
};

TEST_F(AcmePeers, MayWriteNullForEachOptionalMemberOfAnAccount) {
  open();
  const auto made = client_->post(
      "/new-account", *json::parse(R"({"termsOfServiceAgreed":true,"contact":null,"onlyReturnExisting":null,)"
                                   R"("externalAccountBinding":null,"status":null,"orders":null})"));
  ASSERT_EQ(made.response.status, 201) << made.response.body;
  client_->kid = made.header("Location");
  EXPECT_EQ(made.body.find("externalAccountBinding"), nullptr);
  const auto changed = client_->post_url(
      client_->kid, *json::parse(R"({"contact":["mailto:joe@example.test"],"status":null})"));
  EXPECT_EQ(changed.response.status, 200) << changed.response.body;
  const auto same = client_->post_url(client_->kid, *json::parse(R"({"contact":null})"));
  EXPECT_EQ(same.body.find("contact")->array()->size(), 1u) << "left as it is";
}

TEST_F(AcmePeers, NeedABindingWhereOneIsRequiredAndNullIsNone) {
  Options options = test_options();
  options.external_account_required = true;
  open(std::move(options));
  const auto made = client_->post("/new-account", *json::parse(R"({"externalAccountBinding":null})"));
  EXPECT_EQ(made.type(), "externalAccountRequired") << made.response.body;
}

// What Go, .NET and their like write for what nobody has set.
TEST_F(AcmePeers, MayFillInNothingForEachOptionalMemberOfAnOrder) {
  Options options = test_options();
  options.star_min_lifetime = hours{1};
  open(std::move(options));
  client_->enrol();
  const char* const members[] = {
      R"("notBefore":"0001-01-01T00:00:00Z","notAfter":"0001-01-01T00:00:00Z")",
      R"("notBefore":"0001-01-01T00:00:00","notAfter":"0001-01-01T00:00:00.0000000+00:00")",
      R"("notBefore":"","notAfter":"")",
      R"("notBefore":null,"notAfter":null)",
      R"("profile":null,"replaces":null,"auto-renewal":null)",
      R"("profile":"","replaces":"")",
  };
  for (const char* member : members) {
    const auto order = client_->post(
        "/new-order",
        *json::parse(R"({"identifiers":[{"type":"dns","value":"a.test","ancestorDomain":null}],)" +
                     std::string(member) + "}"));
    EXPECT_EQ(order.response.status, 201) << member << order.response.body;
    for (const char* name : {"notBefore", "notAfter", "profile", "replaces", "auto-renewal"})
      EXPECT_EQ(order.body.find(name), nullptr) << member;
  }
  for (const char* member : {R"("notBefore":"0001-01-02T00:00:00Z")", R"("notBefore":false)",
                             R"("profile":7)", R"("replaces":[])", R"("notAfter":"tomorrow")"})
    EXPECT_EQ(client_
                  ->post("/new-order", *json::parse(R"({"identifiers":[{"type":"dns","value":"a.test"}],)" +
                                                    std::string(member) + "}"))
                  .response.status,
              400)
        << member;
}

// --- words that clients look for ---

// acme.sh 3.1.4 looks for these, and for no type but alreadyReplaced and malformed.
TEST_F(AcmePeers, FindTheWordsTheyLookForWhereACertificateIsNotReplaced) {
  open();
  client_->enrol();
  const auto order = ready();
  const auto issued = client_->post_url(order.body.text_at("finalize"), TestClient::csr_for({"a.test"}));
  ASSERT_EQ(issued.status(), "valid") << issued.response.body;
  const std::string url = issued.header("Location");
  const Order stored = *read_order(*host_.collection("order").get(url.substr(url.rfind('/') + 1)));
  const std::string name = "AAAA." + base64::encode_url(stored.certificate->serial.octets());
  const auto replacing = [&](TestClient& client, const std::string& domain, json::Value replaces) {
    return client.post("/new-order",
                       json::Value(json::Object{
                           {"identifiers", json::Array{json::Object{{"type", "dns"}, {"value", domain}}}},
                           {"replaces", std::move(replaces)}}));
  };
  TestClient other(*service_);
  other.enrol();
  const TestClient::Answer refusals[] = {
      replacing(other, "a.test", name), replacing(*client_, "b.test", name),
      replacing(*client_, "a.test", "AAAA.AQ"), replacing(*client_, "a.test", "nonsense"),
      replacing(*client_, "a.test", 7)};
  for (const auto& refused : refusals) {
    EXPECT_GE(refused.response.status, 400);
    EXPECT_TRUE(refused.body.text_at("detail").starts_with("ARI: 'replaces': ")) << refused.response.body;
  }
  EXPECT_EQ(replacing(*client_, "a.test", name).response.status, 201);
  const auto again = replacing(*client_, "a.test", name);
  EXPECT_EQ(again.response.status, 409);
  EXPECT_EQ(again.type(), "alreadyReplaced");
}

TEST_F(AcmePeers, FindTheWordsTheyLookForInABadNonce) {
  open();
  const auto refused = client_->ask(
      Method::post, "/new-account",
      fakes::make_jws(**crypto::SoftKey::generate({}),
                      json::Object{{"alg", "ES256"},
                                   {"nonce", "AAAA"},
                                   {"url", client_->base + "/new-account"},
                                   {"jwk", *jose::jwk_of((*crypto::SoftKey::generate({}))->spki())}},
                      json::Value(json::Object{})));
  EXPECT_EQ(refused.type(), "badNonce");
  EXPECT_TRUE(refused.body.text_at("detail").starts_with("JWS has an invalid anti-replay nonce"));
}

// --- browsers ---

TEST_F(AcmePeers, InBrowsersMayReadEveryResource) {
  open();
  client_->enrol();
  for (const char* tail :
       {"/directory", "/new-nonce", "/new-account", "/new-order", "/order/x", "/nothing"}) {
    const auto asked = client_->ask(Method::options, tail, "");
    EXPECT_EQ(asked.response.status, 204) << tail;
    EXPECT_EQ(asked.header("Access-Control-Allow-Methods"), "GET, HEAD, POST") << tail;
    EXPECT_EQ(asked.header("Access-Control-Allow-Headers"), "Content-Type") << tail;
    for (const auto& answer : {asked, client_->post(tail)}) {
      EXPECT_EQ(answer.header("Access-Control-Allow-Origin"), "*") << tail;
      EXPECT_EQ(answer.header("Access-Control-Expose-Headers"), "Link, Location, Replay-Nonce, Retry-After");
    }
  }
  struct Reply final : FastReply {
    void send(std::string_view head, ByteView) override { sent = head; }
    void send_file(std::string_view, FileRange) override {}
    std::string sent;
  };
  for (const std::string_view tail : {"/directory", "/new-nonce"}) {
    Reply reply;
    Request request;
    request.tail = tail;
    ASSERT_TRUE(service_->answer_fast(request, reply));
    EXPECT_NE(reply.sent.find("Access-Control-Allow-Origin: *\r\n"), std::string::npos) << reply.sent;
  }
}

// --- what comes in between ---

TEST_F(AcmePeers, AreToldOfTheOrderWhenTheyFinalizeItTwiceAtOnce) {
  open();
  client_->enrol();
  const auto order = ready();
  const json::Value csr = TestClient::csr_for({"a.test"});
  host_.fake_pipeline.before_issuing = [](const IssueRequest&) -> Status {
    return conflict("acme.orders \"x\" has changed meanwhile");
  };
  const auto neither = client_->post_url(order.body.text_at("finalize"), csr);
  EXPECT_EQ(neither.response.status, 503);
  EXPECT_EQ(neither.header("Retry-After"), "1");
  EXPECT_EQ(neither.response.body.find("acme.orders"), std::string::npos) << neither.response.body;
  // Another thread or node claims the order just before.
  const auto beaten_by = [&](const json::Value& faster) {
    host_.fake_pipeline.before_issuing = [&, faster](const IssueRequest&) -> Status {
      const std::string url = order.header("Location");
      Order claimed = *read_order(*host_.collection("order").get(url.substr(url.rfind('/') + 1)));
      claimed.status = "processing";
      claimed.csr = *base64::decode_url(faster.text_at("csr"));
      Call call = fakes::test_call();
      RecordWrite write = record_of(claimed);
      write.expected = claimed.version;
      EXPECT_TRUE(host_.commit({host_.collection("order").bind(std::move(write))}, call));
      return conflict("acme.orders \"x\" has changed meanwhile");
    };
  };
  beaten_by(csr);
  const auto same = client_->post_url(order.body.text_at("finalize"), csr);
  EXPECT_EQ(same.response.status, 200) << same.response.body;
  EXPECT_EQ(same.status(), "processing");
}

// A secondary, or a cache, that has the record of the last validation still (RFC 8555 8.2).
TEST_F(AcmePeers, MayHaveNameServersThatLagBehind) {
  Options options = test_options();
  options.challenges = {"dns-01"};
  open(std::move(options));
  client_->enrol();
  std::string token;
  int asked = 0;
  host_.fake_outbound.look_up = [&](const std::string&, DnsType) -> Result<std::vector<Bytes>> {
    const std::string value = base64::encode_url(crypto::sha256(as_bytes(token + "." + client_->thumbprint)));
    Bytes record{static_cast<std::uint8_t>(value.size())};
    const std::string old(value.size(), 'x');
    const std::string& text = ++asked < 3 ? old : value;
    record.insert(record.end(), text.begin(), text.end());
    return std::vector<Bytes>{record};
  };
  const auto order = client_->order({"a.test"});
  const auto challenge = begin(order);
  token = challenge.body.text_at("token");
  ASSERT_TRUE(host_.fake_scheduler.run_waiting());
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(client_->post_url(order.header("Location")).status(), "pending");
    host_.manual_clock.advance(std::chrono::minutes{1});
    run("validate");
  }
  EXPECT_EQ(client_->post_url(order.header("Location")).status(), "ready");
}

TEST(Verdicts, EndTheWaitOfTheirOwnAuthorization) {
  Verdicts verdicts(1);
  Verdicts::Place place(verdicts, "a");
  verdicts.tell("b");
  std::thread teller([&] { verdicts.tell("a"); });
  place.wait(hours{1});
  teller.join();
  Verdicts::Place none(verdicts, "c");
  none.wait(hours{1});  // there is no place for a second: at once
}

}  // namespace
}  // namespace hanaper::acme
