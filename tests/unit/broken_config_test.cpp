// tests/data/config/broken: one mistake each, and beside it exactly what `hanaper check` says.
#include "node/node.hpp"
#include "scratch.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace hanaper {
namespace {

namespace fs = std::filesystem;

const fs::path data = fs::path(HANAPER_TEST_DATA) / "config" / "broken";

std::vector<std::string> configurations() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(data))
    if (entry.path().extension() == ".toml") names.push_back(entry.path().stem());
  std::ranges::sort(names);
  return names;
}

// The folder as an operator has it: beside the configurations a state folder with pins of every kind, and the
// plugins that the configurations speak of.
class BrokenConfig : public ::testing::TestWithParam<std::string> {
 protected:
  static void SetUpTestSuite() {
    scratch_ = std::make_unique<test::Scratch>();
    fs::copy(data, scratch_->path(), fs::copy_options::recursive);
    scratch_->file("state/pin", "a-pin-of-some-length\n");
    scratch_->file("state/open-pin", "a-pin-of-some-length\n", 0644);
    scratch_->file("state/empty-pin", "");
    scratch_->file("state/short-pin", "short\n");
    fs::create_directory(scratch_->path() / "plugins");
    for (const char* plugin :
         {"storage-sqlite.so", "keys-softtoken.so", "policy-names.so", "validator-lint.so",
          "validator-caa.so", "protocol-acme.so", "protocol-crl.so", "protocol-ocsp.so"})
      fs::create_symlink(fs::path(HANAPER_PLUGINS) / plugin, scratch_->path() / "plugins" / plugin);
    ::unsetenv("CREDENTIALS_DIRECTORY");
    before_ = fs::current_path();
    fs::current_path(scratch_->path());
    catalog_ = std::make_unique<loader::Catalog>("plugins");
  }
  static void TearDownTestSuite() {
    catalog_.reset();
    fs::current_path(before_);
    scratch_.reset();
  }

  // What `hanaper check` does: read, make the model, configure every plugin, look into the files.
  static std::vector<std::string> check(const std::string& file) {
    config::Messages messages;
    const config::Table root = config::read(file, {}, messages);
    if (!messages.empty()) return messages.lines();
    config::Model model = config::make_model(
        root, [](std::string_view kind, std::string_view plugin) { return catalog_->find(kind, plugin); },
        true, messages);
    if (!messages.empty()) return messages.lines();
    services::Logger logger;
    static_cast<void>(logger.apply({"error", "text", "", {}}));
    Node node(std::move(model), *catalog_, logger);
    if (std::vector<std::string> failures = node.configure(); !failures.empty()) return failures;
    std::vector<std::string> lines;
    for (const Error& failure : node.check_files()) lines.push_back(failure.detail);
    return lines;
  }

  static inline std::unique_ptr<test::Scratch> scratch_;
  static inline std::unique_ptr<loader::Catalog> catalog_;
  static inline fs::path before_;
};

TEST_P(BrokenConfig, IsRefusedInTheseWords) {
  const std::string here = scratch_->path().string() + "/";
  std::string said;
  for (std::string line : check(GetParam() + ".toml")) {
    for (std::size_t at = line.find(here); at != std::string::npos; at = line.find(here))
      line.erase(at, here.size());
    said += line + "\n";
  }
  EXPECT_EQ(said, test::text_of(data / (GetParam() + ".expected")));
}

INSTANTIATE_TEST_SUITE_P(Data, BrokenConfig, ::testing::ValuesIn(configurations()), [](const auto& test) {
  std::string name = test.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

TEST(BrokenConfigs, EachHaveTheirWords) {
  EXPECT_GE(configurations().size(), 100u);
  for (const std::string& name : configurations())
    EXPECT_TRUE(fs::exists(data / (name + ".expected"))) << name;
}

}  // namespace
}  // namespace hanaper
