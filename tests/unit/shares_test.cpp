#include "http/shares.hpp"

#include <gtest/gtest.h>

namespace hanaper::http {
namespace {

TEST(Shares, GiveEachClientItsPartAndAllOfThemNoMoreThanThereIs) {
  Shares shares(10, 4);
  EXPECT_TRUE(shares.take("a", 4));
  EXPECT_FALSE(shares.take("a", 1));
  EXPECT_TRUE(shares.take("b", 4));
  EXPECT_FALSE(shares.take("c", 3));
  EXPECT_TRUE(shares.take("c", 2));
  shares.give_back("a", 1);
  EXPECT_TRUE(shares.take("a", 1));
  EXPECT_EQ(shares.taken(), 10u);
}

TEST(Shares, LetOneWhoStandsForManyHoldMore) {
  Shares shares(10, 2);
  EXPECT_TRUE(shares.take("many", 7, 8));
  EXPECT_FALSE(shares.take("many", 2, 8));
  EXPECT_FALSE(shares.take("many", 1)) << "as a client";
  EXPECT_TRUE(shares.take("many", 3, 20)) << "all there is";
  EXPECT_FALSE(shares.take("many", 1, 20));
}

TEST(Shares, PassOnWhatAnotherMayHold) {
  Shares shares(10, 2);
  EXPECT_TRUE(shares.take("many", 8, 10));
  EXPECT_TRUE(shares.pass_on("many", "a", 2, shares.each()));
  EXPECT_FALSE(shares.pass_on("many", "a", 1, shares.each()));
  EXPECT_TRUE(shares.pass_on("many", "b", 1, shares.each()));
  EXPECT_TRUE(shares.pass_on("b", "b", 1, 0)) << "to itself";
  EXPECT_EQ(shares.taken(), 8u);
  EXPECT_FALSE(shares.take("a", 1));
  shares.give_back("many", 5);
  shares.give_back("a", 2);
  shares.give_back("b", 1);
  EXPECT_EQ(shares.taken(), 0u);
}

}  // namespace
}  // namespace hanaper::http
