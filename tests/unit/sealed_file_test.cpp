// Files under a passphrase: they come back as they were, or not at all.
#include "scratch.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/sealed_file.hpp>

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <set>

namespace hanaper {
namespace {

constexpr std::size_t limit = 1 << 20, chunk = 64 * 1024, header = 34, tag = 16;
constexpr std::uint8_t cost = 14;

class SealedFiles : public ::testing::Test {
 protected:
  Status seal(const std::string& content, std::string_view passphrase = "a long passphrase") {
    std::filesystem::remove(sealed_);
    std::filesystem::remove(plain_);
    EXPECT_TRUE(files::create(plain_, content, 0600));
    return crypto::seal_file(plain_, sealed_, Secret(std::string(passphrase)), cost);
  }
  Status open(std::string_view passphrase = "a long passphrase") {
    std::filesystem::remove(back_);
    return crypto::open_sealed_file(sealed_, back_, Secret(std::string(passphrase)));
  }
  std::string octets() { return *files::read(sealed_, limit); }
  void change(const std::string& octets) { EXPECT_TRUE(files::replace(sealed_, octets, 0600)); }

  test::Scratch scratch_;
  const std::string plain_ = (scratch_.path() / "plain").string(),
                    sealed_ = (scratch_.path() / "sealed").string(),
                    back_ = (scratch_.path() / "back").string();
};

TEST_F(SealedFiles, ComeBackAsTheyWere) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, chunk - 1, chunk, chunk + 1, 2 * chunk}) {
    SCOPED_TRACE(size);
    std::string content(size, '\0');
    crypto::random({reinterpret_cast<std::uint8_t*>(content.data()), content.size()});
    ASSERT_TRUE(seal(content));
    EXPECT_TRUE(crypto::is_sealed_file(sealed_));
    EXPECT_FALSE(crypto::is_sealed_file(plain_));
    const std::size_t chunks = size == 0 ? 1 : (size + chunk - 1) / chunk;
    EXPECT_EQ(octets().size(), header + size + chunks * tag);
    EXPECT_EQ(std::filesystem::status(sealed_).permissions(), std::filesystem::perms(0600));
    const Status opened = open();
    ASSERT_TRUE(opened) << opened.error().detail;
    EXPECT_EQ(*files::read(back_, limit), content);
    EXPECT_EQ(std::filesystem::status(back_).permissions(), std::filesystem::perms(0600));
  }
}

TEST_F(SealedFiles, AreNeverTheSameTwice) {
  ASSERT_TRUE(seal("content"));
  const std::string first = octets();
  ASSERT_TRUE(seal("content"));
  EXPECT_NE(octets().substr(header), first.substr(header));
}

// What was done to a sealed file of two full chunks and an octet, and what is said of it.
TEST_F(SealedFiles, AreRefusedWhenTheyWereTouched) {
  struct Row {
    const char* name;
    std::function<std::string(std::string)> change;
    Code code;
  };
  const auto flip = [](std::size_t at) {
    return [at](std::string text) {
      text[at] = static_cast<char>(text[at] ^ 1);
      return text;
    };
  };
  constexpr std::size_t whole = chunk + tag;
  const Row rows[] = {
      {"empty", [](const std::string&) { return std::string(); }, Code::malformed},
      {"another kind of file", flip(0), Code::malformed},
      {"another version", flip(15), Code::malformed},
      {"cut in its head", [](const std::string& text) { return text.substr(0, header - 1); },
       Code::malformed},
      {"a cost beyond reason",
       [](std::string text) {
         text[17] = 40;
         return text;
       },
       Code::malformed},
      {"no cost",
       [](std::string text) {
         text[17] = 0;
         return text;
       },
       Code::malformed},
      {"another cost",
       [](std::string text) {
         text[17] = 15;
         return text;
       },
       Code::forbidden},
      {"another salt", flip(20), Code::forbidden},
      {"head alone", [](const std::string& text) { return text.substr(0, header); }, Code::forbidden},
      {"an octet of the first chunk", flip(header), Code::forbidden},
      {"an octet of a tag", flip(header + chunk), Code::forbidden},
      {"the last octet",
       [](std::string text) {
         text.back() = static_cast<char>(text.back() ^ 1);
         return text;
       },
       Code::forbidden},
      {"cut behind a chunk", [](const std::string& text) { return text.substr(0, header + whole); },
       Code::forbidden},
      {"cut within a chunk", [](const std::string& text) { return text.substr(0, header + 100); },
       Code::forbidden},
      {"without the last octet",
       [](std::string text) {
         text.pop_back();
         return text;
       },
       Code::forbidden},
      {"an octet more", [](const std::string& text) { return text + "x"; }, Code::forbidden},
      {"chunks in another order",
       [](const std::string& text) {
         return text.substr(0, header) + text.substr(header + whole, whole) + text.substr(header, whole) +
                text.substr(header + 2 * whole);
       },
       Code::forbidden},
      {"a chunk left out",
       [](const std::string& text) { return text.substr(0, header) + text.substr(header + whole); },
       Code::forbidden},
      {"its end twice", [](const std::string& text) { return text + text.substr(header + 2 * whole); },
       Code::forbidden},
  };
  ASSERT_TRUE(seal(std::string(2 * chunk + 1, 'x')));
  const std::string good = octets();
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    change(row.change(good));
    const Status opened = open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, row.code) << opened.error().detail;
    EXPECT_FALSE(std::filesystem::exists(back_)) << "nothing half-opened stays";
  }
  change(good);
  EXPECT_TRUE(open());
}

TEST_F(SealedFiles, OpenWithTheirPassphraseAlone) {
  ASSERT_TRUE(seal("content"));
  for (const char* other : {"a long passphras", "a long passphrase ", "A long passphrase", ""}) {
    const Status opened = open(other);
    ASSERT_FALSE(opened) << other;
    EXPECT_EQ(opened.error().detail,
              sealed_ + ": the passphrase is another one, or the file was changed or cut");
  }
}

TEST_F(SealedFiles, ReplaceNothing) {
  ASSERT_TRUE(seal("content"));
  const std::string before = octets();
  const Status again = crypto::seal_file(plain_, sealed_, Secret(std::string("another passphrase")));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::conflict);
  EXPECT_EQ(octets(), before);
  EXPECT_EQ(crypto::open_sealed_file(sealed_, plain_, Secret(std::string("a long passphrase"))).error().code,
            Code::conflict);
  EXPECT_EQ(
      crypto::seal_file((scratch_.path() / "none").string(), back_, Secret(std::string("x"))).error().code,
      Code::not_found);
  EXPECT_FALSE(std::filesystem::exists(back_));
}

TEST(Passphrases, AreEachAnother) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string one = crypto::make_passphrase();
    EXPECT_EQ(one.size(), 30u);
    EXPECT_EQ(one.find_first_not_of("0123456789ABCDEFGHJKMNPQRSTVWXYZ-"), std::string::npos) << one;
    EXPECT_TRUE(seen.insert(one).second);
  }
}

}  // namespace
}  // namespace hanaper
