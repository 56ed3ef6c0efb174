// A backup put back: numbers go on above what was used since, and what published CRLs say is known again.
#include "operations/restore.hpp"
#include "node_support.hpp"
#include "operations/table.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/certificate.hpp>

#include <functional>

namespace hanaper::test {
namespace {

using operations::CrlFile;
using Reason = RevocationReason;
using Crls = std::vector<Bytes>;

// What lived on after the machine: a backup, and CRLs from before and after it.
struct World {
  std::string backup;
  Serial compromised;  // revoked after the backup
  Serial held;         // on hold in the backup, revoked after it
  Serial released;     // on hold before the backup, and good in it
  Serial good;
  Serial unknown;  // issued and revoked after the backup
  Bytes before, after, delta;
};

class Restore : public NodeFixture {
 protected:
  std::string text() const { return configuration("", crl_table_); }
  json::Value run(std::string_view id, const json::Object& arguments) {
    Call call{"test", std::chrono::steady_clock::now() + std::chrono::seconds{30}};
    auto answer = operations::run(*node_, operations::own_caller(), id, arguments,
                                  operations::Door::command_line, call);
    EXPECT_TRUE(answer) << id << ": " << answer.error().detail;
    return answer ? *std::move(answer) : json::Value();
  }
  Serial issue_one() {
    const auto issued = issue();
    EXPECT_TRUE(issued) << issued.error().detail;
    return x509::parse_certificate(issued->certificate)->serial;
  }
  void revoke(const Serial& serial, const char* reason) {
    run("revoke", {{"certificate", serial.hex()}, {"reason", reason}});
  }
  Bytes published(bool delta = false) {
    run("crl.generate", {});
    const json::Value answer = run("crl.download", {{"authority", "issuing"}, {"delta", delta}});
    return *base64::decode(answer.text_at("crl"));
  }
  static std::uint64_t number_of(ByteView crl) { return validity::parse_crl(crl)->number; }

