// Keys on tokens as others have made them.
#include "pkcs11_support.hpp"

#include <array>

namespace hanaper {
namespace {

using test::Pkcs11Test;

// Sessions of the test itself are logged in as the plugin's are.
class OddObjects : public Pkcs11Test {
 protected:
  struct Form {
    const char* name;
    std::string label = "root";
    Bytes id;
    bool always_authenticate = false;
    std::size_t others = 0;  // more keys of that label, made later
  };
  void generate(const Form& form, const Bytes& id) {
    CK_SESSION_HANDLE session = 0;
    CK_OBJECT_HANDLE open = 0, closed = 0;
    ASSERT_EQ(
        module_->C_OpenSession(slot_of("a"), CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session),
        CKR_OK);
    CK_BBOOL yes = CK_TRUE, asks = form.always_authenticate ? CK_TRUE : CK_FALSE;
    std::string label = form.label;
    Bytes curve{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}, own = id;
    std::vector<CK_ATTRIBUTE> halves[2] = {
        {{CKA_TOKEN, &yes, 1}, {CKA_EC_PARAMS, curve.data(), curve.size()}},
        {{CKA_TOKEN, &yes, 1},
         {CKA_PRIVATE, &yes, 1},
         {CKA_SIGN, &yes, 1},
         {CKA_ALWAYS_AUTHENTICATE, &asks, 1}}};
    for (auto& half : halves) {
      if (!label.empty()) half.push_back({CKA_LABEL, label.data(), label.size()});
      if (!own.empty()) half.push_back({CKA_ID, own.data(), own.size()});
    }
    CK_MECHANISM mechanism{CKM_EC_KEY_PAIR_GEN, nullptr, 0};
    ASSERT_EQ(module_->C_GenerateKeyPair(session, &mechanism, halves[0].data(), halves[0].size(),
                                         halves[1].data(), halves[1].size(), &open, &closed),
              CKR_OK);
    made_.push_back({open, closed});
    ASSERT_EQ(module_->C_CloseSession(session), CKR_OK);
  }
  void TearDown() override {
    CK_SESSION_HANDLE session = 0;
    EXPECT_EQ(
        module_->C_OpenSession(slot_of("a"), CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session),
        CKR_OK);
    for (const auto& halves : made_)
      for (CK_OBJECT_HANDLE half : halves) EXPECT_EQ(module_->C_DestroyObject(session, half), CKR_OK);
    module_->C_CloseSession(session);
    Pkcs11Test::TearDown();
  }

  std::vector<std::array<CK_OBJECT_HANDLE, 2>> made_;
};

TEST_F(OddObjects, AreUsedAsTheyAre) {
  keys_ = opened({});
  const Form forms[] = {
      {"without an id", "nameless", {}},
      {"that wants its pin each time", "asking", {1}, true},
      {"without a label", "", {3}},
      {"that others are called as, later", "twin", {2}, false, 2},
  };
  for (const Form& form : forms) {
    SCOPED_TRACE(form.name);
    generate(form, form.id);
    const auto logins = shim_->logins.load();
    const auto key = keys_->find(form.label.empty() ? "id-03" : form.label);
    ASSERT_TRUE(key) << key.error().detail;
    for (std::size_t i = 0; i < form.others; ++i) generate(form, {9, static_cast<std::uint8_t>(i)});
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(signs(**key));
    EXPECT_EQ(shim_->logins - logins, form.always_authenticate ? 4u : 0u)
        << "once for the check, and for each";
    run("key-check");
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(signs(**key));
    EXPECT_TRUE(keys_->health());
    EXPECT_EQ(whole().has_value(), form.others == 0);
    if (form.others == 0) continue;
    EXPECT_EQ(whole().error().detail, "another key is called as key \"twin\" on token a");
    const auto next_start = opened({}, other_host_)->find(form.label);
    ASSERT_FALSE(next_start);
    EXPECT_EQ(next_start.error().detail,
              "3 keys are called \"twin\" on token a; name one as id-02 or id-0900 or id-0901");
  }
}

TEST_F(OddObjects, AreNotAskedWithAPinThatTheyRefused) {
  keys_ = opened({});
  generate({"", "asking", {1}, true}, {1});
  const auto key = keys_->find("asking");
  ASSERT_TRUE(key) << key.error().detail;
  ASSERT_TRUE(adjust({.pin = "00000000"}));
  const auto logins = shim_->logins.load();
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(signs(**key));
  EXPECT_EQ(shim_->logins, logins + 1);
  EXPECT_EQ(keys_->health().error().detail,
            "token a refuses the pin for a single operation: CKR_PIN_INCORRECT");
  ASSERT_TRUE(adjust({}));
  EXPECT_TRUE(signs(**key));
}

}  // namespace
}  // namespace hanaper
