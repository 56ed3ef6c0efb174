// The reader of arguments: one line for each that is wrong, the same by every door.
#include "operations/arguments.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <gtest/gtest.h>

namespace hanaper::operations {
namespace {

constexpr Parameter parameters[] = {
    {"owner", ParameterType::text, Parameter::required | Parameter::word, {}, {}, "who"},
    {"short", ParameterType::text, 0, {}, "2..4", "a short one"},
    {"names", ParameterType::text, Parameter::repeats, {}, {}, "several"},
    {"lines", ParameterType::integer, 0, "20", "1..100", "how many"},
    {"delta", ParameterType::boolean, 0, {}, {}, "whether"},
    {"within", ParameterType::duration, 0, {}, "1m..1d", "how long"},
    {"since", ParameterType::time, 0, {}, {}, "when"},
    {"key_type", ParameterType::choice, 0, "ec", "ec|rsa", "which"},
    {"kinds", ParameterType::choice, Parameter::repeats, {}, "ec|rsa", "which of them"},
    {"certificate", ParameterType::certificate, 0, {}, {}, "which one"},
    {"csr", ParameterType::content, 0, {}, {}, "what"},
    {"pin", ParameterType::secret, 0, {}, {}, "hidden"},
    {"folder", ParameterType::place, 0, {}, {}, "where"},
};

// What comes of it, as a text; or why it is refused.
std::string outcome(std::string_view text, Door door = Door::control_socket) {
  const auto read = read_arguments(parameters, *json::parse(text), door);
  if (!read) return std::string(to_string(read.error().code)) + ": " + read.error().detail;
  const Arguments& a = *read;
  std::string all = "owner=" + a.text("owner") + " lines=" + std::to_string(a.integer("lines")) +
                    " key_type=" + a.text("key_type");
  for (const std::string& name : a.texts("names")) all += " name=" + name;
  for (const std::string& kind : a.texts("kinds")) all += " kind=" + kind;
  if (a.boolean("delta")) all += " delta";
  if (a.has("within")) all += " within=" + duration_text(a.duration("within"));
  if (a.has("since")) all += " since=" + time_text(a.time("since"));
  if (a.has("certificate")) all += " serial=" + a.certificate("certificate").serial.hex();
  if (a.has("csr")) all += " csr=" + a.text("csr");
  if (a.has("pin")) all += " pin=" + std::string(a.secret("pin").reveal());
  if (a.has("folder")) all += " folder=" + a.text("folder");
  return all;
}

struct Case {
  const char* name;
  const char* arguments;
  const char* expected;
  Door door = Door::control_socket;
};
std::ostream& operator<<(std::ostream& out, const Case& one) { return out << one.name; }

class Arguments_ : public ::testing::TestWithParam<Case> {};
TEST_P(Arguments_, AreReadOrRefused) {
  EXPECT_EQ(outcome(GetParam().arguments, GetParam().door), GetParam().expected);
}

constexpr const char* plain = "owner=o lines=20 key_type=ec";
const Case cases[] = {
    {"WhatIsLeftOutHasItsFallback", R"({"owner":"o"})", plain},
    {"NullIsLeftOut", R"({"owner":"o","lines":null,"delta":null})", plain},
    {"EveryType",
     R"({"owner":"o","names":["a","b"],"lines":7,"delta":true,"within":"2h","since":"2026-11-21T18:50:00+01:00",
         "key_type":"rsa","kinds":["rsa","ec"],"certificate":"0x1:02","csr":"YWJj","pin":"MTIz","folder":"/srv/x"})",
     "owner=o lines=7 key_type=rsa name=a name=b kind=rsa kind=ec delta within=2h since=2026-11-21T17:50:00Z "
     "serial=0102 "
     "csr=abc pin=123 folder=/srv/x"},
    {"NoObject", R"(["o"])", "malformed: arguments have to be an object"},
    {"SomethingIsMissing", R"({})", "malformed: owner is missing"},
    {"MissingOnTheCommandLine", R"({})", "malformed: OWNER is missing", Door::command_line},
    {"AnUnknownOne", R"({"owner":"o","liness":1})",
     "malformed: there is no argument \"liness\"; did you mean \"lines\"?"},
    {"WhoOneClaimsToBe", R"({"owner":"o","user":"uid:0"})", "malformed: there is no argument \"user\""},
    {"TheOtherTypeForAText", R"({"owner":1})", "malformed: owner: has to be a text"},
    {"AnEmptyText", R"({"owner":""})", "malformed: owner: is empty"},
    {"AControlCharacter", R"({"owner":"a\nb"})", "malformed: owner: holds a control character"},
    {"ATextTooShort", R"({"owner":"o","short":"a"})", "malformed: short: has 1 octets; there may be 2 to 4"},
    {"ATextTooLong", R"({"owner":"o","short":"abcde"})",
     "malformed: short: has 5 octets; there may be 2 to 4"},
    {"ATextForANumber", R"({"owner":"o","lines":"7"})", "malformed: lines: has to be a whole number"},
    {"ATextForANumberOnTheCommandLine", R"({"owner":"o","lines":"7"})", "owner=o lines=7 key_type=ec",
     Door::command_line},
    {"NoNumberOnTheCommandLine", R"({"owner":"o","lines":"many"})",
     "malformed: --lines: \"many\" is no whole number", Door::command_line},
    {"ABrokenNumber", R"({"owner":"o","lines":1.5})", "malformed: lines: has to be a whole number"},
    {"ANumberBelowItsBounds", R"({"owner":"o","lines":0})", "malformed: lines: 0 is not within 1..100"},
    {"ANumberAboveItsBounds", R"({"owner":"o","lines":101})", "malformed: lines: 101 is not within 1..100"},
    {"AnythingForASwitch", R"({"owner":"o","delta":"yes"})", "malformed: delta: has to be true or false"},
    {"ADurationBeyondItsBounds", R"({"owner":"o","within":"2d"})",
     "malformed: within: 2d is not within 1m..1d"},
    {"AnUnknownChoice", R"({"owner":"o","key_type":"xyzzy"})",
     "malformed: key_type: there is no \"xyzzy\"; there are ec, rsa"},
    {"AnUnknownChoiceOnTheCommandLine", R"({"owner":"o","key_type":"ecc"})",
     "malformed: --key-type: there is no \"ecc\"; did you mean \"ec\"?", Door::command_line},
    {"AChoiceOfAList", R"({"owner":"o","kinds":["ec","xyzzy"]})",
     "malformed: kinds: there is no \"xyzzy\"; there are ec, rsa"},
    {"ATextForAList", R"({"owner":"o","names":"a"})", "malformed: names: has to be a list"},
    {"NumbersInAList", R"({"owner":"o","names":[1]})", "malformed: names: has to be a list of texts"},
    {"NoCertificate", R"({"owner":"o","certificate":"xyz"})",
     "malformed: certificate: \"xyz\" is neither a serial number in hexadecimal nor a certificate as PEM"},
    {"AnEmptyPem", R"({"owner":"o","certificate":"-----BEGIN NOTHING-----\nYWJj\n-----END NOTHING-----\n"})",
     "malformed: certificate: holds no certificate"},
    {"EmptyContent", R"({"owner":"o","csr":""})", "malformed: csr: is empty"},
    {"ARelativePlace", R"({"owner":"o","folder":"x"})", "malformed: folder: \"x\" is no absolute path"},
    {"APlaceByHttp", R"({"owner":"o","folder":"/srv"})",
     "forbidden: folder: names a place on the node, which is only taken from its own command line",
     Door::http},
};
INSTANTIATE_TEST_SUITE_P(Reader, Arguments_, ::testing::ValuesIn(cases),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(ArgumentReader, TakesNoMoreThanTenThousandItems) {
  json::Array many(10'001, json::Value("a"));
  const auto read =
      read_arguments(parameters, json::Object{{"owner", "o"}, {"names", many}}, Door::control_socket);
  EXPECT_EQ(read.error().detail, "names: has 10001 items; 10,000 are the most");
}

TEST(ArgumentReader, TakesNoSecretBeyond64KiB) {
  const std::string large(64 * 1024 + 1, 'x');
  const auto read =
      read_arguments(parameters, json::Object{{"owner", "o"}, {"pin", base64::encode(as_bytes(large))}},
                     Door::control_socket);
  EXPECT_EQ(read.error().detail, "pin: is larger than 64 KiB");
}

TEST(Arguments, AnswerForWhatIsDeclaredOnly) {
  const auto read = read_arguments(parameters, *json::parse(R"({"owner":"o"})"), Door::control_socket);
  EXPECT_THROW(static_cast<void>(read->text("user")), std::out_of_range);
}

}  // namespace
}  // namespace hanaper::operations
