// Requests that are asked again, and requests that somebody approves first.
#include "issuance_support.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace hanaper::test {
namespace {

class Approval : public IssuanceFixture {
 protected:
  void open_with(bool approval) {
    open();
    auto wiring = std::make_shared<issuance::Wiring>();
    wiring->authority = authority_;
    wiring->profiles = {std::make_shared<issuance::Profile>(Plan().profile, authority_)};
    wiring->policies = {{"policy", &policy_}};
    wiring->validators = {{"validator", &validator_}};
    wiring->approval = approval;
    pipeline_.wire(std::move(wiring));
  }
  Result<Issued> ask(const Bytes& csr, std::string once = {}) {
    IssueRequest wanted = request(csr);
    wanted.once = std::move(once);
    return issue(wanted);
  }
  std::string only_pending() {
    const auto pending = *requests_.list(issuance::RequestState::pending, "", 10);
    return pending.size() == 1 ? pending.front().id : "";
  }
  Status decide(const std::string& id, bool approve, std::string reason = {}) {
    Call call{"call-2", soon()};
    const auto decided = requests_.decide(id, approve, std::move(reason), "root", call);
    return decided ? Status{} : Status(decided.error());
  }
  std::size_t signed_rows() {
    return static_cast<std::size_t>(
        std::ranges::count_if(ledger(), [](const CertificateRow& row) { return !row.signature.empty(); }));
  }