  std::string back_up() {
    run("backup", {{"name", "backup-1.tar"}});
    std::filesystem::rename(scratch_ / "state/backup-1.tar", scratch_ / "backup.tar");
    return scratch_ / "backup.tar";
  }
  // A machine that is lost; what is left of it.
  World lose() {
    World world;
    serve(text());
    world.compromised = issue_one();
    world.held = issue_one();
    world.released = issue_one();
    world.good = issue_one();
    revoke(world.held, "certificateHold");
    revoke(world.released, "certificateHold");
    world.before = published();
    revoke(world.released, "removeFromCRL");
    world.backup = back_up();
    world.unknown = issue_one();
    revoke(world.unknown, "superseded");
    revoke(world.held, "cessationOfOperation");
    revoke(world.compromised, "keyCompromise");
    for (int i = 0; i < 3; ++i) world.after = published();
    world.delta = published(true);
    lose_state();
    return world;
  }
  void lose_state() {
    node_.reset();
    std::filesystem::remove_all(scratch_.path() / "state");
    scratch_.file("state/pin", "a pin of some length");
    std::filesystem::permissions(scratch_.path() / "state", std::filesystem::perms::owner_all);
  }
  Result<json::Value> restore(const std::string& backup, const std::vector<CrlFile>& crls) {
    Node node(model(text()), catalog_, logger_);
    for (const std::string& line : node.configure()) ADD_FAILURE() << line;
    return operations::restore(node, operations::own_caller(), backup, crls);
  }
  void open() {
    node_ = std::make_unique<Node>(model(text()), catalog_, logger_);
    for (const std::string& line : node_->configure()) ADD_FAILURE() << line;
    const Status started = node_->start();
    ASSERT_TRUE(started) << started.error().detail;
  }
  std::string crl_table_ = R"([protocol.crl]
authorities = ["issuing"]
url = "http://pki.example.test/crl"
on_revoke = false
delta = "12h"
)";
  CertificateRow row(const Serial& serial) { return *node_->storage().ledger().certificate(1, serial); }
};

Bytes damaged(Bytes crl) {
  crl.back() ^= 1;
  return crl;
}
Bytes of_another(const Bytes& crl) {
  std::string text(as_text(crl));
  text.replace(text.find("Issuing"), 7, "Nobody!");
  return to_bytes(as_bytes(text));
}

struct Intake {
  const char* name;
  std::function<Crls(const World&)> crls;
  std::vector<std::int64_t> taken;  // of each CRL, in order
  std::int64_t unknown = 0;         // of the last
  std::optional<Reason> compromised = {}, held = Reason::certificate_hold;
  const char* refusal = "";
};
std::ostream& operator<<(std::ostream& out, const Intake& of) { return out << of.name; }

class Intakes : public Restore, public ::testing::WithParamInterface<Intake> {};

TEST_P(Intakes, RevokeWhatTheLedgerHasAsGoodAndLeaveNumbersBehind) {
  const Intake& test = GetParam();
  const World world = lose();
  std::vector<CrlFile> files;
  for (Bytes& crl : test.crls(world)) files.push_back({"published.crl", std::move(crl)});
  const auto restored = restore(world.backup, files);
  if (*test.refusal != '\0') {
    ASSERT_FALSE(restored);
    EXPECT_NE(restored.error().detail.find(test.refusal), std::string::npos) << restored.error().detail;
    Node node(model(text()), catalog_, logger_);
    EXPECT_TRUE(node.configure().empty());
    const Status served = node.start();
    ASSERT_FALSE(served) << "what was revoked since is good";
    EXPECT_NE(served.error().detail.find("a restore was broken off"), std::string::npos)
        << served.error().detail;
    return;
  }
  ASSERT_TRUE(restored) << restored.error().detail;
  const json::Array& told = *restored->find("crls")->array();
  ASSERT_EQ(told.size(), test.taken.size());
  for (std::size_t i = 0; i < told.size(); ++i)
    EXPECT_EQ(*told[i].find("taken")->integer(), test.taken[i]) << json::write(told[i]);
  if (!told.empty()) {
    EXPECT_EQ(*told.back().find("unknown")->integer(), test.unknown) << json::write(told.back());
  }
  open();
  EXPECT_EQ(row(world.compromised).revoked, test.compromised);
  EXPECT_EQ(row(world.held).revoked, test.held);
  EXPECT_FALSE(row(world.released).revoked);
  EXPECT_FALSE(row(world.good).revoked);
  if (test.unknown != 0) {
    EXPECT_EQ(row(world.unknown).revoked, Reason::superseded);
    EXPECT_EQ(row(world.unknown).requester, operations::own_caller().requester());
  }
  EXPECT_EQ(issue().has_value(), !test.compromised) << "a key that is compromised stays blocked";
  EXPECT_GT(number_of(published()), number_of(world.delta));
  EXPECT_GT(number_of(published(true)), number_of(world.delta));
  const json::Value chains = run("audit.verify", {});
  EXPECT_FALSE(chains.find("items")->array()->empty());
}

const Intake intakes[] = {
    {.name = "no CRL", .crls = [](const World&) { return Crls{}; }, .taken = {}},
    {.name = "the last that was published",
     .crls = [](const World& world) { return Crls{world.after}; },
     .taken = {3},
     .unknown = 1,
     .compromised = Reason::key_compromise,
     .held = Reason::cessation_of_operation},
    {.name = "a delta",
     .crls = [](const World& world) { return Crls{world.delta}; },
     .taken = {3},
     .unknown = 1,
     .compromised = Reason::key_compromise,
     .held = Reason::cessation_of_operation},
    {.name = "several, of which the first says it all",
     .crls =
         [](const World& world) {
           return Crls{world.after, world.before, world.delta};
         },
     .taken = {3, 0, 0},
     .unknown = 0,
     .compromised = Reason::key_compromise,
     .held = Reason::cessation_of_operation},
    {.name = "one that is older than the backup",
     .crls = [](const World& world) { return Crls{world.before}; },
     .taken = {0}},
    {.name = "one whose signature is wrong",
     .crls =
         [](const World& world) {
           return Crls{world.after, damaged(world.after)};
         },
     .taken = {},
     .refusal = "published.crl: is not signed by the authority that it names; get it again from where it is "
                "published; no CRL was taken in: empty "},
    {.name = "one of somebody else",
     .crls = [](const World& world) { return Crls{of_another(world.after)}; },
     .taken = {},
     .refusal = "published.crl: is a CRL of none of the authorities of the backup"},
};
INSTANTIATE_TEST_SUITE_P(Crls, Intakes, ::testing::ValuesIn(intakes));

TEST_F(Restore, KeepsTheDateAndTheReasonOfTheCrl) {
  const World world = lose();
  Time at{};
  ASSERT_TRUE(
      validity::each_entry(*validity::parse_crl(world.after), [&](const validity::CrlEntry& entry) -> Status {
        if (entry.serial == world.compromised) at = entry.at;
        return {};
      }));
  ASSERT_TRUE(restore(world.backup, {{"published.crl", world.after}}));
  open();
  EXPECT_EQ(row(world.compromised).revoked_at, at);
  const json::Value lines = run("audit.tail", {{"lines", 20}});
  const std::string audit = json::write(lines);
  EXPECT_NE(audit.find("restored"), std::string::npos) << audit;
  EXPECT_NE(audit.find("\\\"crl\\\":\\\"issuing "), std::string::npos) << audit;
}

struct Numbered {
  const char* name;
  const char* table;  // beside what all have
  std::size_t lists;
};

// Each shard has numbers of its own, which its deltas share; an indirect CRL has its signer's.
TEST_F(Restore, LeavesTheNumbersOfEveryKindOfCrlBehind) {
  const Numbered tables[] = {
      {"complete ones", "authorities = [\"issuing\", \"other\"]", 2},
      {"deltas", "authorities = [\"issuing\"]\ndelta = \"12h\"", 2},
      {"shards with deltas", "authorities = [\"issuing\"]\nshards = 3\ndelta = \"12h\"", 8},
      {"those of authorities apart", "authorities = [\"issuing\"]\nsplit = true", 3},
      {"indirect ones", "authorities = [\"issuing\"]\nissuer = \"other\"\nshards = 1", 2},
  };
  const auto numbers = [&] {
    std::map<std::string, std::int64_t> all;
    const json::Value made = run("crl.generate", {});
    for (const json::Value& row : *made.find("items")->array())
      all[std::string(row.text_at("authority")) + "/" + std::string(row.text_at("shard")) + "/" +
          std::string(row.text_at("kind"))] = *row.find("number")->integer();
    return all;
  };
  for (const Numbered& test : tables) {
    SCOPED_TRACE(test.name);
    crl_table_ =
        "[authority.other]\nkey = \"soft:other\"\nsubject = \"CN=Other\"\n[pipeline.other]\n"
        "authority = \"other\"\nprofiles = [\"web\"]\n[protocol.crl]\nurl = \"http://a.test\"\n" +
        std::string(test.table) + "\n";
    serve(text());
    const std::string backup = back_up();
    std::map<std::string, std::int64_t> before;
    for (int i = 0; i < 3; ++i) before = numbers();
    EXPECT_EQ(before.size(), test.lists);
    lose_state();
    const auto restored = restore(backup, {});
    ASSERT_TRUE(restored) << restored.error().detail;
    open();
    const std::map<std::string, std::int64_t> after = numbers();
    ASSERT_EQ(after.size(), before.size());
    for (const auto& [list, number] : before) EXPECT_GT(after.at(list), number) << list;
    lose_state();
    std::filesystem::remove(backup);
  }
}

struct Unreadable {
  const char* name;
  std::string content;
  const char* refusal;
};

TEST_F(Restore, ReadsCrlsInDerAndPemAndNothingElse) {
  const World world = lose();
  const std::string der(as_text(world.after)), block = pem::encode("X509 CRL", world.after);
  const Unreadable files[] = {
      {"DER", der, ""},
      {"PEM", block, ""},
      {"PEM with text around it", "# of today\n" + block, ""},
      {"a certificate", pem::encode("CERTIFICATE", world.after), "holds a CERTIFICATE, which is no CRL"},
      {"octets behind it", der + "x", "is no CRL that could be read"},
      {"half of it", der.substr(0, der.size() / 2), "is no CRL that could be read"},
      {"nothing", "", "is no CRL that could be read"},
  };
  for (const Unreadable& file : files) {
    const auto read = operations::read_crls(scratch_.file("a.crl", file.content));
    EXPECT_EQ(read.has_value(), *file.refusal == '\0') << file.name;
    if (read)
      EXPECT_EQ(read->front().der, world.after) << file.name;
    else
      EXPECT_NE(read.error().detail.find(file.refusal), std::string::npos)
          << file.name << ": " << read.error().detail;
  }
}

}  // namespace
}  // namespace hanaper::test
