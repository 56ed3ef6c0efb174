// The linter: good certificates pass, each rule refuses what breaks it and nothing else, the README tells
// the same rules.
#include "lint_forms.hpp"

#include <lint.hpp>

#include <hanaper/testing/fake_host.hpp>

#include <gtest/gtest.h>

#include <fstream>
#include <random>

namespace hanaper::lint {
namespace {

using testing::Case;
using testing::Form;
using testing::Good;

// A linter as the host makes one, with the given settings.
class Linted {
 public:
  explicit Linted(bool strict, std::vector<std::string> skip = {})
      : settings_("validator.lint", "pki.toml:1:1") {
    settings_.set("strict", {strict, "pki.toml:2:1"});
    settings_.set("skip", {std::move(skip), "pki.toml:3:1"});
    configured = lint_.configure(settings_, host);
  }

  Status validate(const Bytes& tbs, std::string_view profile = "server") {
    Draft draft;
    draft.profile = profile;
    draft.tbs = tbs;
    Call call{"test", std::chrono::steady_clock::now() + std::chrono::seconds{10}};
    return lint_.validate(draft, call);
  }

  fakes::FakeHost host;
  Status configured;

 private:
  Settings settings_;
  Lint lint_;
};

std::vector<std::string_view> broken_rules(const Bytes& tbs) {
  const Subject subject = Subject::read(tbs);
  std::vector<std::string_view> names;
  for (const Rule& rule : rules()) {
    if (rule.check(subject)) names.push_back(rule.name);
    if (rule.name == gate && !subject.fault.empty()) break;
  }
  return names;
}

std::vector<Case> all_cases() {
  std::vector<Case> all;
  for (const auto& part : {testing::basic_cases(), testing::extension_cases(), testing::name_cases(),
                           testing::usage_cases(), testing::policy_cases(), testing::pointer_cases()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

class GoodCertificate : public ::testing::TestWithParam<Good> {};

TEST_P(GoodCertificate, PassesEveryRule) {
  const Bytes tbs = GetParam().form().encode();
  Linted linted(true);
  const Status valid = linted.validate(tbs);
  EXPECT_TRUE(valid) << valid.error().detail;
  EXPECT_EQ(linted.host.fake_metrics.counters(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Lint, GoodCertificate, ::testing::ValuesIn(testing::good_forms),
                         [](const auto& test) { return std::string(test.param.name); });

class Violation : public ::testing::TestWithParam<Case> {};

TEST_P(Violation, IsRefusedByItsRule) {
  const Case& violation = GetParam();
  const Rule* rule = find_rule(violation.rule);
  ASSERT_NE(rule, nullptr);
  const Bytes tbs = violation.form().encode();

  std::vector<std::string_view> expected = violation.also;
  expected.push_back(violation.rule);
  std::vector<std::string_view> broken = broken_rules(tbs);
  std::ranges::sort(expected);
  std::ranges::sort(broken);
  EXPECT_EQ(broken, expected);

  std::vector<std::string> skip(violation.also.begin(), violation.also.end());
  std::erase(skip, gate);
  Linted linted(true, skip);
  ASSERT_TRUE(linted.configured) << linted.configured.error().detail;
  const Status valid = linted.validate(tbs);
  ASSERT_FALSE(valid);
  EXPECT_EQ(valid.error().code, Code::rejected);
  const std::string start = "lint " + std::string(rule->name) + " (" + std::string(rule->citation) + "): ";
  EXPECT_TRUE(valid.error().detail.starts_with(start)) << valid.error().detail;
  EXPECT_NE(valid.error().detail.find(violation.finding), std::string::npos) << valid.error().detail;
  EXPECT_EQ(linted.host.fake_metrics.value("hanaper_lint_refusals_total", {std::string(violation.rule)}), 1u);
}

TEST_P(Violation, IsRefusedWithoutStrictOnlyForErrors) {
  const Case& violation = GetParam();
  std::vector<std::string> skip(violation.also.begin(), violation.also.end());
  std::erase(skip, gate);
  Linted linted(false, skip);
  const bool refused = !linted.validate(violation.form().encode()).has_value();
  const std::string rule = violation.rule;
  EXPECT_EQ(refused, find_rule(rule)->severity == Severity::error);
  EXPECT_EQ(linted.host.fake_metrics.value("hanaper_lint_warnings_total", {rule}), refused ? 0u : 1u);
}

INSTANTIATE_TEST_SUITE_P(Lint, Violation, ::testing::ValuesIn(all_cases()),
                         [](const auto& test) { return std::string(test.param.says); });

TEST(LintRules, HaveAViolationEach) {
  const std::vector<Case> cases = all_cases();
  for (const Rule& rule : rules())
    EXPECT_TRUE(
        std::ranges::any_of(cases, [&](const Case& violation) { return violation.rule == rule.name; }))
        << "no violation of " << rule.name;
}

TEST(LintRules, AreNamedOnceAndFullyDescribed) {
  EXPECT_GE(rules().size(), 50u);
  for (const Rule& rule : rules()) {
    EXPECT_EQ(std::ranges::count(rules(), rule.name, &Rule::name), 1) << rule.name;
    EXPECT_EQ(rule.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"), std::string_view::npos);
    EXPECT_TRUE(rule.citation.starts_with("RFC ")) << rule.name;
    EXPECT_FALSE(rule.description.ends_with('.')) << rule.name;
  }
}

TEST(LintRules, StandInTheReadmeAsTheyAreInCode) {
  std::vector<std::string> expected, told;
  for (const Rule& rule : rules())
    expected.push_back("| `" + std::string(rule.name) + "` | " + std::string(rule.citation) + " | " +
                       std::string(to_string(rule.severity)) + " | " + std::string(rule.description) + " |");
  std::ifstream readme(HANAPER_LINT_README);
  ASSERT_TRUE(readme.is_open());
  for (std::string line; std::getline(readme, line);)
    if (line.starts_with("| `") && line.find(" | RFC ") != std::string::npos) told.push_back(line);
  EXPECT_EQ(told, expected);
}

TEST(LintSettings, SkipLeavesARuleOut) {
  Linted linted(false, {"validity-order"});
  Form form = testing::server();
  form.not_after = testing::text(der::utc_time, "251231235959Z");
  EXPECT_TRUE(linted.validate(form.encode()));
}

TEST(LintSettings, SkipRefusesUnknownRulesAndSaysWhichIsNear) {
  const Linted linted(false, {"version", "dns-name-sintax"});
  ASSERT_FALSE(linted.configured);
  EXPECT_EQ(
      linted.configured.error().detail,
      "pki.toml:3:1: validator.lint.skip: no rule \"dns-name-sintax\"; the nearest is \"dns-name-syntax\"");
}

TEST(LintSettings, SkipRefusesTheGate) {
  const Linted linted(false, {"well-formed"});
  ASSERT_FALSE(linted.configured);
  EXPECT_NE(linted.configured.error().detail.find("cannot be left out"), std::string::npos);
}

TEST(LintWarnings, AreLoggedOnceForEachProfileAndCountedAlways) {
  Linted linted(false);
  const Bytes tbs = Form(testing::server().drop(oid::subject_key_identifier)).encode();
  for (const char* profile : {"server", "server", "client", "server"})
    EXPECT_TRUE(linted.validate(tbs, profile));
  const std::string finding =
      " rule=subject-key-identifier-in-leaf citation=RFC 5280 4.2.1.2 finding=there is no "
      "subjectKeyIdentifier";
  const std::vector<std::string> lines = linted.host.recording_log.lines();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_TRUE(lines[0].starts_with("warning ") && lines[0].ends_with("profile=server" + finding)) << lines[0];
  EXPECT_TRUE(lines[1].starts_with("warning ") && lines[1].ends_with("profile=client" + finding)) << lines[1];
  EXPECT_EQ(linted.host.fake_metrics.value("hanaper_lint_warnings_total", {"subject-key-identifier-in-leaf"}),
            4u);
}

TEST(LintInput, IsRefusedWhenThereIsNone) {
  Linted linted(false);
  const Status valid = linted.validate({});
  ASSERT_FALSE(valid);
  EXPECT_TRUE(valid.error().detail.starts_with("lint well-formed (RFC 5280 4.1): "));
}

// What the toolkit draws up as the host does; no rule may stand in its way.
TEST(LintInput, OfTheCertificateTemplatePasses) {
  const Bytes issuer = x509::encode_name(*x509::parse_name_text("CN=Example Issuing CA 1"));
  const Bytes spki = testing::ec_key();
  const Bytes identifier(20, 7);
  const std::vector<Identifier> names = {{Identifier::Kind::dns, "www.example.test"},
                                         {Identifier::Kind::ip, "2001:db8::1"},
                                         {Identifier::Kind::email, "a@example.test"},
                                         {Identifier::Kind::uri, "https://www.example.test/"}};
  for (const bool named : {true, false}) {
    const x509::CertificateTemplate form({SignatureScheme::ecdsa_sha256,
                                          issuer,
                                          identifier,
                                          {{to_bytes(oid::extended_key_usage), false,
                                            x509::extended_key_usage({to_bytes(oid::server_auth)})}}});
    der::Writer writer;
    form.render({.serial = *Serial::from_text("7f01"),
                 .not_before = Time{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}},
                 .not_after = Time{std::chrono::sys_days{std::chrono::year{2051} / 1 / 1}},
                 .subject = named ? x509::encode_name(*x509::parse_name_text("CN=www.example.test"))
                                  : x509::encode_name({}),
                 .spki = spki,
                 .key_identifier = identifier,
                 .key_usage = x509::digital_signature,
                 .names = names,
                 .extensions = {}},
                writer);
    const Status valid = Linted(true).validate(writer.bytes());
    EXPECT_TRUE(valid) << valid.error().detail;
  }
}

TEST(LintTexts, TakeUrisApart) {
  const Uri uri = split_uri("HTTPS://user:pw@[2001:db8::1]:443/a?b#c");
  EXPECT_EQ(uri.scheme, "HTTPS");
  EXPECT_EQ(uri.host, "[2001:db8::1]");
  EXPECT_EQ(uri.tail, "/a?b#c");
  EXPECT_EQ(split_uri("http://example.test:80").host, "example.test");
  EXPECT_FALSE(split_uri("urn:isbn:0").has_authority);
  EXPECT_EQ(split_uri("1a:b").scheme, "");
  EXPECT_EQ(split_uri("nothing").scheme, "");
}

TEST(LintTexts, QuoteOnOneLine) {
  EXPECT_EQ(in_quotes(std::string_view("a\"\n\xff", 4)), "\"a\\x22\\x0a\\xff\"");
  EXPECT_EQ(in_quotes(std::string(101, 'a')), "\"" + std::string(100, 'a') + "...\"");
}

// Every rule must bear every certificate that can be read, and the first rules every input.
TEST(LintInput, MayBeCutOffAndFlipped) {
  std::mt19937 random(20260101);
  const auto flip = [&](Bytes& octets) {
    octets[random() % octets.size()] ^= static_cast<std::uint8_t>(1u << random() % 8);
  };
  for (const Good& good : testing::good_forms) {
    const Bytes whole = good.form().encode();
    for (int round = 0; round < 200; ++round) {
      Bytes spoilt = whole;
      if (round % 4 == 0) spoilt.resize(random() % whole.size());
      for (int flips = round % 4; flips > 0; --flips) flip(spoilt);
      spoilt.shrink_to_fit();  // so that a sanitizer sees the very end
      (void)broken_rules(spoilt);

      // What is flipped within a value leaves the rest readable.
      Form form = good.form();
      for (int flips = round % 3; flips >= 0; --flips)
        flip(form.extensions[random() % form.extensions.size()].value);
      flip(form.spki);
      if (form.subject.size() > 2) flip(form.subject);
      (void)broken_rules(form.encode());
    }
  }
}

// An extension of a request may be as long as a request; no rule may take its square in time.
TEST(LintInput, MayBeLong) {
  std::vector<Bytes> purposes(9000);
  for (std::size_t i = 0; i < purposes.size(); ++i)
    purposes[i] = {0x2a, static_cast<std::uint8_t>(0x81 + i / 128), static_cast<std::uint8_t>(i % 128)};
  const Form form =
      Form(testing::server().set(oid::extended_key_usage, false, x509::extended_key_usage(purposes)));
  const Bytes tbs = form.encode();
  const auto start = std::chrono::steady_clock::now();
  const std::vector<std::string_view> broken = broken_rules(tbs);
  EXPECT_TRUE(broken.empty()) << broken.front();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds{1});
}

}  // namespace
}  // namespace hanaper::lint
