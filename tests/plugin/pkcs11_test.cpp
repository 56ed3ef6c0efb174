// Tokens that fail in every way a test can bring about, through the shim in front of SoftHSM.
#include "pkcs11_support.hpp"

namespace hanaper {
namespace {

using test::message;
using test::Pkcs11Test;
using test::scheme;
using test::Wanted;

TEST_F(Pkcs11Test, SignsOnWhenSessionsAreClosedUnderIt) {
  keys_ = opened({});
  const auto key = make("root");
  ASSERT_TRUE(signs(*key));
  ASSERT_EQ(module_->C_CloseAllSessions(slot_of("a")), CKR_OK);
  EXPECT_TRUE(signs(*key));
  EXPECT_TRUE(keys_->health());
}

TEST_F(Pkcs11Test, SignsOnWhenTheModuleIsFinalisedUnderIt) {
  keys_ = opened({});
  const auto key = make("root");
  ASSERT_EQ(module_->C_Finalize(nullptr), CKR_OK);
  EXPECT_TRUE(signs(*key));
  EXPECT_TRUE(keys_->health());
}

TEST_F(Pkcs11Test, SignsFromManyThreadsWhileEveryFiftiethCallLosesTheDevice) {
  keys_ = opened({});
  const auto key = make("root");
  for (unsigned long code : {CKR_DEVICE_ERROR, CKR_SESSION_HANDLE_INVALID, CKR_USER_NOT_LOGGED_IN,
                             CKR_OBJECT_HANDLE_INVALID, CKR_GENERAL_ERROR}) {
    shim_->fail_with = code;
    shim_->fail_every = 50;
    std::atomic<int> bad{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 200; ++i) bad += !signs(*key);
      });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(bad, 0) << "code " << code;
  }
}

TEST_F(Pkcs11Test, GivesUpOnATokenThatLosesEveryCall) {
  keys_ = opened({});
  const auto key = make("root");
  shim_->fail_every = 1;
  const auto signature = key->sign(scheme, message);
  ASSERT_FALSE(signature);
  EXPECT_EQ(signature.error().code, Code::unavailable);
  EXPECT_EQ(why(signature), "token a loses every session");
  shim_->fail_every = 0;
  EXPECT_TRUE(signs(*key));
}

TEST_F(Pkcs11Test, ReportsATokenThatIsTakenOutAndUsesItAgainWhenItIsBack) {
  keys_ = opened({});
  const auto key = make("root");
  shim_->absent = slot_of("a");
  const auto signature = key->sign(scheme, message);
  ASSERT_FALSE(signature);
  EXPECT_EQ(signature.error().code, Code::unavailable);
  EXPECT_NE(why(signature).find("token a is not there"), std::string::npos) << why(signature);
  EXPECT_EQ(keys_->health().error().detail, why(signature));
  EXPECT_EQ(whole().error().detail, why(signature));
  shim_->absent = ~0UL;
  // Within a second nobody looks again; then the next signature does.
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{5};
  while (!signs(*key) && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_TRUE(signs(*key));
  EXPECT_TRUE(keys_->health());
}

TEST_F(Pkcs11Test, RestartsAModuleThatSeesItsTokensOnlyWhenItStarts) {
  keys_ = opened({});
  const auto key = make("root");
  const auto starts = shim_->starts.load();
  shim_->back_at_start = slot_of("a");
  EXPECT_TRUE(signs(*key));
  EXPECT_EQ(shim_->starts, starts + 1);
}

TEST_F(Pkcs11Test, LeavesATokenAloneThatHangs) {
  keys_ = opened({.timeout = std::chrono::milliseconds{100}});
  const auto key = make("root");
  shim_->hanging = slot_of("a");
  std::thread stuck([&] { static_cast<void>(key->sign(scheme, message)); });
  while (shim_->hung == 0) std::this_thread::yield();
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  while (keys_->health() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_EQ(keys_->health().error().detail, "token a has not answered for 0 s");
  const auto signature = key->sign(scheme, message);
  ASSERT_FALSE(signature);
  EXPECT_EQ(signature.error().code, Code::unavailable);
  EXPECT_EQ(shim_->hung, 1) << "nobody joins the one that hangs";
  shim_->hanging = ~0UL;
  stuck.join();
  EXPECT_TRUE(signs(*key));
  EXPECT_TRUE(keys_->health());
}

TEST_F(Pkcs11Test, NeverTriesAPinTwiceThatWasRefused) {
  const auto before = shim_->logins.load();
  keys_ = configured({.pin = "00000000"}, host_);
  Status started = keys_->start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().detail, "token a refuses the pin: CKR_PIN_INCORRECT");
  EXPECT_EQ(shim_->logins, before + 1);
  // Not by another start either, which a service manager would make every few seconds.
  keys_ = configured({.pin = "00000000"}, host_);
  started = keys_->start();
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().detail.find("has refused this pin before"), std::string::npos)
      << started.error().detail;
  EXPECT_EQ(shim_->logins, before + 1);
  const std::string file = host_.state_folder() + "/keys.hsm.1.refused-pin";
  EXPECT_EQ(files::read(file, 4096)->find("00000000"), std::string::npos);
  // The right one is another matter.
  keys_ = opened({});
  EXPECT_TRUE(keys_);
  EXPECT_EQ(shim_->logins, before + 2);
}

