// keys/softtoken: which key files it takes.
#include "loader/catalog.hpp"

#include <hanaper/inspectable.hpp>
#include <hanaper/testing/fake_host.hpp>
#include <hanaper/toolkit/base64.hpp>

#include "../unit/scratch.hpp"

#include <unistd.h>

#include <functional>

namespace hanaper {
namespace {

namespace fs = std::filesystem;
using test::Scratch;

class SoftTokenFiles : public ::testing::Test {
 protected:
  // What a node has when it comes up.
  std::unique_ptr<Plugin> made() {
    std::unique_ptr<Plugin> plugin = *catalog_.create("keys", "softtoken");
    Settings settings("keys.soft", "pki.toml:1:1");
    settings.set("folder", {scratch_ / "keys", "pki.toml:2:1"});
    settings.set("pin", {Secret("a-pin-of-some-length"), "pki.toml:3:1"});
    EXPECT_TRUE(plugin->configure(settings, host_));
    return plugin;
  }
  // Two keys; the plugin opens only the first at start.
  void fill() {
    const auto plugin = made();
    ASSERT_TRUE(plugin->start());
    for (const char* label : {"first", "second"})
      ASSERT_TRUE(static_cast<Keys&>(*plugin).create(label, {KeyType::ec_p256, 0}));
  }
  std::string file() const { return scratch_ / "keys/second.pem"; }

  const Scratch scratch_;
  fakes::FakeHost host_;
  loader::Catalog catalog_{HANAPER_PLUGINS};
};

struct Row {
  const char* name;
  std::function<void(const Scratch&, const std::string& file)> arrange;
  const char* says;  // null: taken
};

const Row rows[] = {
    {"as they were made", [](const auto&, const auto&) {}, nullptr},
    {"a link to a file of ours",
     [](const auto& s, const auto& file) {
       fs::rename(file, s / "elsewhere");
       fs::create_symlink(s / "elsewhere", file);
     },
     nullptr},
    {"a file that others may write", [](const auto&, const auto& file) { ::chmod(file.c_str(), 0666); },
     "others may write it"},
    {"a file that its group may write", [](const auto&, const auto& file) { ::chmod(file.c_str(), 0660); },
     "others may write it"},
    {"a folder that others may write",
     [](const auto& s, const auto&) { ::chmod((s / "keys").c_str(), 0777); }, "others may write it"},
    {"a file of somebody else's",
     [](const auto&, const auto& file) {
       if (::chown(file.c_str(), 65534, 65534) != 0) ::chmod(file.c_str(), 0666);
     },
     ::geteuid() == 0 ? "owned by user 65534" : "others may write it"},
    {"a pipe",
     [](const auto&, const auto& file) {
       fs::remove(file);
       EXPECT_EQ(::mkfifo(file.c_str(), 0600), 0);
     },
     "is no regular file"},
    {"a folder in the place of a file",
     [](const auto&, const auto& file) {
       fs::remove(file);
       fs::create_directory(file);
     },
     "is no regular file"},
};

TEST_F(SoftTokenFiles, AreThoseThatNobodyElseCouldWrite) {
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    fs::remove_all(scratch_ / "keys");
    fs::remove(scratch_ / "elsewhere");
    fill();
    row.arrange(scratch_, file());
    const auto plugin = made();
    const auto looked = ability_of<Inspectable>(*plugin)->inspect();
    const Status started = plugin->start();
    const auto found = static_cast<Keys&>(*plugin).find("second");
    EXPECT_EQ(looked.has_value(), row.says == nullptr);
    EXPECT_EQ(started.has_value(), row.says == nullptr);
    EXPECT_EQ(found.has_value(), row.says == nullptr);
    if (row.says == nullptr || looked || started || found) continue;
    for (const std::string& said : {looked.error().detail, started.error().detail, found.error().detail})
      EXPECT_NE(said.find(row.says), std::string::npos) << said;
  }
}

TEST_F(SoftTokenFiles, AreNotMadeWhereTheNextStartWouldRefuseThem) {
  const auto plugin = made();
  ASSERT_TRUE(plugin->start());
  ::chmod((scratch_ / "keys").c_str(), 0777);
  const auto key = static_cast<Keys&>(*plugin).create("second", {KeyType::ec_p256, 0});
  ASSERT_FALSE(key);
  EXPECT_NE(key.error().detail.find("others may write it"), std::string::npos) << key.error().detail;
  EXPECT_FALSE(fs::exists(file()));
}

TEST_F(SoftTokenFiles, OfWhichABitHasFlippedAreNotBlamedOnThePinAlone) {
  fill();
  auto block = pem::decode(test::text_of(file()))->front();
  // In the first block of the ciphertext, which makes what it decrypts to no DER.
  constexpr std::size_t ciphertext = 144;
  block.der[block.der.size() - ciphertext] ^= 1;
  scratch_.file("keys/second.pem", pem::encode(block.label, block.der));
  const auto key = static_cast<Keys&>(*made()).find("second");
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().detail, file() + ": the pin does not open it, or the file is damaged");
}

}  // namespace
}  // namespace hanaper
