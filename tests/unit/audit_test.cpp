#include "services/audit.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/json.hpp>

#include <gtest/gtest.h>

#include <functional>

namespace hanaper::services {
namespace {

const Time start = Time{std::chrono::sys_days{std::chrono::year{2026} / 11 / 21}};

// A ledger that is nothing but the audit pages it was given.
class Pages final : public Ledger {
 public:
  explicit Pages(std::vector<AuditPage> pages) : pages_(std::move(pages)) {}
  Result<std::vector<AuditPage>> audit(std::string_view, std::uint64_t after, std::uint32_t limit) override {
    std::vector<AuditPage> found;
    for (const AuditPage& page : pages_)
      if (page.sequence > after && found.size() < limit) found.push_back(page);
    return found;
  }
  Result<std::vector<AuthorityRow>> authorities() override { return none(); }
  Result<CertificateRow> certificate(AuthorityId, const Serial&) override { return none(); }
  Result<std::vector<CertificateRow>> search(const CertificateQuery&) override { return none(); }
  Result<std::vector<CertificateRow>> issued_since(std::string&, std::uint32_t) override { return none(); }
  Result<std::vector<RevocationRow>> revocations(AuthorityId, std::uint32_t, const Serial&,
                                                 std::uint32_t) override {
    return none();
  }
  Result<std::vector<RevocationRow>> revoked_since(std::string&, std::uint32_t) override { return none(); }
  Result<std::string> feed_cursor() override { return none(); }
  Result<std::vector<CrlRow>> crls(AuthorityId, std::uint32_t, std::uint32_t) override { return none(); }
  Result<CrlRow> newest_crl(AuthorityId, std::uint32_t, bool) override { return none(); }
  Result<std::vector<Fingerprint>> blocked_keys(const Fingerprint&, std::uint32_t) override { return none(); }
  Result<std::vector<ExpiryChange>> expiries() override { return none(); }
  Result<WriterState> writer(std::string_view) override { return none(); }
  Result<std::vector<std::string>> audit_nodes() override { return none(); }

