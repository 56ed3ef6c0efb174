#include "services/log.hpp"

#include "scratch.hpp"

#include <hanaper/toolkit/json.hpp>

#include <gtest/gtest.h>

#include <algorithm>

namespace hanaper::services {
namespace {

const Time at =
    Time{std::chrono::sys_days{std::chrono::year{2026} / 11 / 21}} + std::chrono::milliseconds{66'001};

std::string text_line(std::initializer_list<LogField> fields, std::string_view instance = "") {
  return format_line(false, at, LogLevel::warning, instance, "it happened", fields);
}

struct Quoted {
  std::string value;
  std::string written;
};

TEST(LogText, IsOneLineForPeople) {
  EXPECT_EQ(format_line(false, at, LogLevel::info, "", "ready", {}),
            "2026-11-21T00:01:06.001Z info    ready");
  EXPECT_EQ(format_line(false, at, LogLevel::debug, "", "ready", {}),
            "2026-11-21T00:01:06.001Z debug   ready");
  EXPECT_EQ(text_line({{"file", "a.toml"}, {"count", "5"}}, "protocol.acme"),
            "2026-11-21T00:01:06.001Z warning protocol.acme: it happened file=a.toml count=5");
}

TEST(LogText, QuotesWhatWouldReadAsSomethingElse) {
  const Quoted table[] = {
      {"plain", "plain"},
      {"", "\"\""},
      {"two words", "\"two words\""},
      {"a=b", "\"a=b\""},
      {"say \"hi\"", "\"say \\\"hi\\\"\""},
      {"back\\slash", "back\\slash"},
      {"one\ntwo level=error forged", "\"one\\ntwo level=error forged\""},
      {"\r\x1b[31mred", "\"\\r\\u001b[31mred\""},
      {std::string("nul\0nul", 7), "\"nul\\u0000nul\""},
      {"\x7f", "\"\\u007f\""},
      {"\xc3\xa4", "\"\xc3\xa4\""},
      {"\xff", "\"\xef\xbf\xbd\""},
  };
  for (const Quoted& test : table)
    EXPECT_EQ(text_line({{"value", test.value}}), text_line({}) + " value=" + test.written);
}

TEST(LogText, LetsNoMessageMakeTwoLines) {
  const std::string line = format_line(false, at, LogLevel::error, "policy.x", "one\n2026 error two", {});
  EXPECT_EQ(line, "2026-11-21T00:01:06.001Z error   policy.x: \"one\\n2026 error two\"");
}

TEST(LogJson, IsOneObjectForMachines) {
  EXPECT_EQ(format_line(true, at, LogLevel::error, "storage.main", "it happened", {{"file", "a.toml"}}),
            R"({"time":"2026-11-21T00:01:06.001Z","level":"error","instance":"storage.main",)"
            R"("message":"it happened","file":"a.toml"})");
  EXPECT_EQ(format_line(true, at, LogLevel::info, "", "ready", {}),
            R"({"time":"2026-11-21T00:01:06.001Z","level":"info","message":"ready"})");
}

TEST(LogJson, KeepsHostileTextInsideItsString) {
  for (const std::string& hostile :
       {std::string("\",\"level\":\"info"), std::string("\\"), std::string("a\nb\r\tc"),
        std::string("\0\x1f", 2), std::string("}\n{\"time\":\"forged\"}"), std::string("\xf0\x9f\x92\xa9")}) {
    const std::string line = format_line(true, at, LogLevel::warning, "x", hostile, {{"value", hostile}});
    EXPECT_EQ(std::ranges::count(line, '\n'), 0);
    const auto parsed = json::parse(line);
    ASSERT_TRUE(parsed.has_value()) << line;
    EXPECT_EQ(parsed->object()->size(), 5u);
    EXPECT_EQ(parsed->text_at("message"), hostile);
    EXPECT_EQ(parsed->text_at("value"), hostile);
    EXPECT_EQ(parsed->text_at("level"), "warning");
  }
  EXPECT_TRUE(
      json::parse(format_line(true, at, LogLevel::info, "", "\xff\xfe", {{"v", "\xc0\x80"}})).has_value());
}

class LoggerTest : public ::testing::Test {
 protected:
  config::LogConfig to(const std::string& file, std::string level = "info",
                       std::string format = "text") const {
    return {std::move(level), std::move(format), file, ByteCount{64 * 1024}};
  }
  std::vector<std::string> lines(const std::string& file) const {
    std::vector<std::string> list;
    std::ifstream stream(file);
    for (std::string line; std::getline(stream, line);) list.push_back(line.substr(line.find(' ') + 1));
    return list;
  }
  const test::Scratch scratch_;
};

TEST_F(LoggerTest, WritesWhatIsAtLeastAsGraveAsItsLevel) {
  Logger logger;
  const std::string file = scratch_ / "a.log";
  ASSERT_TRUE(logger.apply(to(file, "warning")).has_value());
  logger.debug("no");
  logger.info("no");
  logger.warning("yes");
  logger.error("yes", {{"a", "b"}});
  EXPECT_EQ(lines(file), (std::vector<std::string>{"warning yes", "error   yes a=b"}));
}

TEST_F(LoggerTest, NamesTheInstanceThatSpeaks) {
  Logger logger;
  const std::string file = scratch_ / "a.log";
  ASSERT_TRUE(logger.apply(to(file)).has_value());
  InstanceLog instance(logger, "keys.soft");
  instance.info("opened");
  EXPECT_EQ(lines(file), std::vector<std::string>{"info    keys.soft: opened"});
}

TEST_F(LoggerTest, GoesOnWhereItWasWhenAnotherFileCannotBeOpened) {
  Logger logger;
  const std::string file = scratch_ / "a.log";
  ASSERT_TRUE(logger.apply(to(file)).has_value());
  scratch_.file("occupied", "");
  const Status applied = logger.apply(to(scratch_ / "occupied/b.log", "error", "json"));
  ASSERT_FALSE(applied.has_value());
  EXPECT_EQ(applied.error().code, Code::unavailable);
  EXPECT_TRUE(applied.error().detail.starts_with("log.file: ")) << applied.error().detail;
  logger.info("still here");
  EXPECT_EQ(lines(file), std::vector<std::string>{"info    still here"});
}

TEST_F(LoggerTest, ChangesToAnotherFileAndForm) {
  Logger logger;
  ASSERT_TRUE(logger.apply(to(scratch_ / "a.log")).has_value());
  logger.info("first");
  ASSERT_TRUE(logger.apply(to(scratch_ / "b.log", "info", "json")).has_value());
  logger.info("second");
  EXPECT_EQ(lines(scratch_ / "a.log"), std::vector<std::string>{"info    first"});
  EXPECT_EQ(json::parse(test::text_of(scratch_ / "b.log"))->text_at("message"), "second");
}

TEST_F(LoggerTest, RotatesBySizeAndKeepsFive) {
  Logger logger;
  ASSERT_TRUE(logger.apply(to(scratch_ / "a.log")).has_value());
  for (int i = 0; i < 20 * 64; ++i) logger.info("filling", {{"value", std::string(1024, 'x')}});
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(scratch_.path())) {
    EXPECT_LE(entry.file_size(), 64u * 1024);
    ++files;
  }
  EXPECT_EQ(files, 6u);
}

}  // namespace
}  // namespace hanaper::services
