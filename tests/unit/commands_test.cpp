#include "cli/commands.hpp"
#include "loader/catalog.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace hanaper::cli {
namespace {

using Words = std::vector<std::string>;

std::string read_back(const CommandLine& line) {
  std::string text;
  for (const auto& [name, values] : line.options)
    for (const std::string& value : values) text += name + "=" + value + " ";
  for (const std::string& word : line.positional) text += word + " ";
  if (!text.empty()) text.pop_back();
  return text;
}

// With those of the shipped plugins.
const std::vector<Command>& commands() {
  static loader::Catalog catalog(HANAPER_PLUGINS);
  static const std::vector<Command> all = all_commands(catalog, "/no/such/configuration", {});
  return all;
}

const Command& command_called(const std::string& words) {
  const Command* command = find_command(commands(), split(words));
  if (command == nullptr || command->spec.words != words) throw std::out_of_range(words);
  return *command;
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
  const auto arguments = operations::parse(command_called(GetParam().command).spec, GetParam().words);
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
  const CommandSpec& daemon = operations::daemon();
  using operations::parse;
  EXPECT_EQ(read_back(*parse(daemon, Words{"-c", "a", "--set", "x=1", "--set=y=2", "--plugins", "p"})),
            "--config=a --plugins=p --set=x=1 --set=y=2");
  EXPECT_EQ(parse(daemon, Words{"--json"}).error().detail, "unknown option --json; see hanaperd --help");
  EXPECT_EQ(parse(daemon, Words{"start"}).error().detail, "unexpected \"start\"; see hanaperd --help");
  EXPECT_EQ(parse(daemon, Words{"-c"}).error().detail,
            "option --config needs a value: FILE; see hanaperd --help");
}

TEST(Commands, AreFoundByTheirWholeWordsAndAsManyAsThereAre) {
  for (const Command& command : commands()) {
    Words words = split(command.spec.words);
    EXPECT_EQ(find_command(commands(), words), &command);
    words.push_back("issue");
    EXPECT_EQ(find_command(commands(), words), &command);
  }
  for (const char* other :
       {"", "issu", "issuee", "Issue", "--help", "crl", "acme eab", "acme eab frob", "requests"})
    EXPECT_EQ(find_command(commands(), split(other)), nullptr) << other;
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

TEST(TheList, IsWhatHelpCompletionAndManualAreMadeOf) {
  const std::string all = help(commands()), completion = bash_completion(commands()),
                    page = manual(commands());
  for (const Command& command : commands()) {
    const CommandSpec& spec = command.spec;
    const std::string& name = spec.words;
    const std::string own = operations::help(spec);
    expect_sentence(spec.summary, name);
    EXPECT_TRUE(holds(all, "  " + name + "  ")) << name;
    EXPECT_TRUE(holds(all, spec.summary)) << name;
    EXPECT_TRUE(holds(own, spec.summary)) << name;
    EXPECT_TRUE(holds(page, escaped("hanaper " + name))) << name;
    EXPECT_TRUE(holds(page, escaped(spec.summary))) << name;
    EXPECT_TRUE(holds(completion, "    \"" + name + "\") words=")) << name;
    EXPECT_LE(spec.least, spec.most) << name;
    EXPECT_EQ(spec.arguments.empty(), spec.most == 0) << name;
    std::set<std::string> names;
    for (const Option& option : spec.options) {
      const std::string which = name + " " + option.name;
      EXPECT_TRUE(names.insert(option.name).second) << which;
      expect_sentence(option.doc, which);
      EXPECT_TRUE(option.name.starts_with("--")) << which;
      EXPECT_TRUE(holds(own, option.name)) << which;
      EXPECT_TRUE(holds(own, option.doc)) << which;
      EXPECT_TRUE(holds(page, ".B " + escaped(option.name))) << which;
      EXPECT_TRUE(holds(page, escaped(option.doc))) << which;
      // A value is completed by its choices, by names of files, or not at all: never by other options.
      if (!option.value.empty()) {
        EXPECT_TRUE(holds(completion, "\"" + which + "\"")) << which;
      }
      std::string choices;
      for (const std::string& choice : option.choices) choices += (choices.empty() ? "" : " ") + choice;
      EXPECT_TRUE(holds(completion, choices)) << which;
    }
    for (const char* common : {"--config", "--set", "--plugins", "--json", "--help"})
      EXPECT_TRUE(names.contains(common)) << name << common;
  }
}

TEST(TheList, HasWhatPluginsBring) {
  for (const char* words : {"acme eab create", "acme renew-early", "crl generate", "crl download",
                            "ocsp export", "scep challenge"})
    EXPECT_TRUE(command_called(words).operation) << words;
  const CommandSpec& create = command_called("acme eab create").spec;
  EXPECT_NE(std::ranges::find(create.options, "--instance", &Option::name), create.options.end());
  EXPECT_EQ(operations::synopsis(create), "hanaper acme eab create [OPTION...]");
  EXPECT_EQ(operations::synopsis(command_called("crl show").spec), "hanaper crl show [OPTION...] AUTHORITY");
  EXPECT_EQ(operations::synopsis(command_called("crl list").spec),
            "hanaper crl list [OPTION...] [AUTHORITY]");
  EXPECT_EQ(operations::synopsis(command_called("ocsp export").spec),
            "hanaper ocsp export [OPTION...] FOLDER");
}

TEST(TheList, HasItsOwnWithoutPlugins) {
  const std::vector<Command> own = own_commands();
  EXPECT_NE(find_command(own, split("issue")), nullptr);
  EXPECT_EQ(find_command(own, split("crl list")), nullptr);
}

TEST(Help, IsForACommandOrForAllThatBeginSo) {
  EXPECT_TRUE(help(commands(), Words{"crl", "show"}).starts_with("usage: hanaper crl show "));
  const std::string crl = help(commands(), Words{"crl"});
  for (const char* words : {"crl generate", "crl list", "crl show", "crl download"})
    EXPECT_TRUE(holds(crl, words));
  EXPECT_FALSE(holds(crl, "ocsp"));
  EXPECT_EQ(help(commands(), Words{"frob"}), "");
}

TEST(TheList, IsWhatTheDaemonsHelpAndManualAreMadeOf) {
  const std::string own = operations::help(operations::daemon()), page = daemon_manual();
  EXPECT_TRUE(holds(own, "usage: hanaperd [OPTION...]\n"));
  for (const Option& option : operations::daemon().options) {
    EXPECT_TRUE(holds(own, option.name)) << option.name;
    EXPECT_TRUE(holds(page, escaped(option.name))) << option.name;
  }
}

TEST(TheManual, BeginsNoLineWithWhatTroffWouldTakeForARequest) {
  for (const std::string& page : {manual(commands()), daemon_manual()}) {
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
