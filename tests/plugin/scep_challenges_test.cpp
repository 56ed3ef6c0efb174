// SCEP: challenges, whoever knows them.
#include "scep_support.hpp"

namespace hanaper::scep::test {
namespace {

TEST(ScepChallenges, AreForTheAttributesOfASubjectInWhateverOrder) {
  const auto key = *crypto::SoftKey::generate({KeyType::ec_p256, 0});
  const Challenge challenge{.profile = "", .subject = *x509::parse_name_text("CN=router-7,OU=Lab,O=Example")};
  const struct {
    const char* subject;
    bool good;
  } table[] = {
      {"CN=router-7,OU=Lab,O=Example", true},
      {"O=Example,OU=Lab,CN=router-7", true},
      {"OU=Lab+CN=router-7,O=Example", true},
      {"CN=router-7,OU=Lab", false},
      {"CN=router-7,OU=Lab,O=Other", false},
      {"CN=router-7,OU=Example,O=Lab", false},
      {"CN=router-7,CN=router-8,OU=Lab,O=Example", false},
  };
  for (const auto& row : table) {
    const Bytes der = *x509::build_csr(*key, {*x509::parse_name_text(row.subject), {}, {}, {}});
    const auto csr = x509::parse_csr(der);
    ASSERT_TRUE(csr.has_value());
    EXPECT_EQ(challenge.check(*csr).has_value(), row.good) << row.subject;
  }
}

TEST_F(Scep, ChallengesAreGoodOnceForOneSubjectAndUntilTheyExpire) {
  open();
  Call call = fakes::test_call();
  const auto make = [&](x509::Name subject, std::vector<Identifier> names = {}) {
    return service_->make_challenge({.profile = "", .subject = std::move(subject), .names = std::move(names)},
                                    std::chrono::hours{1}, call);
  };
  const auto asked = [](std::string_view password, std::string name, std::string transaction) {
    Asked one;
    one.content = csr_for(*client_key(), std::string(password), std::move(name));
    one.transaction = std::move(transaction);
    return one;
  };
  auto made = make({});
  ASSERT_TRUE(made);
  EXPECT_EQ(ask(asked(made->text.reveal(), "router-7", "a")).status, "0");
  EXPECT_EQ(ask(asked(made->text.reveal(), "router-7", "b")).fail, "2") << "used";
  const Identifier name{Identifier::Kind::dns, "router-8.example.test"};
  made = make({{"2.5.4.3", "router-8"}}, {name});
  EXPECT_EQ(ask(asked(made->text.reveal(), "router-9", "c")).fail, "2") << "for another";
  EXPECT_EQ(ask(asked(made->text.reveal(), "router-8", "d")).status, "0");
  made = make({{"2.5.4.3", "router-8"}});
  EXPECT_EQ(ask(asked(made->text.reveal(), "router-8", "n")).text,
            "the challengePassword is for other names");
  EXPECT_FALSE(make({}, {name})) << "names without a subject";
  made = make({});
  host_.manual_clock.advance(std::chrono::hours{1} + std::chrono::milliseconds{1});
  EXPECT_EQ(ask(asked(made->text.reveal(), "router-7", "e")).fail, "2") << "expired";
  EXPECT_FALSE(service_->make_challenge({.profile = "other", .subject = {}}, std::chrono::hours{1}, call));
}

// What is looked up, and how often.
class WatchedCollection final : public Collection {
 public:
  explicit WatchedCollection(Collection& records) : records_(records) {}
  Result<Record> get(std::string_view key) override {
    asked.emplace_back(key);
    return records_.get(key);
  }
  Result<std::vector<Record>> find(std::string_view field, std::string_view value, std::string_view after,
                                   std::uint32_t limit) override {
    ADD_FAILURE() << "a search takes as long as there is to find";
    return records_.find(field, value, after, limit);
  }
  RecordWrite bind(RecordWrite write) const override { return records_.bind(std::move(write)); }
  std::vector<std::string> asked;

