// Tokens that fail in every way a test can bring about, through the shim in front of SoftHSM.
#include "../unit/scratch.hpp"
#include "loader/catalog.hpp"
#include "pkcs11_shim.hpp"

#include <hanaper/testing/fake_host.hpp>
#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <p11-kit/pkcs11.h>

#include <thread>

namespace hanaper {
namespace {

constexpr auto scheme = SignatureScheme::ecdsa_sha256;
const Bytes message{'m'};

struct Wanted {
  std::vector<std::string> tokens = {"a"};
  std::string pin = "24681357";
  std::chrono::milliseconds timeout{10'000};
  bool wrappable = true;
  std::int64_t sessions = 4;
};

class Pkcs11Test : public ::testing::Test {
 protected:
  Pkcs11Test() : catalog_(HANAPER_PLUGINS) {}

  void SetUp() override {
    library_ = ::dlopen(PKCS11_SHIM, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library_, nullptr) << ::dlerror();
    void* symbol = ::dlsym(library_, "pkcs11_shim");
    Pkcs11Shim* (*get)() = nullptr;
    std::memcpy(&get, &symbol, sizeof get);
    shim_ = get();
    symbol = ::dlsym(library_, "C_GetFunctionList");
    CK_C_GetFunctionList list = nullptr;
    std::memcpy(&list, &symbol, sizeof list);
    ASSERT_EQ(list(&module_), CKR_OK);
  }
  // Tokens outlive tests: what a test made goes with it.
  void TearDown() override {
    shim_->fail_every = 0;
    shim_->absent = shim_->back_at_start = shim_->hanging = ~0UL;
    keys_.reset();
    for (const char* token : {"a", "b"}) {
      const auto keys = aside(token);
      ASSERT_TRUE(keys);
      const auto list = keys->list();
      ASSERT_TRUE(list);
      for (const KeyInfo& info : *list) EXPECT_TRUE(keys->remove(info.label));
    }
    ::dlclose(library_);
  }

  // The plugin as a host would have it, without having started it.
  std::unique_ptr<Keys> configured(const Wanted& setup, fakes::FakeHost& host) {
    auto plugin = catalog_.create("keys", "pkcs11");
    EXPECT_TRUE(plugin) << plugin.error().detail;
    auto* keys = dynamic_cast<Keys*>(plugin->get());
    static_cast<void>(plugin->release());
    std::unique_ptr<Keys> owned(keys);
    const Status done = owned->configure(settings_of(setup), host);
    EXPECT_TRUE(done) << done.error().detail;
    return owned;
  }
  static Settings settings_of(const Wanted& setup) {
    Settings settings("keys.hsm", "pki.toml:1:1");
    const auto set = [&](const char* key, Settings::Value value) {
      settings.set(key, {std::move(value), "pki.toml:2:1"});
    };
    set("module", std::string(PKCS11_SHIM));
    set("options", std::monostate{});
    set("tokens", setup.tokens);
    set("pin", Secret(setup.pin));
    set("sessions", setup.sessions);
    set("timeout", setup.timeout);
    set("wrappable", setup.wrappable);
    return settings;
  }
  // As a reload does.
  Status adjust(const Wanted& setup) {
    auto change = ability_of<Adjustable>(*keys_)->prepare(settings_of(setup));
    if (!change) return change.error();
    (*change)->commit();
    return {};
  }
  // Until the token is logged in again, or says why not.
  void take_out_and_put_back(Key& key) {
    shim_->absent = slot_of("a");
    EXPECT_FALSE(signs(key));
    shim_->absent = ~0UL;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{5};
    while (why(key.sign(scheme, message)).find("is not there") != std::string::npos &&
           std::chrono::steady_clock::now() < until)
      std::this_thread::yield();
  }
  std::unique_ptr<Keys> opened(const Wanted& setup) { return opened(setup, host_); }
  // As another program would, in passing.
  std::unique_ptr<Keys> aside(const char* token, bool wrappable = true) {
    return opened({.tokens = {token}, .wrappable = wrappable}, other_host_);
  }
  std::unique_ptr<Keys> opened(const Wanted& setup, fakes::FakeHost& host) {
    auto keys = configured(setup, host);
    const Status started = keys->start();
    EXPECT_TRUE(started) << started.error().detail;
    return started ? std::move(keys) : nullptr;
  }
  std::shared_ptr<Key> make(const char* label) {
    auto key = keys_->create(label, {KeyType::ec_p256, 0});
    EXPECT_TRUE(key) << key.error().detail;
    return key ? *key : nullptr;
  }
  static bool signs(Key& key) {
    const auto signature = key.sign(scheme, message);
    return signature && crypto::verify(scheme, key.spki(), message, *signature);
  }
  static std::string why(const Result<Bytes>& result) { return result ? "" : result.error().detail; }
  void run(const char* job) {
    Call call{"test", std::chrono::steady_clock::now() + std::chrono::seconds{10}};
    static_cast<void>(host_.fake_scheduler.recurring.at(job)(call));
  }
  CK_SLOT_ID slot_of(std::string_view label) {
    CK_SLOT_ID slots[16];
    CK_ULONG count = std::size(slots);
    EXPECT_EQ(module_->C_GetSlotList(CK_TRUE, slots, &count), CKR_OK);
    for (CK_ULONG i = 0; i < count; ++i) {
      CK_TOKEN_INFO info;
      if (module_->C_GetTokenInfo(slots[i], &info) != CKR_OK) continue;
      std::string_view name(reinterpret_cast<const char*>(info.label), sizeof info.label);
      if (name.substr(0, name.find_last_not_of(' ') + 1) == label) return slots[i];
    }
    ADD_FAILURE() << "no token " << label;
    return 0;
  }