  const std::shared_ptr<crypto::SoftKey> device_ = new_key();
  const Bytes csr_ = request_for(*device_, {{Kind::dns, "device.example.test"}});
};

TEST_F(Approval, GivesNothingBeforeAndOneCertificateAfter) {
  open_with(true);
  for (int again = 0; again < 2; ++again) {
    const auto issued = ask(csr_);
    ASSERT_FALSE(issued);
    EXPECT_EQ(issued.error().code, Code::pending);
    EXPECT_EQ(issued.error().detail, "request " + only_pending() + " waits for approval");
    EXPECT_EQ(issued.error().retry_after, std::chrono::seconds{60});
  }
  EXPECT_TRUE(ledger().empty());
  EXPECT_EQ(requests_.get(only_pending())->subject, "CN=device.example.test device.example.test");

  ASSERT_TRUE(decide(only_pending(), true));
  const auto first = ask(csr_), second = ask(csr_);
  ASSERT_TRUE(first) << first.error().detail;
  ASSERT_TRUE(second) << second.error().detail;
  EXPECT_EQ(first->certificate, second->certificate);
  EXPECT_EQ(second->chain, first->chain);
  EXPECT_EQ(ledger().size(), 1U);
  for (const char* event : {"request.asked", "request.approved"})
    EXPECT_NE(audit_text().find(event), std::string::npos) << event;
}

// Whoever asks never forgets that he has, not even by kill -9.
TEST_F(Approval, BeginsWithWhatItsCallerRemembers) {
  open_with(true);
  int told = 0;
  IssueRequest wanted = request(csr_);
  RecordWrite memory;
  memory.collection = "test";
  memory.key = "order";
  memory.expected = 7;
  wanted.with_pending = [&](std::string_view id) {
    ++told;
    memory.data = id;
    return std::vector<RecordWrite>{memory};
  };
  EXPECT_EQ(issue(wanted).error().code, Code::conflict);
  EXPECT_EQ(only_pending(), "") << "both or none";
  memory.expected = 0;
  told = 0;
  for (int again = 0; again < 2; ++again) EXPECT_EQ(issue(wanted).error().code, Code::pending);
  EXPECT_EQ(storage_.memory.records().get("test", "order")->data, only_pending());
  EXPECT_EQ(told, 1);
}

TEST_F(Approval, TellsWhyItWasDenied) {
  open_with(true);
  static_cast<void>(ask(csr_));
  const std::string id = only_pending();
  ASSERT_TRUE(decide(id, false, "not on the list"));
  for (int again = 0; again < 3; ++again) {
    const auto issued = ask(csr_);
    ASSERT_FALSE(issued);
    EXPECT_EQ(issued.error().code, Code::rejected);
    EXPECT_EQ(issued.error().detail, "request " + id + " was denied: not on the list");
  }
  EXPECT_EQ(only_pending(), "") << "nobody has to decide it again";
  EXPECT_EQ(decide(id, true).error().detail, "request " + id + " is denied already");
  EXPECT_TRUE(ledger().empty());
}

TEST_F(Approval, BothersNobodyWithWhatIsRefusedAnyway) {
  open_with(true);
  policy_.decision = [](Draft&) { return Status(rejected("not this name")); };
  EXPECT_EQ(ask(csr_).error().detail, "not this name");
  EXPECT_EQ(only_pending(), "");
}

TEST_F(Approval, KnowsRequestersApart) {
  open_with(true);
  static_cast<void>(ask(csr_));
  ASSERT_TRUE(decide(only_pending(), true));
  IssueRequest of_another = request(csr_);
  of_another.requester = "test:another";
  EXPECT_EQ(issue(of_another).error().code, Code::pending);
}

// RFC 7030 4.2.3: a client that comes back "will need to" link its request to the new connection.
// A client that keeps its key asks for the same each time it renews.
TEST_F(Approval, IsForOneRenewal) {
  open_with(true);
  IssueRequest wanted = request(csr_);
  const Bytes certificates[] = {{}, {1}, {2}};
  std::vector<Bytes> given;
  for (const Bytes& renewed : certificates) {
    wanted.renews = renewed;
    EXPECT_EQ(issue(wanted).error().code, Code::pending) << given.size();
    ASSERT_TRUE(decide(only_pending(), true));
    for (int again = 0; again < 2; ++again) {
      const auto issued = issue(wanted);
      ASSERT_TRUE(issued) << issued.error().detail;
      EXPECT_EQ(given.size() + 1 - static_cast<std::size_t>(again), ledger().size());
      if (again == 0) given.push_back(issued->certificate);
      EXPECT_EQ(issued->certificate, given.back());
    }
  }
  EXPECT_EQ(ledger().size(), 3U);
}

TEST_F(Approval, IsForWhatIsAskedHoweverItIsLinkedToAConnection) {
  open_with(true);
  const auto linked = [&](const char* challenge) {
    x509::CsrContent content;
    content.names = {{Kind::dns, "device.example.test"}};
    content.challenge_password = challenge;
    return *x509::build_csr(*device_, content);
  };
  static_cast<void>(ask(linked("one connection")));
  ASSERT_TRUE(decide(only_pending(), true));
  EXPECT_TRUE(ask(linked("another connection")));
  EXPECT_EQ(ledger().size(), 1U);
}

TEST_F(Approval, IsKnownAgainByWhatCameWhereEachRequestIsMadeAnew) {
  open_with(true);
  const auto ask_with_new_key = [&](const Bytes& came) {
    const Bytes made = request_for(*new_key(), {{Kind::dns, "device.example.test"}});
    IssueRequest wanted = request(made);
    wanted.asked = came;
    return issue(wanted);
  };
  for (int again = 0; again < 3; ++again) EXPECT_EQ(ask_with_new_key(csr_).error().code, Code::pending);
  ASSERT_TRUE(decide(only_pending(), true));
  EXPECT_TRUE(ask_with_new_key(csr_));
  const Bytes other = request_for(*new_key(), {{Kind::dns, "device.example.test"}});
  EXPECT_EQ(ask_with_new_key(other).error().code, Code::pending);
}

TEST_F(Approval, EndsWithTheCertificate) {
  open_with(true);
  static_cast<void>(ask(csr_));
  ASSERT_TRUE(decide(only_pending(), true));
  const auto first = ask(csr_);
  ASSERT_TRUE(first) << first.error().detail;
  Call call{"call", soon()};
  ASSERT_TRUE(pipeline_.revoke({1, first->serial}, RevocationReason::superseded, "test", call));
  EXPECT_EQ(ask(csr_).error().code, Code::pending) << "somebody has to look at it again";
  ASSERT_TRUE(decide(only_pending(), true));
  const auto second = ask(csr_);
  ASSERT_TRUE(second) << second.error().detail;
  EXPECT_NE(second->serial, first->serial);
}

TEST_F(Approval, GivesNoCertificateAgainThatIsRevoked) {
  open_with(false);
  const auto once = ask(csr_, "scep:7");
  ASSERT_TRUE(once) << once.error().detail;
  Call call{"call", soon()};
  ASSERT_TRUE(pipeline_.revoke({1, once->serial}, RevocationReason::superseded, "test", call));
  EXPECT_EQ(ask(csr_, "scep:7").error().detail,
            "the certificate of this request is revoked: make another request");
}

TEST_F(Approval, OfAnUnknownRequestIsRefused) {
  open_with(true);
  EXPECT_EQ(decide("00", true).error().detail, "no request 00; hanaper requests list shows those that wait");
}

TEST_F(Approval, IsNotNeededForOneCertificateUnderOneName) {
  open_with(false);
  const auto first = ask(csr_, "scep:42"), second = ask(csr_, "scep:42"), other = ask(csr_, "scep:43");
  ASSERT_TRUE(first && second && other);
  EXPECT_EQ(first->serial, second->serial);
  EXPECT_NE(first->serial, other->serial);
  // ECDSA signs differently each time; it is the same request all the same.
  const auto resigned = ask(request_for(*device_, {{Kind::dns, "device.example.test"}}), "scep:42");
  ASSERT_TRUE(resigned);
  EXPECT_EQ(resigned->serial, first->serial);
  const auto foreign = ask(request_for(*new_key(), {{Kind::dns, "device.example.test"}}), "scep:42");
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code, Code::conflict);
  EXPECT_EQ(signed_rows(), 2U);
}