 private:
  Collection& records_;
};

TEST_F(Scep, ChallengesAreComparedByTheirDigests) {
  WatchedCollection watched(host_.collection("challenges"));
  const Challenges challenges(watched, host_.clock());
  const Challenges::Made made = challenges.make({.profile = "", .subject = {}}, std::chrono::hours{1});
  Call call = fakes::test_call();
  ASSERT_TRUE(host_.commit({made.write}, call));
  const std::string known(made.text.reveal());
  const struct {
    const char* name;
    std::string shown;
    bool found;
  } rows[] = {{"known", known, true},
              {"its first octet differs", "x" + known.substr(1), false},
              {"its last octet differs", known.substr(0, known.size() - 1) + "?", false},
              {"its beginning", known.substr(0, 3), false},
              {"more than it", known + known, false},
              {"nothing like it", "wrong", false},
              {"nothing", "", false}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    watched.asked.clear();
    EXPECT_EQ(static_cast<bool>(challenges.find(row.shown)), row.found);
    EXPECT_EQ(watched.asked, std::vector{to_hex(crypto::sha256(as_bytes(row.shown)))});
    EXPECT_EQ(Challenges::same(row.shown, known), row.found);
  }
}

TEST_F(Scep, WebhooksAreAskedAboutChallengesThatNobodyKnows) {
  std::vector<std::string> bodies;
  std::string authorization;
  OutboundAnswer said{200, R"({"allow":true})", ""};
  host_.fake_outbound.answer_send = [&](const OutboundMessage& message) -> Result<OutboundAnswer> {
    bodies.push_back(message.body);
    authorization = message.authorization ? message.authorization->reveal() : "";
    EXPECT_EQ(message.url, "https://inventory.example.test/scep");
    EXPECT_EQ(message.content_type, "application/json");
    return said;
  };
  Options options;
  options.webhook = Webhook::Place{"https://inventory.example.test/scep", Secret("Bearer t0ken"), ""};
  open(std::move(options));
  const auto asked = [](const char* transaction, const char* challenge = "from the inventory") {
    Asked one;
    one.content = csr_for(*client_key(), challenge);
    one.transaction = transaction;
    return one;
  };
  EXPECT_EQ(ask(asked("known", "correct horse")).status, "0");
  EXPECT_TRUE(bodies.empty()) << "the challenge is known here";
  const Answered first = ask(asked("w"));
  EXPECT_EQ(first.status, "0");
  ASSERT_EQ(bodies.size(), 1U);
  EXPECT_EQ(authorization, "Bearer t0ken");
  const auto told = json::parse(bodies.front());
  ASSERT_TRUE(told);
  EXPECT_EQ(told->text_at("transaction"), "w");
  EXPECT_EQ(told->text_at("challenge"), "from the inventory");
  EXPECT_EQ(told->text_at("subject"), "CN=router-7");
  EXPECT_EQ(told->text_at("key"), "rsa-2048");
  EXPECT_EQ(told->text_at("csr"), base64::encode(csr_for(*client_key(), "from the inventory")));
  EXPECT_EQ(told->find("names")->array()->at(0).text()->c_str(), std::string("router-7.example.test"));

  // Whoever asks again under the same name is remembered.
  said = {200, R"({"allow":false})", ""};
  EXPECT_EQ(ask(asked("w")).status, "0");
  EXPECT_EQ(bodies.size(), 1U);

  const OutboundAnswer refusals[] = {{200, R"({"allow":false,"reason":"not ours"})", ""},
                                     {200, R"({"allow":"true"})", ""},
                                     {200, R"({"allow":1})", ""},
                                     {200, R"({"allow":null})", ""},
                                     {200, R"({"Allow":true})", ""},
                                     {200, R"({"allow":true)", ""},
                                     {200, R"([true])", ""},
                                     {200, "true", ""},
                                     {200, "", ""},
                                     {201, R"({"allow":true})", ""},
                                     {204, "", ""},
                                     {302, R"({"allow":true})", ""},
                                     {403, R"({"allow":true})", ""}};
  std::size_t number = 0;
  for (const OutboundAnswer& refusal : refusals) {
    said = refusal;
    const std::string name = "no " + std::to_string(number++);
    expect({{"2.4", refusal.body, asked(name.c_str()), "2"}});
  }
  EXPECT_NE(host_.audited.lines().front().find("refused: not ours"), std::string::npos);
  // Nobody answers: the client comes again.
  said = {502, R"({"allow":true})", ""};
  EXPECT_EQ(ask(asked("later")).http, 503);
  host_.fake_outbound.answer_send = {};
  EXPECT_EQ(ask(asked("later")).http, 503);
}

}  // namespace
}  // namespace hanaper::scep::test
