#include "loader/catalog.hpp"
#include "scratch.hpp"

#include <hanaper/stages.hpp>

#include <unistd.h>

#include <gtest/gtest.h>

#include <algorithm>

namespace hanaper::loader {
namespace {

namespace fs = std::filesystem;

// A plugin folder, and beside it one where probes leave a mark when their code runs.
class LoaderTest : public ::testing::Test {
 protected:
  LoaderTest() {
    fs::create_directory(folder_);
    fs::create_directory(marks_);
    fs::permissions(folder_, fs::perms(0755));
    ::setenv("HANAPER_TEST_MARKS", marks_.c_str(), 1);
  }
  ~LoaderTest() override { ::unsetenv("HANAPER_TEST_MARKS"); }

  // Puts the probe of that shape into the folder.
  std::string install(const std::string& shape, const std::string& file, mode_t mode = 0644) const {
    const fs::path path = folder_ / file;
    fs::copy_file(fs::path(HANAPER_PROBES) / (shape + ".so"), path);
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path.string();
  }

  void expect_refusal(std::string_view name, Code code, const std::string& message) {
    Catalog catalog(folder_.string());
    const auto found = catalog.find("policy", name);
    ASSERT_FALSE(found.has_value());
    EXPECT_EQ(found.error().code, code);
    EXPECT_EQ(found.error().detail, message);
    const auto created = catalog.create("policy", name);
    ASSERT_FALSE(created.has_value());
    EXPECT_EQ(created.error().detail, message);
  }

  // Which probes have run.
  std::vector<std::string> marks() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(marks_)) names.push_back(entry.path().filename());
    return names;
  }
  void expect_that_nothing_ran() const { EXPECT_EQ(marks(), std::vector<std::string>{}); }

  // A tag in the words of a message.
  static std::string in_words(std::string tag) {
    tag.erase(0, std::string_view("hanaper_abi_").size());
    std::ranges::replace(tag, '_', ' ');
    return tag;
  }
  static std::string replaced(std::string text, std::string_view what, std::string_view by) {
    return text.replace(text.find(what), what.size(), by);
  }

  const test::Scratch scratch_;
  const fs::path folder_ = scratch_.path() / "plugins";
  const fs::path marks_ = scratch_.path() / "marks";
  const std::string host_ = in_words(std::string(host_abi()));
};

TEST_F(LoaderTest, LoadsAPluginThatFits) {
  install("good", "policy-good.so");
  Catalog catalog(folder_.string());
  const auto manifest = catalog.find("policy", "good");
  ASSERT_TRUE(manifest.has_value()) << manifest.error().detail;
  EXPECT_STREQ((*manifest)->version, "1.2.3");
  EXPECT_STREQ((*manifest)->keys[0].name, "colour");
  EXPECT_EQ(*catalog.find("policy", "good"), *manifest);
  EXPECT_EQ(marks(), std::vector<std::string>{"good"});
}

TEST_F(LoaderTest, MakesInstancesThatOutliveTheCatalog) {
  install("good", "policy-good.so");
  std::unique_ptr<Plugin> first, second;
  {
    Catalog catalog(folder_.string());
    first = std::move(*catalog.create("policy", "good"));
    second = std::move(*catalog.create("policy", "good"));
  }
  EXPECT_NE(first, second);
  auto* policy = dynamic_cast<Policy*>(first.get());
  ASSERT_NE(policy, nullptr);
  Draft draft;
  Call call{"test", std::chrono::steady_clock::now()};
  ASSERT_TRUE(policy->decide(draft, call).has_value());
  EXPECT_EQ(draft.names.front().value, "probe.example.test");
}

TEST_F(LoaderTest, RefusesAnotherEpochOfTheSdk) {
  const std::string path = install("other-epoch", "policy-other-epoch.so");
  expect_refusal("other-epoch", Code::unsupported,
                 path + ": built for \"" + replaced(host_, "epoch1 ", "epoch4711 ") +
                     "\", this host wants \"" + host_ + "\"; build it with this host's SDK");
  expect_that_nothing_ran();
}

TEST_F(LoaderTest, RefusesAnotherStringAbi) {
  const std::string path = install("other-strings", "policy-other-strings.so");
  expect_refusal("other-strings", Code::unsupported,
                 path + ": built for \"" + replaced(host_, "cxx111", "cxx110") + "\", this host wants \"" +
                     host_ + "\"; build it with this host's SDK");
  expect_that_nothing_ran();
}