TEST_F(Pkcs11Test, TakesAnotherPinThatIsTriedOnceAtTheNextLogin) {
  keys_ = opened({});
  const auto key = make("root");
  const auto before = shim_->logins.load();
  EXPECT_TRUE(adjust({.pin = "00000000"}));
  EXPECT_TRUE(signs(*key)) << "the login that there is goes on";
  EXPECT_EQ(shim_->logins, before) << "and nothing has been tried";
  take_out_and_put_back(*key);
  EXPECT_EQ(shim_->logins, before + 1);
  EXPECT_FALSE(signs(*key));
  EXPECT_EQ(shim_->logins, before + 1) << "a refused one is not tried again";
  EXPECT_TRUE(adjust({.pin = "00000000"}));
  EXPECT_FALSE(signs(*key));
  EXPECT_EQ(shim_->logins, before + 1) << "not even when it is told once more";
  EXPECT_TRUE(adjust({}));
  EXPECT_TRUE(signs(*key));
  EXPECT_EQ(shim_->logins, before + 2);
  EXPECT_TRUE(keys_->health());
}

TEST_F(Pkcs11Test, LeavesOtherSettingsToTheNextStart) {
  keys_ = opened({});
  const auto before = shim_->logins.load();
  const std::pair<Wanted, const char*> cases[] = {
      {{.tokens = {"a", "b"}}, "with another tokens"},
      {{.timeout = std::chrono::milliseconds{500}}, "with another timeout"},
      {{.wrappable = false}, "with another wrappable"},
      {{.sessions = 7}, "with another sessions"},
  };
  for (const auto& [setup, says] : cases) {
    const Status refused = adjust(setup);
    ASSERT_FALSE(refused) << says;
    EXPECT_EQ(refused.error().code, Code::unsupported);
    EXPECT_EQ(refused.error().detail, says);
  }
  const Status empty = adjust({.pin = ""});
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().code, Code::malformed);
  EXPECT_EQ(shim_->logins, before);
}

TEST_F(Pkcs11Test, SaysWhichTokensThereAreWhenOneIsMissing) {
  keys_ = configured({.tokens = {"c"}}, host_);
  const Status started = keys_->start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, Code::unavailable);
  for (const char* part : {"token c is not there", "a (serial:", "b (serial:"})
    EXPECT_NE(started.error().detail.find(part), std::string::npos) << started.error().detail;
}

TEST_F(Pkcs11Test, FindsTokensBySerialAndSlotAndKeysById) {
  CK_TOKEN_INFO info;
  keys_ = opened({});
  const CK_SLOT_ID slot = slot_of("a");
  ASSERT_EQ(module_->C_GetTokenInfo(slot, &info), CKR_OK);
  std::string serial(reinterpret_cast<const char*>(info.serialNumber), sizeof info.serialNumber);
  serial.resize(serial.find_last_not_of(' ') + 1);
  const auto key = make("root");
  const auto by_id = keys_->find("id-" + to_hex(id_of("root", slot)));
  ASSERT_TRUE(by_id) << by_id.error().detail;
  EXPECT_TRUE(equal((*by_id)->spki(), key->spki()) && signs(**by_id));
  for (const std::string& name : {"serial:" + serial, "slot:" + std::to_string(slot)}) {
    const auto other = opened({.tokens = {name}});
    ASSERT_TRUE(other) << name;
    EXPECT_TRUE(other->find("root"));
  }
}

TEST_F(Pkcs11Test, GroupSignsOnWithTheTokensThatAreLeft) {
  keys_ = opened({.tokens = {"a", "b"}});
  const auto key = make("root");
  for (const char* gone : {"a", "b"}) {
    shim_->absent = slot_of(gone);
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(signs(*key));
    EXPECT_TRUE(keys_->health()) << "the other one serves on: " << keys_->health().error().detail;
    EXPECT_FALSE(whole()) << "somebody should know that " << gone << " is away";
    shim_->absent = ~0UL;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{5};
    do run("tokens");
    while (!whole() && std::chrono::steady_clock::now() < until);
    EXPECT_TRUE(whole()) << whole().error().detail;
  }
}

TEST_F(Pkcs11Test, GroupSpreadsSignaturesOverItsTokens) {
  keys_ = opened({.tokens = {"a", "b"}});
  const auto key = make("root");
  shim_->hanging = slot_of("b");
  std::atomic<int> done{0};
  std::thread stuck([&] {
    for (int i = 0; i < 2; ++i) done += signs(*key);
  });
  while (shim_->hung == 0) std::this_thread::yield();
  shim_->hanging = ~0UL;
  stuck.join();
  EXPECT_EQ(done, 2);
}

