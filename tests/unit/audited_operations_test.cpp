// What operators have done is in the audit: who asked for what, and what came of it.
#include "node_support.hpp"
#include "operations/table.hpp"

#include <functional>

namespace hanaper::test {
namespace {

// Answers of the operations before, by name.
using Answers = std::map<std::string, json::Value>;

struct Step {
  const char* name;
  const char* id;
  std::function<json::Object(const Answers&)> arguments;
  std::vector<std::string> says;          // parts of its lines, in order; {x} is the member x of its answer
  const char* secret = "";                // the member of its answer that no line has
  Code refusal = Code::internal;          // internal: it is done
  std::vector<std::string> changes = {};  // of a reload
  const char* error = "";                 // why a reload is refused
};

class AuditedOperations : public NodeFixture {
 protected:
  Result<json::Value> run(const Step& step, const Answers& answers) {
    Call call{"test", std::chrono::steady_clock::now() + std::chrono::seconds{30}};
    return operations::run(*node_, operations::own_caller(), step.id,
                           step.arguments ? step.arguments(answers) : json::Object{},
                           operations::Door::command_line, call);
  }
  // The lines written since it was asked last.
  std::string lines() {
    std::string text;
    const auto pages = node_->storage().ledger().audit("main", seen_, 1000);
    EXPECT_TRUE(pages);
    for (const AuditPage& page : *pages) text += page.text;
    seen_ += pages->size();
    return text;
  }

  std::uint64_t seen_ = 0;
};

const Step steps[] = {
    {.name = "an external key is made",
     .id = "acme.eab.create",
     .arguments =
         [](const Answers&) {
           return json::Object{{"owner", "red"}, {"name", json::Array{"red.example.test"}}};
         },
     .says = {R"("event":"operation.intent","operation":"acme.eab.create")",
              R"(\"owner\":\"red\",\"name\":[\"red.example.test\"])", R"("requester":"command:uid:)",
              R"("event":"operation.done","operation":"acme.eab.create","made":"{kid}")"},
     .secret = "hmac"},
    {.name = "it is withdrawn",
     .id = "acme.eab.revoke",
     .arguments =
         [](const Answers& answers) {
           return json::Object{{"kid", answers.at("acme.eab.create").text_at("kid")}};
         },
     .says = {R"("event":"operation.intent","operation":"acme.eab.revoke")", R"(\"kid\":\"{kid}\")",
              R"("event":"operation.done","operation":"acme.eab.revoke")"}},
    {.name = "one is withdrawn that there is not",
     .id = "acme.eab.revoke",
     .arguments =
         [](const Answers&) {
           return json::Object{{"kid", "nobody"}};
         },
     .says = {R"("event":"operation.intent","operation":"acme.eab.revoke")",
              R"("event":"operation.failed","operation":"acme.eab.revoke","error":"no external key)"},
     .refusal = Code::not_found},
    {.name = "arguments are refused before anything is done",
     .id = "acme.eab.create",
     .arguments =
         [](const Answers&) {
           return json::Object{{"owner", "red"}, {"colour", "red"}};
         },
     .says = {},
     .refusal = Code::malformed},
    {.name = "keys are listed", .id = "acme.eab.list", .arguments = {}, .says = {}},
    {.name = "a challenge is made",
     .id = "scep.challenge",
     .arguments =
         [](const Answers&) {
           return json::Object{{"subject", "CN=router-7"}};
         },
     .says = {R"("event":"operation.intent","operation":"scep.challenge")", R"(CN=router-7)",
              R"("event":"operation.done","operation":"scep.challenge","made":"{id}")"},
     .secret = "challenge"},
    {.name = "it is withdrawn again",
     .id = "scep.withdraw",
     .arguments =
         [](const Answers& answers) {
           return json::Object{{"id", answers.at("scep.challenge").text_at("id")}};
         },
     .says = {R"("event":"operation.intent","operation":"scep.withdraw")", R"({id})",
              R"("event":"operation.done","operation":"scep.withdraw")"}},
    {.name = "a backup is made",
     .id = "backup",
     .arguments =
         [](const Answers&) {
           return json::Object{{"name", "backup-1.tar"}};
         },
     .says = {R"("event":"backup.made","backup":"20)", R"("requester":"command:uid:)"}},
    {.name = "the configuration is read again",
     .id = "reload",
     .arguments = {},
     .says = {R"("event":"reload.asked","requester":"command:uid:)",
              R"("event":"reloaded","changes":"profile.web: applied; log: applied")"},
     .changes = {"profile.web: applied", "log: applied"}},
    {.name = "it is broken",
     .id = "reload",
     .arguments = {},
     .says = {R"("event":"reload.asked")", R"("event":"reload.refused","error":"no such profile")"},
     .refusal = Code::malformed,
     .error = "no such profile"},
};

TEST_F(AuditedOperations, SayWhoAskedForWhatAndNoSecret) {
  std::string text = configuration("", R"([protocol.acme]
pipeline = "web"
url = "https://pki.example.test/acme"
[protocol.scep]
pipeline = "web"
url = "http://pki.example.test/scep"
)");
  text.replace(text.find("subject = \"CN=Issuing\""), 0, "registrar = \"soft:registrar\"\n");
  serve(text);
  lines();
  Answers answers;
  for (const Step& step : steps) {
    SCOPED_TRACE(step.name);
    node_->on_reload = [&](Call&) -> Result<std::vector<std::string>> {
      Result<std::vector<std::string>> outcome = step.changes;
      if (*step.error != '\0') outcome = malformed(step.error);
      node_->reloaded(outcome);
      return outcome;
    };
    const auto answer = run(step, answers);
    EXPECT_EQ(answer.has_value(), step.refusal == Code::internal);
    if (!answer) {
      EXPECT_EQ(answer.error().code, step.refusal) << answer.error().detail;
    }
    const std::string said = lines();
    std::size_t at = 0;
    for (std::string part : step.says) {
      if (const std::size_t open = part.find("{"); answer && open != std::string::npos) {
        const std::size_t close = part.find('}', open);
        part.replace(open, close - open + 1, answer->text_at(part.substr(open + 1, close - open - 1)));
      }
      at = said.find(part, at);
      ASSERT_NE(at, std::string::npos) << part << " is not in\n" << said;
    }
    if (step.says.empty()) {
      EXPECT_EQ(said, "");
    }
    if (!answer) continue;
    if (*step.secret != '\0') {
      EXPECT_EQ(said.find(answer->text_at(step.secret)), std::string::npos) << said;
    }
    answers.insert_or_assign(step.id, *answer);
  }
}

}  // namespace
}  // namespace hanaper::test
