#include "issuance/blocked_keys.hpp"
#include "temporary_folder.hpp"

#include <hanaper/testing/fake_host.hpp>
#include <hanaper/toolkit/crypto.hpp>

#include <gtest/gtest.h>

namespace hanaper::issuance {
namespace {

Fingerprint hash_of(std::string_view text) { return crypto::sha256(as_bytes(text)); }

class BlockedKeysOf : public ::testing::Test {
 protected:
  test::TemporaryFolder folder_;
  fakes::FakeHost host_;
  Ledger& ledger_ = host_.memory_storage.ledger();
  BlockedKeys keys_;
};

TEST_F(BlockedKeysOf, AFileAreItsHashes) {
  const std::string file =
      folder_.write("blocked", "# a remark\n\n" + to_hex(hash_of("one")) + "\r\n" + to_hex(hash_of("two")));
  ASSERT_TRUE(keys_.load_file(file).has_value());
  EXPECT_TRUE(keys_.contains(hash_of("one")));
  EXPECT_TRUE(keys_.contains(hash_of("two")));
  EXPECT_FALSE(keys_.contains(hash_of("three")));
}

TEST_F(BlockedKeysOf, NoFileAreTheLedgersOwn) {
  for (int i = 0; i < 2500; ++i) {  // more than two pages
    Write write;
    write.revocation = Revocation{.authority = 1,
                                  .serial = *Serial::from_text(to_hex(as_bytes("s" + std::to_string(i)))),
                                  .shard = 0,
                                  .reason = RevocationReason::key_compromise,
                                  .at = host_.manual_clock.now(),
                                  .invalidity = {},
                                  .not_after = host_.manual_clock.now(),
                                  .block_key = hash_of(std::to_string(i))};
    ASSERT_TRUE(fakes::commit_one(host_.memory_storage, write).has_value());
    if (i == 20) i = 2478;  // few at first, so that a page that ends early shows
  }
  ASSERT_TRUE(keys_.load_ledger(ledger_).has_value());
  for (int i : {0, 20, 2479, 2499}) EXPECT_TRUE(keys_.contains(hash_of(std::to_string(i)))) << i;
  EXPECT_FALSE(keys_.contains(hash_of("21")));
}

TEST_F(BlockedKeysOf, AReloadReplaceThoseBefore) {
  ASSERT_TRUE(keys_.load_file(folder_.write("a", to_hex(hash_of("one")) + "\n")).has_value());
  keys_.add(hash_of("three"));
  ASSERT_TRUE(keys_.load_file(folder_.write("b", to_hex(hash_of("two")) + "\n")).has_value());
  EXPECT_FALSE(keys_.contains(hash_of("one")));
  EXPECT_TRUE(keys_.contains(hash_of("two")));
  EXPECT_TRUE(keys_.contains(hash_of("three"))) << "what was compromised stays so";
}

TEST_F(BlockedKeysOf, AFileThatCannotBeReadStayAsTheyWere) {
  ASSERT_TRUE(keys_.load_file(folder_.write("a", to_hex(hash_of("one")) + "\n")).has_value());
  EXPECT_EQ(keys_.load_file(folder_ / "nothing").error().code, Code::not_found);
  EXPECT_TRUE(keys_.contains(hash_of("one")));
}

TEST_F(BlockedKeysOf, AWrongFileAreRefusedWithTheirPlace) {
  const std::string good = to_hex(hash_of("one"));
  const struct {
    const char* name;
    std::string content;
    const char* line;
  } table[] = {
      {"text", "compromised\n", ":1:1: "},         {"short", good + "\n" + good.substr(2) + "\n", ":2:1: "},
      {"long", "#\n\n" + good + "00\n", ":3:1: "}, {"odd", good.substr(1) + "\n", ":1:1: "},
      {"spaced", good + " \n", ":1:1: "},
  };
  for (const auto& row : table) {
    const std::string file = folder_.write(row.name, row.content);
    const Status checked = BlockedKeys::check(file);
    ASSERT_FALSE(checked.has_value()) << row.name;
    EXPECT_EQ(checked.error().detail.rfind(file + row.line, 0), 0u) << checked.error().detail;
    EXPECT_EQ(keys_.load_file(file).error().detail, checked.error().detail);
  }
  EXPECT_FALSE(BlockedKeys::check(folder_ / ".").has_value()) << "a folder";
}

}  // namespace
}  // namespace hanaper::issuance