TEST_F(Pkcs11Test, GroupNeverUsesATokenWithAnotherKeyOfThatName) {
  Bytes expected;
  {
    const auto a = aside("a");
    const auto b = aside("b");
    expected = to_bytes((*a->create("root", {KeyType::ec_p256, 0}))->spki());
    ASSERT_TRUE(b->create("root", {KeyType::ec_p256, 0}));
  }
  keys_ = opened({.tokens = {"a", "b"}});
  const auto key = keys_->find("root");
  ASSERT_TRUE(key);
  EXPECT_TRUE(equal((*key)->spki(), expected)) << "the first token is the reference";
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(signs(**key));
  EXPECT_TRUE(keys_->health());
  EXPECT_EQ(whole().error().detail, "key \"root\" on token b is another key than on the rest of the group");
}

TEST_F(Pkcs11Test, GroupTakesATokenInOnceItHasTheKey) {
  {
    const auto a = aside("a");
    ASSERT_TRUE(a->create("root", {KeyType::rsa, 2048}));
  }
  keys_ = opened({.tokens = {"a", "b"}});
  const auto key = keys_->find("root");
  ASSERT_TRUE(key);
  EXPECT_EQ(whole().error().detail, "no key \"root\" on token b");
  auto* replication = static_cast<Replication*>(keys_->ability(Replication::ability_id));
  const auto done = replication->replicate("root");
  ASSERT_TRUE(done) << done.error().detail;
  EXPECT_EQ(*done, std::vector<std::string>{"b"});
  EXPECT_TRUE(whole());
  shim_->absent = slot_of("a");
  EXPECT_EQ(why((*key)->sign(SignatureScheme::rsa_pss_sha256, message)), "");
}

TEST_F(Pkcs11Test, RefusesToCopyWhatMayNotLeaveItsToken) {
  {
    const auto a = aside("a", false);
    ASSERT_TRUE(a->create("root", {KeyType::ec_p256, 0}));
  }
  keys_ = opened({.tokens = {"a", "b"}});
  auto* replication = static_cast<Replication*>(keys_->ability(Replication::ability_id));
  const auto refused = replication->replicate("root");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::forbidden);
  EXPECT_NE(refused.error().detail.find("made without wrappable = true"), std::string::npos)
      << refused.error().detail;
}

TEST_F(Pkcs11Test, ChecksEveryMemberAgainEveryMinute) {
  keys_ = opened({.tokens = {"a", "b"}});
  const auto key = make("root");
  ASSERT_TRUE(keys_->health());
  {
    const auto b = aside("b");
    ASSERT_TRUE(b->remove("root"));
    ASSERT_TRUE(b->create("root", {KeyType::ec_p256, 0}));
  }
  run("key-check");
  EXPECT_FALSE(whole());
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(signs(*key));
}

TEST_F(Pkcs11Test, WaitsWhereATokenGivesFewerSessionsThanWanted) {
  for (const unsigned long most : {1, 2, 3}) {
    SCOPED_TRACE(most);
    shim_->most_sessions = most;
    keys_ = opened({.sessions = 8});
    const auto key = make(("root" + std::to_string(most)).c_str());
    ASSERT_TRUE(key);
    std::atomic<int> bad{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 25; ++i) bad += !signs(*key);
      });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(bad, 0);
    EXPECT_TRUE(keys_->health());
    keys_.reset();
  }
}

TEST_F(Pkcs11Test, SaysOnceThatATokenFailsEverySignature) {
  keys_ = opened({});
  const auto key = make("root");
  for (const unsigned long code : {CKR_GENERAL_ERROR, CKR_FUNCTION_NOT_SUPPORTED, CKR_DATA_INVALID}) {
    SCOPED_TRACE(code);
    const std::size_t lines = host_.recording_log.lines().size();
    shim_->fail_with = code;
    shim_->fail_every = 1;
    for (int i = 0; i < 20; ++i) EXPECT_FALSE(signs(*key));
    EXPECT_LE(host_.recording_log.lines().size() - lines, 2u);
    EXPECT_NE(keys_->health().error().detail.find("key \"root\" on token a does not sign: token a"),
              std::string::npos)
        << keys_->health().error().detail;
    shim_->fail_every = 0;
    run("key-check");
    EXPECT_TRUE(keys_->health());
    EXPECT_TRUE(signs(*key));
  }
}

TEST_F(Pkcs11Test, GroupAsksATokenThatFailsLast) {
  keys_ = opened({.tokens = {"a", "b"}});
  const auto key = make("root");
  shim_->failing = slot_of("b");
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(signs(*key));
  const auto before = shim_->signatures.load();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(signs(*key));
  EXPECT_EQ(shim_->signatures - before, 20u);
  EXPECT_TRUE(keys_->health());
  EXPECT_FALSE(whole());
  shim_->failing = ~0UL;
  run("key-check");
  EXPECT_TRUE(whole());
}

}  // namespace
}  // namespace hanaper
