// Whose key it is: none that somebody needs is deleted, and no authority shares one.
#include "config/key_uses.hpp"
#include "node_support.hpp"
#include "operations/table.hpp"
#include "socket_support.hpp"

namespace hanaper::test {
namespace {

struct Deletion {
  const char* name;
  const char* label;
  const char* refusal;  // empty: it is deleted
};

class KeyUses : public NodeFixture {
 protected:
  Result<json::Value> run(std::string_view id, const json::Object& arguments) {
    Call call{"test", std::chrono::steady_clock::now() + std::chrono::seconds{30}};
    return operations::run(*node_, operations::own_caller(), id, arguments, operations::Door::command_line,
                           call);
  }
};

TEST_F(KeyUses, AreEachAReasonNotToDeleteAKey) {
  std::string text = configuration("", R"([listener.public]
bind = "127.0.0.1:)" + std::to_string(sockets::free_port()) +
                                           R"("
health = true
certificate = { issue = "web", names = ["pki.example.test"] }
key = "soft:tls"
[listener.inside]
bind = "127.0.0.1:)" + std::to_string(sockets::free_port()) +
                                           R"("
health = true
certificate = { issue = "web", names = ["inside.example.test"] }
key = "soft:tls"
)");
  text.replace(text.find("subject = \"CN=Issuing\""), 0, "registrar = \"soft:registrar\"\n");
  serve(text);
  ASSERT_TRUE(run("keys.create", {{"place", "soft:spare"}}));
  const Deletion deletions[] = {
      {"an authority's", "issuing", "soft:issuing is the key of authority \"issuing\"; take that out of"},
      {"a registrar's", "registrar", "soft:registrar is the key of registrar of authority \"issuing\"; take"},
      {"of two listeners", "tls", "soft:tls is the key of listener \"inside\", listener \"public\"; take"},
      {"nobody's", "spare", ""},
  };
  for (const Deletion& test : deletions) {
    const auto deleted = run("keys.delete", {{"place", std::string("soft:") + test.label}});
    EXPECT_EQ(deleted.has_value(), *test.refusal == '\0') << test.name;
    if (!deleted) {
      EXPECT_EQ(deleted.error().code, Code::conflict) << test.name;
      EXPECT_TRUE(deleted.error().detail.starts_with(test.refusal)) << deleted.error().detail;
    }
  }
  const auto listed = run("keys.list", {});
  ASSERT_TRUE(listed);
  for (const json::Value& row : *listed->find("items")->array())
    EXPECT_NE(row.text_at("used_by"), "") << json::write(row) << ": the spare one is gone";
}

}  // namespace
}  // namespace hanaper::test
