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
  Bytes before, after, delta;
};

class Restore : public NodeFixture {
 protected:
  static std::string text() {
    return configuration("", R"([protocol.crl]
authorities = ["issuing"]
url = "http://pki.example.test/crl"
on_revoke = false
delta = "12h"
)");
  }
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
    run("backup", {{"name", "backup-1.tar"}});
    world.backup = scratch_ / "backup.tar";
    std::filesystem::rename(scratch_ / "state/backup-1.tar", world.backup);
    revoke(issue_one(), "superseded");  // which the backup does not know
    revoke(world.held, "cessationOfOperation");
    revoke(world.compromised, "keyCompromise");
    for (int i = 0; i < 3; ++i) world.after = published();
    world.delta = published(true);
    node_.reset();
    std::filesystem::remove_all(scratch_.path() / "state");
    scratch_.file("state/pin", "a pin of some length");
    std::filesystem::permissions(scratch_.path() / "state", std::filesystem::perms::owner_all);
    return world;
  }
  Result<json::Value> restore(const World& world, const std::vector<CrlFile>& crls) {
    Node node(model(text()), catalog_, logger_);
    for (const std::string& line : node.configure()) ADD_FAILURE() << line;
    return operations::restore(node, operations::own_caller(), world.backup, crls);
  }
  void open() {
    node_ = std::make_unique<Node>(model(text()), catalog_, logger_);
    for (const std::string& line : node_->configure()) ADD_FAILURE() << line;
    const Status started = node_->start();
    ASSERT_TRUE(started) << started.error().detail;
  }
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
  const auto restored = restore(world, files);
  if (*test.refusal != '\0') {
    ASSERT_FALSE(restored);
    EXPECT_NE(restored.error().detail.find(test.refusal), std::string::npos) << restored.error().detail;
  } else {
    ASSERT_TRUE(restored) << restored.error().detail;
    const json::Array& told = *restored->find("crls")->array();
    ASSERT_EQ(told.size(), test.taken.size());
    for (std::size_t i = 0; i < told.size(); ++i)
      EXPECT_EQ(*told[i].find("taken")->integer(), test.taken[i]) << json::write(told[i]);
    if (!told.empty()) {
      EXPECT_EQ(*told.back().find("unknown")->integer(), test.unknown) << json::write(told.back());
    }
  }
  open();
  EXPECT_EQ(row(world.compromised).revoked, test.compromised);
  EXPECT_EQ(row(world.held).revoked, test.held);
  EXPECT_FALSE(row(world.released).revoked);
  EXPECT_FALSE(row(world.good).revoked);
  EXPECT_EQ(issue().has_value(), !test.compromised) << "a key that is compromised stays blocked";
  // Also where nothing was taken in: a refusal must not leave numbers that were used.
  EXPECT_GT(number_of(published()), number_of(world.delta));
  EXPECT_GT(number_of(published(true)), number_of(world.delta));
  const json::Value chains = run("audit.verify", {});
  EXPECT_FALSE(chains.find("items")->array()->empty());
}

const Intake intakes[] = {
    {.name = "no CRL", .crls = [](const World&) { return Crls{}; }, .taken = {}},
    {.name = "the last that was published",
     .crls = [](const World& world) { return Crls{world.after}; },
     .taken = {2},
     .unknown = 1,
     .compromised = Reason::key_compromise,
     .held = Reason::cessation_of_operation},
    {.name = "a delta",
     .crls = [](const World& world) { return Crls{world.delta}; },
     .taken = {2},
     .unknown = 1,
     .compromised = Reason::key_compromise,
     .held = Reason::cessation_of_operation},
    {.name = "several, of which the first says it all",
     .crls =
         [](const World& world) {
           return Crls{world.after, world.before, world.delta};
         },
     .taken = {2, 0, 0},
     .unknown = 1,
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
                "published; the backup is restored, and no CRL was taken in: empty "},
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
  ASSERT_TRUE(restore(world, {{"published.crl", world.after}}));
  open();
  EXPECT_EQ(row(world.compromised).revoked_at, at);
  const json::Value lines = run("audit.tail", {{"lines", 20}});
  const std::string audit = json::write(lines);
  EXPECT_NE(audit.find("restored"), std::string::npos) << audit;
  EXPECT_NE(audit.find("\\\"crl\\\":\\\"issuing "), std::string::npos) << audit;
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
