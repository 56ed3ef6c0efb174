#include "cli/options.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace hanaper::cli {
namespace {

using Words = std::vector<std::string>;

std::string read_back(const Arguments& arguments) {
  std::string text;
  for (const auto& [name, values] : arguments.options)
    for (const std::string& value : values) text += name + "=" + value + " ";
  for (const std::string& word : arguments.positional) text += word + " ";
  if (!text.empty()) text.pop_back();
  return text;
}

struct Line {
  const char* name;
  const char* command;
  Words words;
  const char* expected;  // options by name, then what is left; or the error
};
std::ostream& operator<<(std::ostream& out, const Line& line) { return out << line.name; }

class Parses : public ::testing::TestWithParam<Line> {};

TEST_P(Parses, ThisLine) {
  const auto arguments = parse(*find_command(GetParam().command), GetParam().words);
  EXPECT_EQ(arguments ? read_back(*arguments) : arguments.error().detail, GetParam().expected);
}

const Line lines[] = {
    {"Nothing", "check", {}, ""},
    {"AnOptionAndItsValue", "issue", {"--pipeline", "web"}, "--pipeline=web"},
    {"AValueAfterAnEqualsSign", "issue", {"--pipeline=web"}, "--pipeline=web"},
    {"AnEmptyValueAfterAnEqualsSign", "issue", {"--pipeline="}, "--pipeline="},
    {"AValueWithAnEqualsSign", "check", {"--set", "a.b=c=d"}, "--set=a.b=c=d"},
    {"AnotherOneAfterAnEqualsSign", "check", {"--set=a.b=c=d"}, "--set=a.b=c=d"},
    {"AValueThatLooksLikeAnOption", "issue", {"--csr", "--name"}, "--csr=--name"},
    {"AnOptionThatRepeats", "issue", {"--name", "a", "--name=b"}, "--name=a --name=b"},
    {"TheShortFormOfConfig", "check", {"-c", "pki.toml"}, "--config=pki.toml"},
    {"TheShortFormOfHelp", "revoke", {"-h"}, "--help="},
    {"HelpWhateverElseIsMissing", "revoke", {"--help"}, "--help="},
    {"ASwitch", "list", {"--json"}, "--json="},
    {"AnArgument", "revoke", {"1234"}, "1234"},
    {"ArgumentsBetweenOptions",
     "revoke",
     {"12", "--reason", "superseded", "34"},
     "--reason=superseded 12 34"},
    {"ArgumentsBehindTwoDashes", "revoke", {"--", "--reason", "-c"}, "--reason -c"},
    {"ASingleDash", "show", {"-"}, "-"},
    {"AnUnknownOption",
     "issue",
     {"--pipelin", "web"},
     "unknown option --pipelin; did you mean \"--pipeline\"?; see hanaper help issue"},
    {"AnUnknownOptionUnlikeAny",
     "check",
     {"--zzzzzzzzzz"},
     "unknown option --zzzzzzzzzz; see hanaper help check"},
    {"AnotherCommandsOption", "check", {"--csr", "x"}, "unknown option --csr; see hanaper help check"},
    {"AnOptionWithoutItsValue",
     "issue",
     {"--csr"},
     "option --csr needs a value: FILE; see hanaper help issue"},
    {"ASwitchWithAValue", "list", {"--json=yes"}, "option --json takes no value; see hanaper help list"},
    {"ASwitchWithAnEmptyValue", "list", {"--json="}, "option --json takes no value; see hanaper help list"},
    {"AnOptionGivenTwice",
     "issue",
     {"--csr", "a", "--csr", "b"},
     "option --csr is given twice; see hanaper help issue"},
    {"BothFormsOfConfig",
     "check",
     {"-c", "a", "--config", "b"},
     "option --config is given twice; see hanaper help check"},
    {"AMissingArgument", "backup", {}, "FILE is missing; see hanaper help backup"},
    {"OneArgumentTooMany", "backup", {"a", "b"}, "unexpected \"b\"; see hanaper help backup"},
    {"AnArgumentWhereNoneIs", "check", {"pki.toml"}, "unexpected \"pki.toml\"; see hanaper help check"},
};
INSTANTIATE_TEST_SUITE_P(Options, Parses, ::testing::ValuesIn(lines),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(DaemonOptions, AreItsOwnAndNoOthers) {
  EXPECT_EQ(read_back(*parse(daemon(), Words{"-c", "a", "--set", "x=1", "--set=y=2", "--plugins", "p"})),
            "--config=a --plugins=p --set=x=1 --set=y=2");
  EXPECT_EQ(parse(daemon(), Words{"--json"}).error().detail, "unknown option --json; see hanaperd --help");
  EXPECT_EQ(parse(daemon(), Words{"start"}).error().detail, "unexpected \"start\"; see hanaperd --help");
  EXPECT_EQ(parse(daemon(), Words{"-c"}).error().detail,
            "option --config needs a value: FILE; see hanaperd --help");
}

TEST(Commands, AreFoundByTheirWholeNameOnly) {
  for (const CommandSpec& command : commands()) EXPECT_EQ(find_command(command.name), &command);
  for (const char* other : {"", "issu", "issuee", "Issue", "--help"})
    EXPECT_EQ(find_command(other), nullptr) << other;
}

// A sentence of help, completion and manual begins small, ends without a full stop, and stands on one line.
void expect_sentence(std::string_view text, std::string_view of) {
  ASSERT_FALSE(text.empty()) << of;
  EXPECT_NE(text.back(), '.') << of;
  EXPECT_EQ(text.find('\n'), std::string_view::npos) << of;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) out += c == '-' ? "\\-" : std::string(1, c);
  return out;
}

bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(TheTable, IsWhatHelpCompletionAndManualAreMadeOf) {
  const std::string all = help(), completion = bash_completion(), page = manual();
  for (const CommandSpec& command : commands()) {
    const std::string name(command.name), own = help(command);
    expect_sentence(command.summary, name);
    EXPECT_TRUE(holds(all, "  " + name + " ")) << name;
    EXPECT_TRUE(holds(all, command.summary)) << name;
    EXPECT_TRUE(holds(own, command.summary)) << name;
    EXPECT_TRUE(holds(page, escaped("hanaper " + name))) << name;
    EXPECT_TRUE(holds(page, escaped(command.summary))) << name;
    EXPECT_TRUE(holds(completion, "    " + name + ") words=")) << name;
    EXPECT_LE(command.least, command.most) << name;
    EXPECT_EQ(command.arguments.empty(), command.most == 0) << name;
    for (const Option& option : command.options) {
      const std::string which = name + " " + std::string(option.name);
      expect_sentence(option.doc, which);
      EXPECT_TRUE(option.name.starts_with("--")) << which;
      EXPECT_TRUE(holds(own, option.name)) << which;
      EXPECT_TRUE(holds(own, option.doc)) << which;
      EXPECT_TRUE(holds(completion, option.name)) << which;
      EXPECT_TRUE(holds(page, ".B " + escaped(option.name))) << which;
      EXPECT_TRUE(holds(page, escaped(option.doc))) << which;
      for (const Option& common : common_options()) EXPECT_NE(option.name, common.name) << which;
      if (option.choices.empty() || option.choices == "file") continue;
      std::string choices(option.choices);
      std::ranges::replace(choices, '|', ' ');
      EXPECT_TRUE(holds(completion, choices)) << which;
    }
  }
  for (const Option& option : common_options()) {
    EXPECT_TRUE(holds(all, option.name));
    EXPECT_TRUE(holds(page, escaped(option.name)));
  }
}

TEST(TheTable, IsWhatTheDaemonsHelpAndManualAreMadeOf) {
  const std::string own = help(daemon()), page = daemon_manual();
  EXPECT_TRUE(holds(own, "usage: hanaperd [OPTION...]\n"));
  for (const Option& option : daemon().options) {
    EXPECT_TRUE(holds(own, option.name)) << option.name;
    EXPECT_TRUE(holds(page, escaped(option.name))) << option.name;
  }
}

TEST(TheManual, BeginsNoLineWithWhatTroffWouldTakeForARequest) {
  for (const std::string& page : {manual(), daemon_manual()}) {
    for (std::size_t at = 0; (at = page.find('\n', at)) != std::string::npos; ++at) {
      if (at + 1 == page.size() || page[at + 1] == '.') continue;
      EXPECT_NE(page[at + 1], '\'') << page.substr(at + 1, 40);
    }
    EXPECT_TRUE(page.starts_with(".TH HANAPER"));
    EXPECT_TRUE(page.ends_with('\n'));
  }
}

}  // namespace
}  // namespace hanaper::cli
