// What a node takes over while it runs: all of it, or nothing.
#include "authorities_support.hpp"
#include "socket_support.hpp"

#include <atomic>
#include <thread>

namespace hanaper::test {
namespace {

std::string policy(int number, const std::string& more = "") {
  return "[policy.unruly]\nnumber = " + std::to_string(number) + "\n" + more;
}
const std::string with_policy = "policy = [\"unruly\"]";

class Reload : public NodeFixture {
 protected:
  void serve_policy(const std::string& policy) { serve(configuration(with_policy, policy)); }
  Result<std::vector<std::string>> reload(const std::string& more,
                                          const std::string& pipeline = with_policy) {
    return node_->reload(model(configuration(pipeline, more)));
  }
  std::vector<std::string> checks() {
    std::vector<std::string> names;
    for (const auto& outcome : node_->shared().readiness.report()) names.push_back(outcome.name);
    std::ranges::sort(names);
    return names;
  }
};

using Lines = std::vector<std::string>;

TEST_F(Reload, TakesAnotherStageAndStopsTheOldOne) {
  serve_policy(policy(2));
  const auto before = checks();
  const auto outcome = reload(policy(4));
  ASSERT_TRUE(outcome) << outcome.error().detail;
  EXPECT_EQ(*outcome, Lines{"policy.unruly: applied"});
  EXPECT_EQ(checks(), before) << "one check, the new one's";
  EXPECT_TRUE(comes([&] { return count(log(), "done once") == 2; }));
  const std::string lines = log();
  EXPECT_EQ(count(lines, "stopped"), 1u);
  EXPECT_EQ(count(lines, "destroyed"), 1u);
  EXPECT_LT(lines.find("started number=4"), lines.find("stopped number=2")) << lines;
  EXPECT_TRUE(issue());
}

TEST_F(Reload, SaysThatNothingHasChangedOnlyWhereThatIsTrue) {
  scratch_.file("state/content", "one");
  scratch_.file("state/hidden", "one");
  const std::string stage = policy(2, "file = \"content\"\nsecret = { file = \"hidden\" }\n");
  serve_policy(stage);
  EXPECT_EQ(*reload(stage), Lines{});
  scratch_.file("state/content", "two");
  EXPECT_EQ(*reload(stage), Lines{"policy.unruly: applied"});
  scratch_.file("state/hidden", "two");
  EXPECT_EQ(*reload(stage), Lines{"policy.unruly: applied"});
  EXPECT_EQ(*reload(stage), Lines{});
}

// What others may write is not what it was, though nobody has written yet: the next start would refuse it.
struct Opened {
  const char* name;
  const char* path;
  std::filesystem::perms mode;
  const char* says;  // of the refusal
};
std::ostream& operator<<(std::ostream& out, const Opened& row) { return out << row.name; }

class OpenedFile : public Reload, public ::testing::WithParamInterface<Opened> {};

TEST_P(OpenedFile, IsRefusedAndEverythingServes) {
  scratch_.file("state/accounts/people",
                "bot:sha256:989203ad85e03b374e0e199778901e347feb4bed3b076fc2ebe168c4288ff9b7\n");
  scratch_.file("state/blocked", std::string(64, 'a') + "\n");
  const std::string pipeline = with_policy + "\nauthenticate = [\"accounts\"]";
  const auto text = [&] {
    std::string all =
        configuration(pipeline, policy(2) + "[authenticator.accounts]\nfile = \"accounts/people\"\n");
    return all.insert(all.find("io_threads"), "blocked_keys = \"blocked\"\n");
  }();
  serve(text);
  EXPECT_EQ(*node_->reload(model(text)), Lines{});
  std::filesystem::permissions(scratch_ / GetParam().path, GetParam().mode);
  const auto outcome = node_->reload(model(text));
  ASSERT_FALSE(outcome);
  EXPECT_NE(outcome.error().detail.find(GetParam().says), std::string::npos) << outcome.error().detail;
  EXPECT_TRUE(issue());
  std::filesystem::permissions(scratch_ / GetParam().path, std::filesystem::perms::owner_all);
  EXPECT_EQ(*node_->reload(model(text)), Lines{});
}

using Perms = std::filesystem::perms;
const Opened opened_files[] = {
    {"WhichEverybodyMayWrite", "state/accounts/people", Perms(0666), "people: others may write it"},
    {"WhichAGroupMayWrite", "state/accounts/people", Perms(0660), "people: others may write it"},
    {"InAFolderThatEverybodyMayWrite", "state/accounts", Perms(0777), "accounts: others may write it"},
    {"OfBlockedKeys", "state/blocked", Perms(0666), "blocked: others may write it"},
};
INSTANTIATE_TEST_SUITE_P(Cases, OpenedFile, ::testing::ValuesIn(opened_files),
                         [](const auto& row) { return row.param.name; });

TEST_F(Reload, RefusesACertificateFileThatOthersMayWrite) {
  const std::string text = configuration(with_policy, policy(2) + R"([listener.web]
bind = "127.0.0.1:)" + std::to_string(sockets::free_port()) +
                                                          R"("
health = true
certificate = { file = "web.pem", key = "web.key" }
)");
  const auto key = *crypto::SoftKey::generate({KeyType::ec_p256, 0});
  scratch_.file("state/web.key", key->to_pem()->reveal());
  scratch_.file("state/web.pem", pem::encode("CERTIFICATE", Outside::certify({.spki = to_bytes(key->spki()),
                                                                              .subject = "web",
                                                                              .issuer = "web",
                                                                              .signer = key.get()})));
  serve(text);
  EXPECT_EQ(*node_->reload(model(text)), Lines{});
  for (const char* file : {"state/web.pem", "state/web.key"}) {
    std::filesystem::permissions(scratch_ / file, Perms(0666));
    const auto outcome = node_->reload(model(text));
    ASSERT_FALSE(outcome) << file;
    EXPECT_NE(outcome.error().detail.find("others may write it"), std::string::npos)
        << outcome.error().detail;
    std::filesystem::permissions(scratch_ / file, Perms(0600));
  }
}

struct Refused {
  const char* name;
  std::string policy, validator;
  const char* says;
  std::string unruly = {};
};
std::ostream& operator<<(std::ostream& out, const Refused& row) { return out << row.name; }

class RefusedReload : public Reload, public ::testing::WithParamInterface<Refused> {};

TEST_P(RefusedReload, LeavesEverythingServing) {
  const std::string both = "policy = [\"unruly\"]\nvalidate = [\"unruly\"]";
  const std::string good = policy(2) + "[validator.unruly]\nnumber = 2\n";
  serve(configuration(both, good));
  const auto before = checks();
  tell(GetParam().unruly);
  const auto outcome = reload(GetParam().policy + "[validator.unruly]\n" + GetParam().validator, both);
  tell("");
  ASSERT_FALSE(outcome);
  EXPECT_NE(outcome.error().detail.find(GetParam().says), std::string::npos) << outcome.error().detail;
  EXPECT_EQ(checks(), before);
  EXPECT_TRUE(comes([&] { return node_->shared().readiness.status(Purpose::node).has_value(); }));
  const std::string lines = log();
  EXPECT_EQ(lines.find("stopped number=2"), std::string::npos) << lines;
  EXPECT_EQ(count(lines, "done once"), 2u) << "what a stage that was only tried had to do is not done\n"
                                           << lines;
  EXPECT_TRUE(issue());
  EXPECT_EQ(*reload(good, both), Lines{}) << "as if nothing had been asked";
}

const Refused refusals[] = {
    {"WhereAStageIsMisconfigured", policy(4), "configure = \"fail\"\n", "fails as it was told"},
    {"WhereAStageDoesNotStart", policy(4), "start = \"fail\"\n", "fails as it was told"},
    {"WhereTheFirstStageDoesNotStart", policy(4, "start = \"fail\"\n"), "number = 4\n",
     "fails as it was told"},
    {"WhereAStageThrowsAsItIsConfigured", policy(4), "number = 2\n", "policy.unruly has failed",
     "configure=std"},
    {"WhereAStageThrowsAsItStarts", policy(4), "number = 2\n", "policy.unruly has failed", "start=int"},
    {"WhereAStageThrowsInTheSelfTest", policy(2), "number = 4\n", "validator.unruly has failed",
     "validate=std"},
};
INSTANTIATE_TEST_SUITE_P(Cases, RefusedReload, ::testing::ValuesIn(refusals),
                         [](const auto& row) { return row.param.name; });

TEST_F(Reload, StopsAStageWhoseStartHasFailed) {
  serve_policy(policy(2));
  ASSERT_FALSE(reload(policy(4, "start = \"fail\"\n")));
  const std::string lines = log();
  EXPECT_NE(lines.find("stopped number=4"), std::string::npos) << lines;
  EXPECT_NE(lines.find("destroyed number=4"), std::string::npos) << lines;
}

TEST_F(Reload, SaysWhatWaitsForTheNextStart) {
  serve_policy(policy(2));
  const struct {
    std::string more, pipeline;
    Lines lines;
  } rows[] = {
      {policy(2) + "[listener.plain]\nbind = \"127.0.0.1:1\"\nhealth = true\n",
       with_policy,
       {"listener.plain: takes effect at the next start"}},
      {policy(2) + "[pipeline.other]\nauthority = \"issuing\"\nprofiles = [\"web\"]\n",
       with_policy,
       {"pipeline.other: takes effect at the next start"}},
      {policy(2),
       with_policy +
           "\n[authority.other]\nkey = \"soft:other\"\nsubject = \"CN=Other\"\n"
           "[profile.more]\nlifetime = \"1d\"\n[pipeline.more]\nauthority = \"other\"\nprofiles = [\"more\"]",
       {"authority.other: takes effect at the next start", "pipeline.more: takes effect at the next start",
        "profile.more: applied"}},
      {policy(2) +
           "[authenticator.mtls]\nauthorities = [\"other\"]\n[authority.other]\nkey = \"soft:other\"\n"
           "subject = \"CN=Other\"\n[pipeline.more]\nauthority = \"other\"\nprofiles = [\"web\"]\n",
       with_policy + "\nauthenticate = [\"mtls\"]",
       {"authenticator.mtls: takes effect at the next start, with authority.other",
        "authority.other: takes effect at the next start", "pipeline.more: takes effect at the next start",
        "pipeline.web: takes effect at the next start, with authenticator.mtls"}},
  };
  for (const auto& row : rows) {
    const auto outcome = reload(row.more, row.pipeline);
    ASSERT_TRUE(outcome) << outcome.error().detail;
    EXPECT_EQ(*outcome, row.lines);
    EXPECT_TRUE(issue());
    ASSERT_TRUE(reload(policy(2)));
  }
}

TEST_F(Reload, NamesAPluginFileThatIsAnotherOneNow) {
  serve_policy(policy(2));
  const std::string file = scratch_ / "plugins/policy-unruly.so";
  const std::string content = text_of(file);
  std::filesystem::remove(file);
  scratch_.file("plugins/policy-unruly.so", content, 0755);
  EXPECT_EQ(*reload(policy(2)), Lines{}) << "the same octets";
  std::filesystem::remove(file);
  scratch_.file("plugins/policy-unruly.so", content + "x", 0755);
  EXPECT_EQ(*reload(policy(2)),
            Lines{"policy-unruly.so: is another file now; takes effect at the next start"});
}

TEST_F(Reload, WaitsForThoseWhoWorkWithTheOldStage) {
  serve_policy(policy(2));
  tell("decide=block");
  std::atomic<bool> issued{false};
  std::thread client([&] { issued = issue().has_value(); });
  ASSERT_TRUE(comes([] { return !services::Gates::visits(std::chrono::milliseconds{0}).empty(); }));
  std::thread release([&] {
    // Once the new one is in its place the old one is waited for.
    EXPECT_TRUE(comes([&] { return count(log(), "started number=4") == 1; }));
    tell("");
  });
  const auto outcome = reload(policy(4));
  release.join();
  client.join();
  EXPECT_TRUE(outcome) << outcome.error().detail;
  EXPECT_TRUE(issued);
  EXPECT_EQ(count(log(), "destroyed number=2"), 1u);
}

// Of protocols and key providers there is one, which takes other settings while it serves.
class Adjusting : public Reload {
 protected:
  std::string protocol(int number, const std::string& more = "") {
    return "[listener.plain]\nbind = \"127.0.0.1:" + std::to_string(port_) +
           "\"\n[protocol.unruly]\nlistener = \"plain\"\npath = \"/unruly\"\nnumber = " +
           std::to_string(number) + "\n" + more;
  }
  const int port_ = sockets::free_port();
};

TEST_F(Adjusting, IsTheSameInstanceWithOtherSettings) {
  serve(configuration("", protocol(2)));
  EXPECT_EQ(*reload(protocol(4), ""), Lines{"protocol.unruly: applied"});
  std::string lines = log();
  EXPECT_EQ(count(lines, "change committed number=4"), 1u) << lines;
  EXPECT_EQ(count(lines, "stopped"), 0u) << lines;
  EXPECT_EQ(*reload(protocol(4), ""), Lines{});
  EXPECT_EQ(count(log(), "change"), 2u) << "committed once, and its memory given back";
}

TEST_F(Adjusting, SeesTheContentOfItsSecretsAndFiles) {
  scratch_.file("state/content", "one");
  scratch_.file("state/hidden", "one");
  const std::string text = protocol(2, "file = \"content\"\nsecret = { file = \"hidden\" }\n");
  serve(configuration("", text));
  for (const char* name : {"state/content", "state/hidden"}) {
    scratch_.file(name, "two");
    EXPECT_EQ(*reload(text, ""), Lines{"protocol.unruly: applied"}) << name;
  }
  EXPECT_EQ(*reload(text, ""), Lines{});
}

TEST_F(Adjusting, IsNotDoneWhereItIsRefused) {
  serve(configuration("", protocol(2)));
  const auto refused = reload(protocol(4, "configure = \"fail\"\n"), "");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().detail.find("protocol.unruly.configure: fails as it was told"), std::string::npos)
      << refused.error().detail;
  for (const char* how : {"prepare=std", "prepare=int"}) {
    tell(how);
    EXPECT_FALSE(reload(protocol(4), "")) << how;
  }
  tell("");
  EXPECT_EQ(count(log(), "change"), 0u) << log();
  EXPECT_EQ(*reload(protocol(2), ""), Lines{}) << "as if nothing had been asked";
}

TEST_F(Adjusting, WaitsForTheNextStartWhereThePluginSaysSo) {
  serve(configuration("", protocol(2)));
  EXPECT_EQ(*reload(protocol(4, "start = \"fail\"\n"), ""),
            Lines{"protocol.unruly: takes effect at the next start, with another start"});
  EXPECT_EQ(count(log(), "change"), 0u) << log();
}

TEST_F(Adjusting, IsUndoneWhereSomethingElseIsRefused) {
  const std::string with_validator = "validate = [\"unruly\"]";
  const auto validator = [](int number) {
    return "[validator.unruly]\nnumber = " + std::to_string(number) + "\n";
  };
  serve(configuration(with_validator, validator(2) + protocol(2)));
  // The pipeline fails its self-test, behind the protocol's turn.
  tell("validate=std");
  EXPECT_FALSE(reload(validator(4) + protocol(4), with_validator));
  tell("");
  const std::string lines = log();
  EXPECT_EQ(count(lines, "change committed"), 0u) << lines;
  EXPECT_EQ(count(lines, "change dropped number=4"), 1u) << lines;
}

TEST_F(Adjusting, TakesAnotherPinOfTheSoftTokenOnceItOpensTheKeys) {
  serve(configuration("", ""));
  const std::string file = scratch_ / "state/keys/issuing.pem";
  const auto key = crypto::SoftKey::from_pem(Secret(text_of(file)), Secret("a pin of some length"));
  ASSERT_TRUE(key) << key.error().detail;
  scratch_.file("state/pin", "another pin of some length");
  const auto wrong = reload("", "");
  ASSERT_FALSE(wrong) << "the key is still encrypted with the old one";
  EXPECT_NE(wrong.error().detail.find("keys.soft.pin: "), std::string::npos) << wrong.error().detail;
  scratch_.file("state/keys/issuing.pem", *(*key)->to_encrypted_pem(Secret("another pin of some length")));
  EXPECT_EQ(*reload("", ""), Lines{"keys.soft: applied"});
  auto* keys = find_instance(node_->instances(), "keys", "soft")->as<Keys>();
  const auto fresh = keys->create("fresh", {KeyType::ec_p256, 0});
  ASSERT_TRUE(fresh) << fresh.error().detail;
  EXPECT_TRUE(crypto::SoftKey::from_pem(Secret(text_of(scratch_ / "state/keys/fresh.pem")),
                                        Secret("another pin of some length")));
  EXPECT_TRUE(issue());
}

// Good ones and refused ones by turns, with clients at work.
TEST_F(Reload, UnderLoadFailsNoRequestAndLeavesNothingBehind) {
  serve_policy(policy(2));
  const int rounds = std::getenv("HANAPER_LONG") ? 200 : 20;
  std::atomic<bool> done{false};
  std::atomic<int> failed{0}, issued{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i)
    clients.emplace_back([&] {
      services::thread_is(services::ThreadKind::worker);
      while (!done) ++(issue() ? issued : failed);
    });
  const auto before = checks();
  for (int i = 0; i < rounds; ++i) {
    EXPECT_TRUE(reload(policy(4 + 2 * (i % 2))));
    EXPECT_FALSE(reload(policy(8, "start = \"fail\"\n")));
  }
  done = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(failed, 0);
  EXPECT_GT(issued, 0);
  EXPECT_EQ(checks(), before);
  EXPECT_EQ(count(log(), "destroyed"), static_cast<std::size_t>(2 * rounds));
}

}  // namespace
}  // namespace hanaper::test
