// What others keep in files of what they have issued: lines of index.txt, and entries as they are handed
// over.
#include "operations/foreign.hpp"

#include <hanaper/toolkit/time_text.hpp>

#include <gtest/gtest.h>

namespace hanaper::operations {
namespace {

using Reason = RevocationReason;
using validity::IndexEntry;

struct Line {
  const char* name;
  std::string line;
  const char* entry;  // as entry_text has it; empty: refused
  const char* refusal = "";
};
std::ostream& operator<<(std::ostream& out, const Line& line) { return out << line.name; }

class IndexLines : public ::testing::TestWithParam<Line> {};

TEST_P(IndexLines, AreReadOrRefusedInWords) {
  const auto entry = validity::parse_index_line(GetParam().line);
  if (*GetParam().entry != '\0') {
    ASSERT_TRUE(entry) << entry.error().detail;
    EXPECT_EQ(entry_text(*entry), GetParam().entry);
    return;
  }
  ASSERT_FALSE(entry);
  EXPECT_NE(entry.error().detail.find(GetParam().refusal), std::string::npos) << entry.error().detail;
}

const Line lines[] = {
    {"one that is valid", "V\t301231235959Z\t\t1000\tunknown\t/CN=a", "1000,2030-12-31T23:59:59Z"},
    {"one with a short number", "V\t301231235959Z\t\t1\tunknown\t/CN=a", "01,2030-12-31T23:59:59Z"},
    {"a number that needs a sign", "V\t301231235959Z\t\tFF\tunknown\t/CN=a", "00ff,2030-12-31T23:59:59Z"},
    {"one that has expired", "E\t991231235959Z\t\t02\tunknown\t/CN=a", "02,1999-12-31T23:59:59Z"},
    {"a year of four digits", "V\t20501231235959Z\t\t02\tunknown\t/CN=a", "02,2050-12-31T23:59:59Z"},
    {"a line end of Windows", "V\t301231235959Z\t\t02\tunknown\t/CN=a\r", "02,2030-12-31T23:59:59Z"},
    {"a tab in the subject", "V\t301231235959Z\t\t02\tunknown\t/CN=a\\\tb", "02,2030-12-31T23:59:59Z"},
    {"a subject without octets", "V\t301231235959Z\t\t02\tunknown\t", "02,2030-12-31T23:59:59Z"},
    {"a revocation without a reason", "R\t301231235959Z\t251201000000Z\t03\tunknown\t/CN=a",
     "03,2030-12-31T23:59:59Z,2025-12-01T00:00:00Z,unspecified,"},
    {"a reason", "R\t301231235959Z\t251201000000Z,superseded\t03\tunknown\t/CN=a",
     "03,2030-12-31T23:59:59Z,2025-12-01T00:00:00Z,superseded,"},
    {"OpenSSL's spelling", "R\t301231235959Z\t251201000000Z,CACompromise\t03\tunknown\t/CN=a",
     "03,2030-12-31T23:59:59Z,2025-12-01T00:00:00Z,cACompromise,"},
    {"a hold", "R\t301231235959Z\t251201000000Z,holdInstruction,holdInstructionReject\t03\tunknown\t/CN=a",
     "03,2030-12-31T23:59:59Z,2025-12-01T00:00:00Z,certificateHold,"},
    {"a key that leaked earlier",
     "R\t301231235959Z\t251201000000Z,keyTime,20251101000000Z\t03\tunknown\t/CN=a",
     "03,2030-12-31T23:59:59Z,2025-12-01T00:00:00Z,keyCompromise,2025-11-01T00:00:00Z"},
    {"an authority's key", "R\t301231235959Z\t251201000000Z,CAkeyTime,20251101000000Z\t03\tunknown\t/CN=a",
     "03,2030-12-31T23:59:59Z,2025-12-01T00:00:00Z,cACompromise,2025-11-01T00:00:00Z"},
    {"nothing", "", "", "has no six columns"},
    {"five columns", "V\t301231235959Z\t\t02\tunknown", "", "has no six columns"},
    {"blanks for tabs", "V 301231235959Z  02 unknown /CN=a", "", "has no six columns"},
    {"another state", "X\t301231235959Z\t\t02\tunknown\t/CN=a", "", "another state than V, R or E"},
    {"no date", "V\t\t\t02\tunknown\t/CN=a", "", "is no date"},
    {"a month that there is not", "V\t301331235959Z\t\t02\tunknown\t/CN=a", "", "is no date"},
    {"a time without seconds", "V\t3012312359Z\t\t02\tunknown\t/CN=a", "", "is no date"},
    {"no number", "V\t301231235959Z\t\t\tunknown\t/CN=a", "", "serial number"},
    {"the number zero", "V\t301231235959Z\t\t00\tunknown\t/CN=a", "", "serial number is zero"},
    {"a number below zero", "V\t301231235959Z\t\t-01\tunknown\t/CN=a", "", "serial number is negative"},
    {"a number that is no number", "V\t301231235959Z\t\txyz\tunknown\t/CN=a", "", "serial number"},
    {"a number too long", "V\t301231235959Z\t\t" + std::string(42, '7') + "\tunknown\t/CN=a", "",
     "1 to 20 octets"},
    {"a revocation without time", "R\t301231235959Z\t\t03\tunknown\t/CN=a", "", "says not when"},
    {"a time without revocation", "V\t301231235959Z\t251201000000Z\t03\tunknown\t/CN=a", "", "and is not"},
    {"a reason that there is not", "R\t301231235959Z\t251201000000Z,whim\t03\tunknown\t/CN=a", "",
     "\"whim\" is no reason"},
    {"a reason that would move a cursor", "R\t301231235959Z\t251201000000Z,\x1b[2Jwhim\t03\tunknown\t/CN=a",
     "", "\"?[2Jwhim\" is no reason"},
    {"a leak without time", "R\t301231235959Z\t251201000000Z,keyTime\t03\tunknown\t/CN=a", "", "is no date"},
    {"a line without end", std::string(20'000, 'V'), "", "longer than 16 KiB"},
};
INSTANTIATE_TEST_SUITE_P(Lines, IndexLines, ::testing::ValuesIn(lines));

TEST(IndexTexts, AreToldByOneOfTheirFirstLines) {
  EXPECT_TRUE(validity::is_index("V\t301231235959Z\t\t1000\tunknown\t/CN=a\n"));
  EXPECT_TRUE(validity::is_index("nonsense\nR\t301231235959Z\t\t1000\tunknown\t/CN=a\n"));
  EXPECT_FALSE(validity::is_index("nonsense\n"));
  EXPECT_FALSE(validity::is_index(""));
  EXPECT_FALSE(validity::is_index(std::string(20, '\n') + "V\t301231235959Z\t\t1000\tunknown\t/CN=a\n"));
}

TEST(Entries, AreWrittenAsTheyAreRead) {
  for (const char* text :
       {"01,", "01,2030-12-31T23:59:59Z", "00ff,,2025-12-01T00:00:00Z,unspecified,",
        "0a,2030-12-31T23:59:59Z,2025-12-01T00:00:00Z,aACompromise,2025-11-01T00:00:00Z"}) {
    const auto entry = parse_entry(text);
    ASSERT_TRUE(entry) << text << ": " << entry.error().detail;
    EXPECT_EQ(entry_text(*entry), text);
  }
  EXPECT_TRUE(parse_entry("01"));
  for (const char* text :
       {"", ",", "00,", "xy,", "01,yesterday", "01,,,keyCompromise", "01,,2025-12-01T00:00:00Z,whim",
        "01,,2025-12-01T00:00:00Z,unused", "01,,,,2025-12-01T00:00:00Z", "01,,,,,more"})
    EXPECT_FALSE(parse_entry(text)) << text;
}

struct News {
  const char* name;
  std::optional<Reason> stored;
  bool released;
  std::optional<Reason> said;
  bool adds;
};

TEST(Revocations, AreTakenWhereTheLedgerHasItBetterAndNeverReleased) {
  const News all[] = {
      {"nothing is said of a good one", {}, false, {}, false},
      {"a good one is revoked", {}, false, Reason::superseded, true},
      {"a good one is on hold", {}, false, Reason::certificate_hold, true},
      {"a release says nothing", Reason::certificate_hold, false, Reason::remove_from_crl, false},
      {"a hold is a hold", Reason::certificate_hold, false, Reason::certificate_hold, false},
      {"a hold becomes final", Reason::certificate_hold, false, Reason::unspecified, true},
      {"a revocation stays one", Reason::superseded, false, Reason::certificate_hold, false},
      {"a reason stays", Reason::superseded, false, Reason::unspecified, false},
      {"a compromise is worse", Reason::superseded, false, Reason::key_compromise, true},
      {"a compromise is one", Reason::key_compromise, false, Reason::key_compromise, false},
      {"a hold that ended here stays ended", {}, true, Reason::certificate_hold, false},
      {"what ended here may be over", {}, true, Reason::superseded, true},
  };
  for (const News& news : all) {
    CertificateRow row;
    row.revoked = news.stored;
    row.released = news.released;
    IndexEntry said;
    if (news.said) said.revoked_at = Time{};
    said.reason = news.said.value_or(Reason::unspecified);
    EXPECT_EQ(adds_to(row, said), news.adds) << news.name;
  }
}

}  // namespace
}  // namespace hanaper::operations
