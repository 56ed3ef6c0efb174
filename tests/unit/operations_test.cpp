// The table of operations, and that nobody says himself who he is.
#include "operations/control.hpp"
#include "operations/openapi.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

namespace hanaper::operations {
namespace {

bool is_word(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}
bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}
void expect_sentence(std::string_view text, const std::string& of) {
  ASSERT_FALSE(text.empty()) << of;
  EXPECT_NE(text.back(), '.') << of;
  EXPECT_EQ(text.find('\n'), std::string_view::npos) << of;
}

// The host's and those of the shipped plugins.
const std::vector<Described>& all() {
  static loader::Catalog catalog(HANAPER_PLUGINS);
  static const std::vector<Described> described = describe_all(catalog, plugins_of(catalog));
  return described;
}

TEST(Operations, HaveIdsWordsAndPathsOfTheirOwn) {
  std::set<std::string> ids, words, paths;
  for (const Described& one : all()) {
    EXPECT_TRUE(ids.insert(one.id).second) << one.id;
    if (!one.words.empty()) {
      EXPECT_TRUE(words.insert(one.words).second) << one.words;
    }
    if (!one.path.empty()) {
      EXPECT_TRUE(paths.insert(one.method + " " + one.path).second) << one.path;
    }
  }
  EXPECT_TRUE(words.contains("acme eab create"));
  EXPECT_TRUE(words.contains("crl download"));
}

TEST(Operations, AreCalledByTheirWords) {
  for (const Described& one : all()) {
    std::string dotted = one.words;
    std::ranges::replace(dotted, ' ', '.');
    if (!one.words.empty()) {
      EXPECT_EQ(one.id, dotted);
    }
    std::string rest = one.words;
    std::ranges::replace(rest, ' ', '-');
    if (!one.words.empty()) {
      EXPECT_TRUE(is_word(rest)) << one.words;
    }
    EXPECT_EQ(find_host_operation(one.id) != nullptr, one.plugin.empty()) << one.id;
  }
}

TEST(Operations, SayWhatTheyDoAndWhatItTakes) {
  for (const Described& one : all()) {
    expect_sentence(one.what->summary, one.id);
    EXPECT_LT(static_cast<std::size_t>(one.what->permission), permission_count) << one.id;
    EXPECT_FALSE(one.what->columns.empty()) << one.id;
    for (const Column& column : one.what->columns) EXPECT_TRUE(is_name(column.name)) << one.id << column.name;
    bool optional_word = false;
    std::set<std::string_view> names;
    for (const Parameter& parameter : one.parameters) {
      const std::string which = one.id + " " + std::string(parameter.name);
      EXPECT_TRUE(is_name(parameter.name)) << which;
      EXPECT_TRUE(names.insert(parameter.name).second) << which;
      expect_sentence(parameter.doc, which);
      if (parameter.type == ParameterType::choice) {
        EXPECT_GE(choices_of(parameter).size(), 2u) << which;
      }
      if (parameter.type == ParameterType::place) {
        EXPECT_TRUE(one.path.empty()) << which << ": no path comes by HTTP";
      }
      if (parameter.is(Parameter::repeats)) {
        EXPECT_TRUE(parameter.type == ParameterType::text || parameter.type == ParameterType::choice)
            << which;
      }
      if (parameter.is(Parameter::required)) {
        EXPECT_TRUE(parameter.fallback.empty()) << which;
      }
      if (!parameter.is(Parameter::word)) continue;
      EXPECT_FALSE(optional_word) << which << ": stands behind a word that may be missing";
      optional_word = !parameter.is(Parameter::required) || parameter.is(Parameter::repeats);
    }
  }
}

// Every fallback and every bound can be read.
TEST(Operations, HaveFallbacksThatTheyTake) {
  for (const Described& one : all()) {
    json::Object given;
    for (const Parameter& parameter : one.parameters) {
      if (!parameter.is(Parameter::required)) continue;
      json::Value value("ab");
      if (parameter.type == ParameterType::place) value = "/srv";
      if (parameter.type == ParameterType::content || parameter.type == ParameterType::secret) value = "YWJj";
      if (parameter.is(Parameter::repeats)) value = json::Array{"ab"};
      if (one.id == "backup") value = "backup-1.tar";
      given.emplace_back(parameter.name, value);
    }
    const auto read = read_arguments(one.parameters, given, Door::control_socket);
    EXPECT_TRUE(read) << one.id << ": " << read.error().detail;
  }
}

TEST(Operations, StandAtPathsOfNounsWithDeclaredParameters) {
  for (const Described& one : all()) {
    if (one.path.empty()) continue;
    const std::set<std::string> methods{"GET", "POST", "PUT", "DELETE"};
    EXPECT_TRUE(methods.contains(one.method)) << one.id;
    EXPECT_TRUE(one.path.starts_with("/")) << one.id;
    for (std::size_t at = 0; (at = one.path.find('{', at)) != std::string::npos; ++at) {
      const std::string name = one.path.substr(at + 1, one.path.find('}', at) - at - 1);
      const auto parameter = std::ranges::find(one.parameters, name, &Parameter::name);
      ASSERT_NE(parameter, one.parameters.end()) << one.id << ": " << name;
      EXPECT_TRUE(parameter->is(Parameter::required)) << one.id << ": " << name;
    }
    // Looking changes nothing, and changing is not looking.
    const bool looks = to_string(one.what->permission).ends_with(":read");
    EXPECT_EQ(one.method == "GET", looks) << one.id;
  }
}

// Every operation, every way to claim: as an argument, whatever it is called.
TEST(Callers, AreNotWhoTheySayTheyAre) {
  for (const Described& one : all())
    for (const char* claim : {"user", "caller", "uid", "login", "requester", "name_of_caller", "permissions",
                              "scope", "x-forwarded-user", "USER", ""}) {
      // It narrows the list to what somebody asked for; that says nothing about who lists.
      if (one.id == "list" && claim == std::string_view("requester")) continue;
      const json::Object given{{claim, "uid:4242 (somebody else)"}};
      for (Door door : {Door::command_line, Door::control_socket, Door::http}) {
        const auto read = read_arguments(one.parameters, given, door);
        ASSERT_FALSE(read) << one.id << " takes " << claim;
        EXPECT_EQ(read.error().code, Code::malformed);
        EXPECT_TRUE(read.error().detail.starts_with("there is no argument \"" + std::string(claim) + "\""))
            << one.id << ": " << read.error().detail;
      }
    }
}

TEST(Callers, AreNamedByTheKernel) {
  EXPECT_EQ(control_caller("uid:0").name, "uid:0 (root)");
  EXPECT_EQ(control_caller("uid:0 login:4294967").name, "uid:0 (root), login uid:4294967");
  EXPECT_EQ(control_caller("uid:4294967").name, "uid:4294967");
  EXPECT_EQ(control_caller("uid:0").requester(), "command:uid:0 (root)");
  EXPECT_EQ(own_caller().kind, Caller::Kind::local);
}

TEST(Callers, MayDoWhatTheyHaveThePermissionFor) {
  for (const HostOperation& operation : host_operations()) {
    Caller nobody{.name = "alice", .kind = Caller::Kind::person};
    const Status refused = check_permission(nobody, operation.what, operation.id);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::forbidden);
    EXPECT_EQ(refused.error().detail, std::string(operation.id) + " needs the permission " +
                                          std::string(to_string(operation.what.permission)) +
                                          ", which alice does not have");
    for (std::size_t i = 0; i < permission_count; ++i)
      if (static_cast<Permission>(i) != operation.what.permission)
        nobody.permissions.add(static_cast<Permission>(i));
    EXPECT_FALSE(check_permission(nobody, operation.what, operation.id)) << operation.id;
    nobody.permissions.add(operation.what.permission);
    EXPECT_TRUE(check_permission(nobody, operation.what, operation.id)) << operation.id;
    EXPECT_TRUE(check_permission(control_caller("uid:0"), operation.what, operation.id)) << operation.id;
  }
}

TEST(OpenApi, IsTheOneThatIsKept) {
  std::ifstream in(HANAPER_SOURCE "/host/operations/openapi.json", std::ios::binary);
  const std::string kept{std::istreambuf_iterator<char>(in), {}};
  EXPECT_TRUE(kept == json::write_pretty(openapi(all())) + "\n")
      << "run: hanaper openapi -c /none > host/operations/openapi.json";
}

TEST(OpenApi, HasEveryOperationThatHasAPath) {
  const json::Value document = openapi(all());
  for (const Described& one : all()) {
    if (one.path.empty()) continue;
    std::string method = one.method;
    for (char& c : method) c = static_cast<char>(c | 0x20);
    const json::Value* path = document.find("paths")->find(one.path);
    ASSERT_NE(path, nullptr) << one.path;
    ASSERT_NE(path->find(method), nullptr) << one.path;
    EXPECT_EQ(path->find(method)->text_at("operationId"), one.id);
    EXPECT_EQ(path->find(method)->text_at("x-permission"), to_string(one.what->permission));
  }
}

}  // namespace
}  // namespace hanaper::operations
