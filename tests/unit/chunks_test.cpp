#include "http/chunks.hpp"
#include "http/shares.hpp"

#include <gtest/gtest.h>

namespace hanaper::http {
namespace {

TEST(Chunks, EndWhereTheReaderShouldLook) {
  struct Row {
    const char* name;
    std::string octets;
    bool ends;
  };
  const Row table[] = {
      {"nothing", "", false},
      {"a size", "5", false},
      {"a chunk", "5\r\nhello\r\n", false},
      {"the last chunk", "5\r\nhello\r\n0\r\n", false},
      {"all of it", "5\r\nhello\r\n0\r\n\r\n", true},
      {"a size with zeros", "0005\r\nhello\r\n000\r\n\r\n", true},
      {"capital digits", "A\r\n0123456789\r\n0\r\n\r\n", true},
      {"an extension", "5;a=b\r\nhello\r\n0;c\r\n\r\n", true},
      {"a trailer", "0\r\nX: y\r\n", false},
      {"the end of a trailer", "0\r\nX: y\r\n\r\n", true},
      {"an end inside of a chunk", "9\r\n0\r\n\r\n0\r\n\r", false},
      {"empty lines inside of a chunk", "8\r\n\r\n\r\n\r\n\r\n\r\n", false},
      {"more data than the size says", "2\r\nhello", true},
      {"a size beyond all numbers", "fffffffffffffffff", true},
      {"more data than there may be", "65\r\n" + std::string(101, 'x'), true},
      {"as much data as there may be", "64\r\n" + std::string(100, 'x'), false},
      {"more framing than there may be", "5;" + std::string(60, 'x'), true},
  };
  for (const Row& row : table) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(Chunks(100, 50).end_in(row.octets), row.ends);
    // However the octets come, the same.
    Chunks one_by_one(100, 50);
    bool ends = false;
    for (const char& octet : row.octets) ends = ends || one_by_one.end_in({&octet, 1});
    EXPECT_EQ(ends, row.ends);
  }
}

TEST(Shares, AreTakenInTwoBoundsAndGivenBack) {
  Shares shares(100, 40);
  EXPECT_TRUE(shares.take("a", 40));
  EXPECT_FALSE(shares.take("a", 1)) << "more than one may have";
  EXPECT_TRUE(shares.take("b", 40));
  EXPECT_FALSE(shares.take("c", 21)) << "more than there is";
  EXPECT_TRUE(shares.take("c", 20));
  EXPECT_EQ(shares.taken(), 100u);
  shares.give_back("a", 15);
  EXPECT_TRUE(shares.take("a", 10));
  EXPECT_TRUE(shares.take("c", 5));
  EXPECT_FALSE(shares.has_ebbed(50));
  shares.give_back("a", 35);
  shares.give_back("b", 40);
  EXPECT_TRUE(shares.has_ebbed(50));
  EXPECT_FALSE(shares.has_ebbed(50)) << "told once";
  EXPECT_FALSE(shares.take("d", 41)) << "more than one may have, though nobody has more";
}

}  // namespace
}  // namespace hanaper::http