TEST_F(Approval, GoesOnAfterANodeEndedBetweenIntentAndSignature) {
  open_with(false);
  key_->before_signing = [](ByteView) { return Status(unavailable("the token is away")); };
  EXPECT_EQ(ask(csr_, "once").error().detail, "the token is away");
  key_->before_signing = nullptr;
  EXPECT_EQ(ask(csr_, "once").error().detail, "the same request is being answered elsewhere");
  clock_.advance(std::chrono::minutes{3});
  const auto issued = ask(csr_, "once");
  ASSERT_TRUE(issued) << issued.error().detail;
  EXPECT_EQ(ask(csr_, "once")->serial, issued->serial);
  EXPECT_EQ(signed_rows(), 1U);
}

TEST_F(Approval, SaysWhichOfTheCallersRecordsHasMoved) {
  open_with(false);
  IssueRequest wanted = request(csr_);
  wanted.once = "once";
  RecordWrite moved;
  moved.collection = "test";
  moved.key = "order";
  moved.expected = 7;
  wanted.with_intent = {moved};
  EXPECT_EQ(issue(wanted).error().code, Code::conflict);
  wanted.with_intent.clear();
  EXPECT_TRUE(issue(wanted)) << "nothing was left behind";
}

TEST_F(Approval, GivesOneCertificateToManyWhoAskAtOnce) {
  open_with(false);
  std::vector<std::optional<Result<Issued>>> answers(8);
  std::vector<std::thread> threads;
  for (auto& answer : answers) threads.emplace_back([&] { answer = ask(csr_, "once"); });
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> serials;
  for (const auto& answer : answers) {
    if (*answer)
      serials.insert((*answer)->serial.hex());
    else
      EXPECT_EQ(answer->error().code, Code::unavailable) << answer->error().detail;
  }
  EXPECT_EQ(serials.size(), 1U);
  EXPECT_EQ(signed_rows(), 1U);
}

}  // namespace
}  // namespace hanaper::test