 private:
  static Error none() { return unsupported("not here"); }
  const std::vector<AuditPage> pages_;
};

std::vector<AuditPage> chain(std::size_t length, std::chrono::seconds step = std::chrono::seconds{1}) {
  std::vector<AuditPage> pages;
  WriterState state;
  for (std::size_t i = 0; i < length; ++i) {
    const Time at = start + step * static_cast<int>(i);
    AuditPage page = next_page(state, at, audit_line(at, "signed", {{"serial", std::to_string(i)}}));
    state.audit_sequence = page.sequence;
    state.audit_hash = page.hash;
    state.audit_at = page.at;
    pages.push_back(std::move(page));
  }
  return pages;
}

Result<AuditVerdict> verify(std::vector<AuditPage> pages) {
  Pages ledger(std::move(pages));
  return verify_audit(ledger, "main");
}

void expect_broken(std::vector<AuditPage> pages, const std::string& message) {
  const auto verdict = verify(std::move(pages));
  ASSERT_FALSE(verdict.has_value());
  EXPECT_EQ(verdict.error().code, Code::internal);
  EXPECT_EQ(verdict.error().detail, "audit of node main, page " + message);
}

TEST(AuditLine, IsAnObjectWithoutEmptyFields) {
  EXPECT_EQ(
      audit_line(start, "signed", {{"serial", "0f"}, {"profile", ""}, {"call", "c1"}}),
      "{\"time\":\"2026-11-21T00:00:00.000Z\",\"event\":\"signed\",\"serial\":\"0f\",\"call\":\"c1\"}\n");
}

TEST(AuditLine, KeepsHostileTextInsideItsString) {
  const std::string hostile = "x\"}\n{\"event\":\"forged";
  const std::string line = audit_line(start, "sign.intent", {{"requester", hostile}});
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto parsed = json::parse(std::string_view(line).substr(0, line.size() - 1));
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->text_at("requester"), hostile);
  EXPECT_EQ(parsed->text_at("event"), "sign.intent");
}

TEST(AuditPage, HashesWhatTheHeaderSaysItHashes) {
  AuditPage page;
  page.previous.fill(0xab);
  page.sequence = 0x0102030405060708;
  page.at = Time{std::chrono::milliseconds{0x1112131415161718}};
  page.text = "line\n";
  Bytes input(32, 0xab);
  const Bytes rest = {1,    2,    3,    4,    5,    6,   7,   8,   0x11, 0x12, 0x13,
                      0x14, 0x15, 0x16, 0x17, 0x18, 'l', 'i', 'n', 'e',  '\n'};
  input.insert(input.end(), rest.begin(), rest.end());
  EXPECT_EQ(page_hash(page), crypto::sha256(input));
}

TEST(AuditChain, IsWholeAsItWasWritten) {
  for (const std::size_t length : {0u, 1u, 2u, 255u, 256u, 257u, 600u}) {
    SCOPED_TRACE(length);
    const std::vector<AuditPage> pages = chain(length);
    const auto verdict = verify(pages);
    ASSERT_TRUE(verdict.has_value()) << verdict.error().detail;
    EXPECT_EQ(verdict->pages, length);
    EXPECT_EQ(verdict->lines, length);
    EXPECT_EQ(verdict->last.has_value(), length != 0);
    if (length != 0) {
      EXPECT_EQ(verdict->head, pages.back().hash);
      EXPECT_EQ(verdict->last, pages.back().at);
    }
  }
}

TEST(AuditChain, AllowsPagesOfTheSameMoment) {
  EXPECT_TRUE(verify(chain(5, std::chrono::seconds{0})).has_value());
}

struct Earlier {
  const char* name;
  std::string text;  // of a page that is older than the one before it
  bool whole;
};

TEST(AuditChain, GoesBackInTimeOnlyWhereItSaysSoItself) {
  const std::vector<AuditPage> before = chain(3);
  const Time last = before.back().at, at = start - std::chrono::days{7};
  const std::string line = clock_accepted_line(at, last, "command:alice");
  const Earlier pages[] = {
      {"without a word", audit_line(at, "signed", {}), false},
      {"accepted", line, true},
      {"accepted among others", audit_line(at, "signed", {}) + line + audit_line(at, "signed", {}), true},
      {"accepted for another page", clock_accepted_line(at, start, "command:alice"), false},
      {"in the words of somebody else",
       audit_line(at, "signed", {{"requester", line}, {"last", "2026-11-21T00:00:02.000Z"}}), false},
      {"in something that is no line", "clock.accepted\n", false},
  };
  for (const Earlier& page : pages) {
    std::vector<AuditPage> all = before;
    WriterState state;
    state.audit_sequence = before.back().sequence;
    state.audit_hash = before.back().hash;
    all.push_back(next_page(state, at, page.text));
    EXPECT_EQ(verify(all).has_value(), page.whole) << page.name;
  }
}

TEST(AuditChain, BreaksWhenATextIsChanged) {
  std::vector<AuditPage> pages = chain(5);
  pages[2].text[40] ^= 1;
  expect_broken(pages, "3: its text has been changed");
}

TEST(AuditChain, BreaksWhenATimeIsChanged) {
  std::vector<AuditPage> pages = chain(5);
  pages[2].at += std::chrono::milliseconds{1};
  expect_broken(pages, "3: its text has been changed");
}

TEST(AuditChain, BreaksWhenATextIsChangedTogetherWithItsHash) {
  std::vector<AuditPage> pages = chain(5);
  pages[2].text = "{}\n";
  pages[2].hash = page_hash(pages[2]);
  expect_broken(pages, "4: does not follow the page before it");
}

TEST(AuditChain, BreaksWhenAPageIsTakenOut) {
  for (const std::size_t taken : {0u, 1u, 3u}) {
    SCOPED_TRACE(taken);
    std::vector<AuditPage> pages = chain(5);
    pages.erase(pages.begin() + static_cast<std::ptrdiff_t>(taken));
    expect_broken(pages, std::to_string(taken + 2) + ": page " + std::to_string(taken + 1) + " is missing");
  }
}

TEST(AuditChain, BreaksWhenAPageIsTakenOutAndTheRestNumberedAnew) {
  std::vector<AuditPage> pages = chain(5);
  pages.erase(pages.begin() + 2);
  pages[2].sequence = 3;
  pages[3].sequence = 4;
  expect_broken(pages, "3: does not follow the page before it");
}

TEST(AuditChain, BreaksWhenPagesChangePlaces) {
  std::vector<AuditPage> pages = chain(5);
  std::swap(pages[2].text, pages[3].text);
  expect_broken(pages, "3: its text has been changed");
  pages = chain(5);
  std::swap(pages[2], pages[3]);
  std::swap(pages[2].sequence, pages[3].sequence);
  expect_broken(pages, "3: does not follow the page before it");
}

TEST(AuditChain, BreaksWhenAPageOfAnotherChainIsPutIn) {
  std::vector<AuditPage> pages = chain(5);
  pages[2] = chain(5, std::chrono::seconds{2})[2];
  expect_broken(pages, "3: does not follow the page before it");
}

TEST(AuditChain, BreaksWhenTimeGoesBackAlthoughEveryHashFits) {
  std::vector<AuditPage> pages = chain(3);
  WriterState state;
  state.audit_sequence = 3;
  state.audit_hash = pages.back().hash;
  pages.push_back(next_page(state, start, "{}\n"));
  expect_broken(pages, "4: is older than the page before it");
}

// Nothing in the chain tells where it ended: that is what its head is for, which `audit verify` prints.
TEST(AuditChain, ShowsALostEndOnlyByItsHead) {
  const std::vector<AuditPage> whole = chain(5);
  std::vector<AuditPage> cut = whole;
  cut.pop_back();
  const auto verdict = verify(cut);
  ASSERT_TRUE(verdict.has_value());
  EXPECT_EQ(verdict->pages, 4u);
  EXPECT_NE(verdict->head, whole.back().hash);
}

TEST(AuditAllowance, LetsNoFloodHideWhatIsOfAnotherKindOrClient) {
  const Time minute = std::chrono::sys_days{std::chrono::year{2026} / 11 / 22};
  const auto number = [](std::string_view text, int i) { return std::string(text) + std::to_string(i); };
  const struct {
    const char* name;
    std::function<std::pair<std::string, std::string>(int)> flood;  // kind and client
    std::string kind, client;
    bool written;
  } table[] = {
      {"the same again", [](int) { return std::pair("a", "x"); }, "a", "x", false},
      {"another kind", [](int) { return std::pair("a", "x"); }, "b", "x", true},
      {"another client", [](int) { return std::pair("a", "x"); }, "a", "y", true},
      {"another kind behind many clients", [&](int i) { return std::pair("a", number("x", i)); }, "b", "x1",
       true},
      {"another client behind many kinds", [&](int i) { return std::pair(number("a", i), "x"); }, "a1", "y",
       true},
  };
  for (const auto& row : table) {
    SCOPED_TRACE(row.name);
    AuditAllowance allowance;
    int written = 0;
    for (int i = 0; i < 5000; ++i) {
      const auto [kind, client] = row.flood(i);
      if (allowance.take(minute, kind, client)) ++written;
    }
    EXPECT_LE(written, 2 * AuditAllowance::of_all);
    const auto next = allowance.take(minute, row.kind, row.client);
    EXPECT_EQ(next.has_value(), row.written);
    EXPECT_EQ(next.value_or(0), row.written ? 5000u - static_cast<unsigned>(written) : 0u)
        << "who was passed over is told";
    EXPECT_TRUE(allowance.take(minute + std::chrono::minutes{1}, "a", "x"));
  }
}

TEST(AuditAllowance, TellsKindsByWhatErrorsSayFirst) {
  const std::pair<const char*, const char*> table[] = {
      {"no such name and password", "no such name and password"},
      {"names \"a.test\" and more", "names "},
      {"line 7: bad", "line "},
      {"", ""},
      {"7 things", ""},
  };
  for (const auto& [error, kind] : table) EXPECT_EQ(kind_of_error(error), kind);
}

}  // namespace
}  // namespace hanaper::services
