#include <hanaper/toolkit/time_text.hpp>

#include <gtest/gtest.h>

namespace hanaper {
namespace {

using namespace std::chrono;

TEST(TimeText, WritesRfc3339AndHttpDates) {
  const Time time = sys_days{2026y / November / 21} + 18h + 5min + 9s + 7ms;
  EXPECT_EQ(time_text(time), "2026-11-21T18:05:09Z");
  EXPECT_EQ(time_text_ms(time), "2026-11-21T18:05:09.007Z");
  EXPECT_EQ(http_date(time), "Sat, 21 Nov 2026 18:05:09 GMT");
}

TEST(TimeText, ReadsRfc3339WithOffsetsAndFractions) {
  const Time expected = sys_days{2026y / November / 21} + 18h + 5min + 9s;
  for (const char* text : {"2026-11-21T18:05:09Z", "2026-11-21t18:05:09z", "2026-11-21T20:05:09+02:00",
                           "2026-11-21T13:35:09-04:30"})
    EXPECT_EQ(*parse_time_text(text), expected) << text;
  EXPECT_EQ(*parse_time_text("2026-11-21T18:05:09.123456Z"), expected + 123ms);
  for (const char* bad :
       {"", "2026-11-21", "2026-11-21 18:05:09Z", "2026-02-30T00:00:00Z", "2026-11-21T24:00:00Z",
        "2026-11-21T18:05:09", "2026-11-21T18:05:09.Z", "2026-11-21T18:05:09+0200", "1969-12-31T23:59:59Z"})
    EXPECT_FALSE(parse_time_text(bad).has_value()) << bad;
}

TEST(TimeText, ReadsHttpDatesInAllForms) {
  const Time now = sys_days{2026y / November / 21},
             expected = sys_days{1994y / November / 6} + 8h + 49min + 37s;
  for (const char* text :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"})
    EXPECT_EQ(*parse_http_date(text, now), expected) << text;
  EXPECT_EQ(*parse_http_date("Saturday, 21-Nov-76 00:00:00 GMT", now), sys_days{2076y / November / 21});
  EXPECT_EQ(*parse_http_date("Monday, 21-Nov-77 00:00:00 GMT", now), sys_days{1977y / November / 21});
  EXPECT_EQ(*parse_http_date(http_date(now), now), now);
  for (const char* bad : {"", "Sun", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET",
                          "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
                          "Sun, 06 Nvo 1994 08:49:37 GMT", "Sun, 0x Nov 1994 08:49:37 GMT", "784111777",
                          "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT"})
    EXPECT_FALSE(parse_http_date(bad, now)) << bad;
}

TEST(Durations, AreReadAndWrittenInTheLargestUnit) {
  EXPECT_EQ(*parse_duration("90d"), days{90});
  EXPECT_EQ(*parse_duration("500ms"), 500ms);
  EXPECT_EQ(*parse_duration("2w"), days{14});
  EXPECT_EQ(duration_text(days{90}), "90d");
  EXPECT_EQ(duration_text(90s), "90s");
  EXPECT_EQ(duration_text(1500ms), "1500ms");
  for (const char* bad :
       {"", "d", "90", "-1d", "1.5d", "90 d", "90D", "99999999999999999999d", "9999999999999999d"})
    EXPECT_FALSE(parse_duration(bad).has_value()) << bad;
}

TEST(Sizes, AreReadAndWrittenInTheLargestUnit) {
  EXPECT_EQ(parse_size("64KiB")->value, 65536u);
  EXPECT_EQ(parse_size("100")->value, 100u);
  EXPECT_EQ(size_text(ByteCount{65536}), "64KiB");
  EXPECT_EQ(size_text(ByteCount{1000}), "1000");
  for (const char* bad : {"", "KiB", "64kb", "64 KiB", "-1"})
    EXPECT_FALSE(parse_size(bad).has_value()) << bad;
}

}  // namespace
}  // namespace hanaper
