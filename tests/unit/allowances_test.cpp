#include <hanaper/toolkit/allowances.hpp>

#include <gtest/gtest.h>

#include <string>

namespace hanaper {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

const Time start = std::chrono::sys_days{std::chrono::year{2026} / 11 / 22};

TEST(Allowances, LetThroughACountAndThenOneInATime) {
  Allowances allowances(3, minutes{30});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(allowances.take("a", start), milliseconds{0}) << i;
  EXPECT_EQ(allowances.take("a", start), minutes{10});
  EXPECT_EQ(allowances.wait("a", start), minutes{10}) << "who had to wait is not counted";
  EXPECT_EQ(allowances.wait("b", start), milliseconds{0});
  EXPECT_EQ(allowances.take("a", start + minutes{9}), minutes{1});
  EXPECT_EQ(allowances.take("a", start + minutes{10}), milliseconds{0});
  EXPECT_EQ(allowances.take("a", start + minutes{10}), minutes{10});
}

TEST(Allowances, AreOverdrawnByWhatIsChargedButNotForEver) {
  Allowances allowances(3, minutes{30});
  for (int i = 0; i < 1000; ++i) allowances.charge("a", start);
  EXPECT_EQ(allowances.wait("a", start), minutes{40});
  EXPECT_EQ(allowances.wait("a", start + minutes{40}), milliseconds{0});
  allowances.forgive("a");
  EXPECT_EQ(allowances.wait("a", start), milliseconds{0});
  allowances.forgive("b");
}

TEST(Allowances, StayWithThoseWhoHaveUsedTheMost) {
  const struct {
    const char* name;
    int used;  // of ten, before many others come
    int others;
    bool stays;
  } table[] = {{"all of it, a thousand others", 10, 1000, true},
               {"all of it, half a million others", 10, 500'000, true},
               {"more than the others, half a million of them", 5, 500'000, true}};
  for (const auto& row : table) {
    SCOPED_TRACE(row.name);
    Allowances allowances(10, minutes{10});
    for (int i = 0; i < row.used; ++i) EXPECT_EQ(allowances.take("a", start), milliseconds{0});
    for (int i = 0; i < row.others; ++i)
      EXPECT_EQ(allowances.take("other " + std::to_string(i), start), milliseconds{0});
    for (int i = row.used; i < 10; ++i) EXPECT_EQ(allowances.take("a", start), milliseconds{0});
    EXPECT_EQ(allowances.wait("a", start).count() != 0, row.stays);
  }
}

}  // namespace
}  // namespace hanaper