TEST_F(LoaderTest, RefusesAPluginWithoutTag) {
  const std::string path = install("untagged", "policy-untagged.so");
  expect_refusal("untagged", Code::unsupported, path + ": carries no ABI tag; it is no hanaper plugin");
  expect_that_nothing_ran();
}

TEST_F(LoaderTest, RefusesAPluginWithTwoTags) {
  const std::string path = install("two-tags", "policy-two-tags.so");
  expect_refusal("two-tags", Code::unsupported, path + ": carries 2 ABI tags; a plugin has one");
  expect_that_nothing_ran();
}

TEST_F(LoaderTest, RefusesAPluginThatLacksASymbol) {
  const std::string path = install("unresolved", "policy-unresolved.so");
  expect_refusal("unresolved", Code::unsupported, path + ": undefined symbol: nobody_defines_this");
  expect_that_nothing_ran();
}

TEST_F(LoaderTest, RefusesWhatIsNoSharedObject) {
  const std::string whole = test::text_of(fs::path(HANAPER_PROBES) / "good.so");
  const std::pair<const char*, std::string> table[] = {
      {"text", "#!/bin/sh\ntouch marks/text\n"},
      {"empty", ""},
      {"magic", whole.substr(0, 4)},
      {"header", whole.substr(0, 64)},
      {"half", whole.substr(0, whole.size() / 2)},
  };
  for (const auto& [name, content] : table) {
    SCOPED_TRACE(name);
    const std::string path = scratch_.file("plugins/policy-" + std::string(name) + ".so", content, 0755);
    expect_refusal(name, Code::unsupported, path + ": not a shared object of this machine");
  }
  expect_that_nothing_ran();
}

TEST_F(LoaderTest, RefusesWhatOthersMayWrite) {
  for (const mode_t mode : {0666u, 0664u, 0646u}) {
    SCOPED_TRACE(mode);
    const std::string path = install("good", "policy-good.so", mode);
    expect_refusal("good", Code::forbidden,
                   path + ": others may write it; take that right away (chmod go-w)");
    fs::remove(path);
  }
  expect_that_nothing_ran();
}

TEST_F(LoaderTest, RefusesAFolderThatOthersMayWrite) {
  install("good", "policy-good.so");
  for (const mode_t mode : {0777u, 0775u, 01777u}) {
    SCOPED_TRACE(mode);
    ASSERT_EQ(::chmod(folder_.c_str(), mode), 0);
    expect_refusal("good", Code::forbidden,
                   folder_.string() + ": others may write it; take that right away (chmod go-w)");
  }
  expect_that_nothing_ran();
}

TEST_F(LoaderTest, RefusesAnotherOwner) {
  if (::geteuid() != 0) GTEST_SKIP() << "SKIP root: only root can give files away";
  const std::string path = install("good", "policy-good.so");
  ASSERT_EQ(::chown(path.c_str(), 65534, 65534), 0);
  expect_refusal("good", Code::forbidden, path + ": owned by user 65534; root must own it");
  ASSERT_EQ(::chown(path.c_str(), 0, 0), 0);
  ASSERT_EQ(::chown(folder_.c_str(), 65534, 65534), 0);
  expect_refusal("good", Code::forbidden, folder_.string() + ": owned by user 65534; root must own it");
  expect_that_nothing_ran();
}

TEST_F(LoaderTest, RefusesWhatIsNoRegularFile) {
  fs::create_directory(folder_ / "policy-folder.so");
  expect_refusal("folder", Code::forbidden, (folder_ / "policy-folder.so").string() + ": is no regular file");
  ASSERT_EQ(::mkfifo((folder_ / "policy-pipe.so").c_str(), 0600), 0);
  expect_refusal("pipe", Code::forbidden, (folder_ / "policy-pipe.so").string() + ": is no regular file");
}

// A tag that fits is trust: the constructors of these run before their manifest can be read. They are refused
// all the same.
TEST_F(LoaderTest, RefusesAManifestThatSaysSomethingElse) {
  const std::string kind = install("other-kind", "policy-other-kind.so");
  expect_refusal(
      "other-kind", Code::unsupported,
      kind + ": is the validator plugin \"other-kind\"; its file must be called validator-other-kind.so");
  const std::string name = install("other-name", "policy-other-name.so");
  expect_refusal(
      "other-name", Code::unsupported,
      name + ": is the policy plugin \"somebody-else\"; its file must be called policy-somebody-else.so");
}

