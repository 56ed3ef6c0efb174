// keys/pkcs11 on two tokens of SoftHSM, "a" and "b", behind the shim.
#pragma once

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

namespace hanaper::test {

inline constexpr auto scheme = SignatureScheme::ecdsa_sha256;
inline const Bytes message{'m'};

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
    shim_->most_sessions = ~0UL;
    shim_->absent = shim_->back_at_start = shim_->hanging = shim_->failing = ~0UL;
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
  // What an operator is shown though everything works.
  Status whole() { return host_.fake_health.checks.at("tokens")(); }
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

  Scratch scratch_;
  loader::Catalog catalog_;
  fakes::FakeHost host_{"", scratch_.path()}, other_host_{"", scratch_.path()};
  void* library_ = nullptr;
  Pkcs11Shim* shim_ = nullptr;
  CK_FUNCTION_LIST* module_ = nullptr;
  std::unique_ptr<Keys> keys_;
};

}  // namespace hanaper::test
