// What every plugin must do, whatever its kind.
#include "subject.hpp"

#include <hanaper/operable.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <set>
#include <thread>

namespace hanaper::kit {
namespace {

class PluginKit : public ::testing::Test {
 protected:
  Subject subject;
};

bool is_name(std::string_view text) {
  return !text.empty() &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

bool is_sentence(std::string_view text) {
  return !text.empty() && !text.ends_with('.') && text.find('\n') == std::string_view::npos;
}

TEST_F(PluginKit, SaysWhatItIs) {
  EXPECT_TRUE(is_name(manifest().kind)) << manifest().kind;
  EXPECT_TRUE(is_name(manifest().name)) << manifest().name;
  EXPECT_STRNE(manifest().version, "");
  EXPECT_STRNE(manifest().licence, "");
  EXPECT_STRNE(manifest().summary, "");
  EXPECT_EQ(std::string_view(manifest().summary).find('\n'), std::string_view::npos);
  const std::string file = std::filesystem::path(target().file).filename();
  EXPECT_EQ(file, std::string(manifest().kind) + "-" + manifest().name + ".so")
      << "the loader wants that name";
}

TEST_F(PluginKit, ExplainsEachSettingInASentenceWithoutFullStop) {
  std::set<std::string> names;
  for (std::uint32_t i = 0; i < manifest().key_count; ++i) {
    const SettingKey& key = manifest().keys[i];
    EXPECT_TRUE(names.insert(key.name).second) << key.name << " is declared twice";
    ASSERT_NE(key.doc, nullptr) << key.name;
    const std::string_view doc = key.doc;
    EXPECT_FALSE(doc.empty() || doc.ends_with('.') || doc.find('\n') != std::string_view::npos) << key.name;
  }
}

TEST_F(PluginKit, IsOfItsKind) {
  const std::string kind = manifest().kind;
  Plugin* plugin = &subject.plugin();
  const bool fits = (kind == "protocol" && dynamic_cast<Protocol*>(plugin)) ||
                    (kind == "storage" && dynamic_cast<Storage*>(plugin)) ||
                    (kind == "keys" && dynamic_cast<Keys*>(plugin)) ||
                    (kind == "authenticator" && dynamic_cast<Authenticator*>(plugin)) ||
                    (kind == "policy" && dynamic_cast<Policy*>(plugin)) ||
                    (kind == "validator" && dynamic_cast<Validator*>(plugin)) ||
                    (kind == "publisher" && dynamic_cast<Publisher*>(plugin)) ||
                    (kind == "notifier" && dynamic_cast<Notifier*>(plugin));
  EXPECT_TRUE(fits) << "its class does not derive from the interface of the kind \"" << kind << '"';
}

TEST_F(PluginKit, StartsWithTheSettingsGiven) {
  EXPECT_TRUE(subject.status()) << subject.status().error().detail;
}

TEST_F(PluginKit, StartsAgainAfterAStop) {
  subject.reopen();
  EXPECT_TRUE(subject.status()) << subject.status().error().detail;
}

TEST_F(PluginKit, MayBeCreatedAndDestroyedWithoutConfigure) {
  for (int i = 0; i < 3; ++i) EXPECT_NE(std::unique_ptr<Plugin>(manifest().create()), nullptr);
}

constexpr std::chrono::seconds stop_time{5};
Deadline stop_deadline() { return std::chrono::steady_clock::now() + stop_time; }

// plugin.hpp: "A failed start is followed by stop", and what had not been acquired is not given back.
TEST_F(PluginKit, StopsWithoutHavingStarted) {
  Status status;
  const std::unique_ptr<Plugin> plugin = subject.configured(status);
  ASSERT_TRUE(status) << status.error().detail;
  EXPECT_NO_THROW(plugin->stop(stop_deadline())) << "stop is called after a failed start too";
}

TEST_F(PluginKit, StopsTwice) {
  for (int i = 0; i < 2; ++i)
    EXPECT_NO_THROW(subject.plugin().stop(stop_deadline())) << "stop number " << i + 1;
}

TEST_F(PluginKit, StopsByItsDeadline) {
  const auto begun = std::chrono::steady_clock::now();
  subject.plugin().stop(begun + std::chrono::milliseconds{100});
  EXPECT_LT(std::chrono::steady_clock::now() - begun, stop_time) << "stop takes much longer than it may";
}

TEST_F(PluginKit, ItsThreadsEndWhenTheyAreAsked) {
  const auto threads = subject.host().threads();
  if (threads.empty()) GTEST_SKIP() << "it has none of its own so far";
  for (const auto& [name, body] : threads) {
    std::promise<void> ended;
    std::jthread thread([&ended, run = body](const std::stop_token& stop) {
      run(stop);
      ended.set_value();
    });
    thread.request_stop();
    ASSERT_EQ(ended.get_future().wait_for(stop_time), std::future_status::ready) << "thread " << name;
  }
}

// What is not so the host passes over, and the command is missing.
TEST_F(PluginKit, BringsOperationsThatTheHostCanUse) {
  const std::unique_ptr<Plugin> fresh(manifest().create());
  const auto* operable = ability_of<Operable>(*fresh);
  if (operable == nullptr) GTEST_SKIP() << "it brings none";
  std::set<std::string_view> words;
  for (const Operation& operation : operable->operations()) {
    const std::string which(operation.words);
    EXPECT_TRUE(words.insert(operation.words).second) << which << " is there twice";
    std::string joined = which;
    std::ranges::replace(joined, ' ', '-');
    EXPECT_TRUE(is_name(joined)) << which;
    EXPECT_TRUE(is_sentence(operation.summary)) << which;
    EXPECT_LT(static_cast<std::size_t>(operation.permission), permission_count) << which;
    EXPECT_TRUE(operation.http.empty() || operation.http.find(" /") != std::string_view::npos) << which;
    for (const Parameter& parameter : operation.parameters) {
      EXPECT_TRUE(is_sentence(parameter.doc)) << which << ": " << parameter.name;
      EXPECT_FALSE(parameter.type == ParameterType::place && !operation.http.empty())
          << which << ": a place never comes by HTTP, so http is empty";
      EXPECT_NE(parameter.name, "instance") << which << ": that one is the host's";
    }
  }
}

TEST_F(PluginKit, HasNoAbilityOfAnUnknownName) { EXPECT_EQ(subject.plugin().ability("no.such/1"), nullptr); }

}  // namespace
}  // namespace hanaper::kit
