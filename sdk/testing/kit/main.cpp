// hanaper-kit: runs the conformance kit of a plugin's kind against its shared object.
#include "subject.hpp"

#include <gtest/gtest.h>

#include <cstdio>

int main(int count, char** words) {
  ::testing::InitGoogleTest(&count, words);
  if (count < 2) {
    std::fprintf(stderr,
                 "usage: hanaper-kit PLUGIN.so [--before=COMMAND] [KEY=VALUE]... [--gtest_filter=...]\n"
                 "values may hold {folder}, a fresh folder for each test; COMMAND is run before each test\n");
    return 2;
  }
  hanaper::kit::target().file = words[1];
  for (int i = 2; i < count; ++i) {
    const std::string word = words[i];
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) {
      std::fprintf(stderr, "hanaper-kit: \"%s\" is not KEY=VALUE\n", words[i]);
      return 2;
    }
    if (word.starts_with("--before="))
      hanaper::kit::target().before = word.substr(equals + 1);
    else
      hanaper::kit::target().settings.emplace_back(word.substr(0, equals), word.substr(equals + 1));
  }
  // PluginKit is everybody's; the tests of a kind are named after it: StorageKit, StorageKitNodes, KeysKit,
  // ...
  const std::string kind = hanaper::kit::manifest().kind;
  const std::string own =
      "PluginKit.*:" + std::string(1, static_cast<char>(kind[0] - 32)) + kind.substr(1) + "Kit*";
  if (::testing::GTEST_FLAG(filter) == "*") ::testing::GTEST_FLAG(filter) = own;
  const int result = RUN_ALL_TESTS();
  const int run = ::testing::UnitTest::GetInstance()->test_to_run_count();
  if (run == 0) std::fprintf(stderr, "hanaper-kit: no test of that name\n");
  return run == 0 ? 2 : result;
}