TEST_F(LoaderTest, RefusesAManifestOfAnOlderForm) {
  const std::string path = install("old-manifest", "policy-old-manifest.so");
  expect_refusal("old-manifest", Code::unsupported, path + ": its manifest is of an older form");
}

TEST_F(LoaderTest, RefusesATagWithoutManifest) {
  const std::string path = install("no-manifest", "policy-no-manifest.so");
  expect_refusal("no-manifest", Code::unsupported, path + ": undefined symbol: hanaper_manifest");
}

TEST_F(LoaderTest, FollowsALinkToAPluginThatFits) {
  const fs::path elsewhere = scratch_.path() / "elsewhere";
  fs::create_directory(elsewhere);
  fs::rename(install("good", "policy-good.so"), elsewhere / "policy-good.so");
  fs::create_symlink(elsewhere / "policy-good.so", folder_ / "policy-good.so");
  Catalog catalog(folder_.string());
  EXPECT_TRUE(catalog.find("policy", "good").has_value());
}

TEST_F(LoaderTest, JudgesBothEndsOfALink) {
  const fs::path elsewhere = scratch_.path() / "elsewhere";
  fs::create_directory(elsewhere);
  fs::rename(install("good", "policy-good.so"), elsewhere / "policy-good.so");
  fs::create_symlink(elsewhere / "policy-good.so", folder_ / "policy-good.so");
  ASSERT_EQ(::chmod(elsewhere.c_str(), 0777), 0);
  expect_refusal("good", Code::forbidden,
                 elsewhere.string() + ": others may write it; take that right away (chmod go-w)");
  ASSERT_EQ(::chmod(elsewhere.c_str(), 0755), 0);
  ASSERT_EQ(::chmod(folder_.c_str(), 0777), 0);
  expect_refusal("good", Code::forbidden,
                 folder_.string() + ": others may write it; take that right away (chmod go-w)");
  expect_that_nothing_ran();
}

TEST_F(LoaderTest, GoesByTheNameInTheFolderNotByThatOfTheTarget) {
  install("good", "policy-good.so");
  fs::create_symlink(folder_ / "policy-good.so", folder_ / "policy-alias.so");
  expect_refusal("alias", Code::unsupported,
                 (folder_ / "policy-alias.so").string() +
                     ": is the policy plugin \"good\"; its file must be called policy-good.so");
}

TEST_F(LoaderTest, SaysWhatThereIsWhenAPluginIsMissing) {
  expect_refusal("good", Code::not_found, "no policy plugin \"good\" in " + folder_.string());
  install("good", "policy-good.so");
  install("good", "policy-better.so");
  install("good", "keys-good.so");
  expect_refusal("god", Code::not_found,
                 "no policy plugin \"god\" in " + folder_.string() + "; there are better, good");
  fs::create_symlink(folder_ / "nowhere.so", folder_ / "policy-dangling.so");
  Catalog catalog(folder_.string());
  EXPECT_EQ(catalog.find("policy", "dangling").error().code, Code::not_found);
  Catalog nowhere((folder_ / "nowhere").string());
  EXPECT_EQ(nowhere.find("policy", "good").error().detail,
            "no policy plugin \"good\" in " + (folder_ / "nowhere").string());
  expect_that_nothing_ran();
}

TEST_F(LoaderTest, ListsEveryFileWithItsManifestOrItsRefusal) {
  install("good", "policy-good.so");
  const std::string untagged = install("untagged", "policy-untagged.so");
  const std::string stray = install("good", "stray.so");
  scratch_.file("plugins/README", "nothing to load");
  Catalog catalog(folder_.string());
  const std::vector<Found> list = catalog.list();
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0].file, "policy-good.so");
  ASSERT_NE(list[0].manifest, nullptr) << list[0].refusal;
  EXPECT_STREQ(list[0].manifest->name, "good");
  EXPECT_EQ(list[1].manifest, nullptr);
  EXPECT_EQ(list[1].refusal, untagged + ": carries no ABI tag; it is no hanaper plugin");
  EXPECT_EQ(list[2].manifest, nullptr);
  EXPECT_EQ(list[2].refusal, stray + ": is not called KIND-NAME.so");
}

TEST_F(LoaderTest, TakesEveryPluginThatIsShipped) {
  Catalog catalog(HANAPER_PLUGINS);
  for (const Found& found : catalog.list()) EXPECT_NE(found.manifest, nullptr) << found.refusal;
}

}  // namespace
}  // namespace hanaper::loader