  Bytes id_of(std::string label, CK_SLOT_ID slot) {
    CK_SESSION_HANDLE session = 0;
    CK_OBJECT_HANDLE object = 0;
    CK_ULONG count = 0;
    CK_OBJECT_CLASS half = CKO_PUBLIC_KEY;
    CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &half, sizeof half}, {CKA_LABEL, label.data(), label.size()}};
    Bytes id(64);
    CK_ATTRIBUTE attribute{CKA_ID, id.data(), id.size()};
    EXPECT_EQ(module_->C_OpenSession(slot, CKF_SERIAL_SESSION, nullptr, nullptr, &session), CKR_OK);
    EXPECT_EQ(module_->C_FindObjectsInit(session, wanted, 2), CKR_OK);
    EXPECT_EQ(module_->C_FindObjects(session, &object, 1, &count), CKR_OK);
    EXPECT_EQ(module_->C_FindObjectsFinal(session), CKR_OK);
    EXPECT_EQ(module_->C_GetAttributeValue(session, object, &attribute, 1), CKR_OK);
    EXPECT_EQ(module_->C_CloseSession(session), CKR_OK);
    id.resize(attribute.ulValueLen);
    return id;
  }

  test::Scratch scratch_;
  loader::Catalog catalog_;
  fakes::FakeHost host_{"", scratch_.path()}, other_host_{"", scratch_.path()};
  void* library_ = nullptr;
  Pkcs11Shim* shim_ = nullptr;
  CK_FUNCTION_LIST* module_ = nullptr;
  std::unique_ptr<Keys> keys_;
};

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
    EXPECT_FALSE(keys_->health()) << "somebody should know that " << gone << " is away";
    shim_->absent = ~0UL;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{5};
    do run("tokens");
    while (!keys_->health() && std::chrono::steady_clock::now() < until);
    EXPECT_TRUE(keys_->health()) << keys_->health().error().detail;
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
  EXPECT_EQ(keys_->health().error().detail,
            "key \"root\" on token b is another key than on the rest of the group");
}

TEST_F(Pkcs11Test, GroupTakesATokenInOnceItHasTheKey) {
  {
    const auto a = aside("a");
    ASSERT_TRUE(a->create("root", {KeyType::rsa, 2048}));
  }
  keys_ = opened({.tokens = {"a", "b"}});
  const auto key = keys_->find("root");
  ASSERT_TRUE(key);
  EXPECT_EQ(keys_->health().error().detail, "no key \"root\" on token b");
  auto* replication = static_cast<Replication*>(keys_->ability(Replication::ability_id));
  const auto done = replication->replicate("root");
  ASSERT_TRUE(done) << done.error().detail;
  EXPECT_EQ(*done, std::vector<std::string>{"b"});
  EXPECT_TRUE(keys_->health());
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
  EXPECT_FALSE(keys_->health());
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(signs(*key));
}

}  // namespace
}  // namespace hanaper
