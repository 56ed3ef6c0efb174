// From request to certificate on disk: order, failures between the steps, and what they leave behind.
#include "issuance_support.hpp"

#include <hanaper/toolkit/crypto.hpp>

#include <barrier>
#include <condition_variable>
#include <set>
#include <thread>

namespace hanaper::test {
namespace {

class IssuanceTask : public IssuanceFixture {
 protected:
  Bytes csr_ = request_for(*new_key(), {{Kind::dns, "host.example.test"}});
};

TEST_F(IssuanceTask, EndsWithACertificateThatTheAuthorityHasSigned) {
  open();
  const auto issued = issue(csr_);
  ASSERT_TRUE(issued.has_value()) << issued.error().detail;
  const auto view = *x509::parse_certificate(issued->certificate);
  EXPECT_TRUE(crypto::verify(SignatureScheme::ecdsa_sha256, key_->spki(), view.whole, view.signature));
  EXPECT_TRUE(equal(view.issuer, authority_->subject()));
  EXPECT_EQ(view.serial, issued->serial);
  EXPECT_EQ(view.not_after, issued->not_after);
  const auto status = *pipeline_.status({issued->authority, issued->serial});
  EXPECT_EQ(status.certificate, issued->certificate);
  EXPECT_EQ(status.row.requester, "test:somebody");
  EXPECT_EQ(pipeline_.identify(issued->certificate)->row.serial, issued->serial);
  EXPECT_EQ(count("hanaper_certificates_issued_total"), 1u);
}

TEST_F(IssuanceTask, StoresIntentAndAuditBeforeTheKeyIsAsked) {
  open();
  bool looked = false;
  key_->before_signing = [&](ByteView tbs) -> Status {
    looked = true;
    const auto rows = ledger();
    EXPECT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows.front().tbs, to_bytes(tbs));
    EXPECT_TRUE(rows.front().signature.empty());
    const std::string said = audit_text();
    EXPECT_NE(said.find("\"sign.intent\""), std::string::npos) << said;
    EXPECT_NE(said.find(to_hex(crypto::sha256(tbs))), std::string::npos) << said;
    EXPECT_EQ(said.find("\"signed\""), std::string::npos) << said;
    return {};
  };
  ASSERT_TRUE(issue(csr_).has_value());
  EXPECT_TRUE(looked);
  EXPECT_NE(audit_text().find("\"signed\""), std::string::npos);
}

TEST_F(IssuanceTask, AsksNoKeyWhenTheIntentCannotBeStored) {
  open();
  storage_.memory.fail_next(1, unavailable("disk full"));
  const auto issued = issue(csr_);
  ASSERT_FALSE(issued.has_value());
  EXPECT_EQ(issued.error().code, Code::unavailable);
  EXPECT_EQ(key_->asked, 0);
  EXPECT_TRUE(ledger().empty());
  EXPECT_TRUE(audit().empty());
  EXPECT_EQ(count("hanaper_requests_failed_total"), 1u);
}

TEST_F(IssuanceTask, AsksNoKeyWhenTheClockIsBeforeTheAudit) {
  open();
  ASSERT_TRUE(issue(csr_).has_value());
  clock_.advance(-std::chrono::hours{1});
  const auto issued = issue(csr_);
  ASSERT_FALSE(issued.has_value());
  EXPECT_EQ(issued.error().code, Code::unavailable);
  EXPECT_EQ(key_->asked, 1);
  EXPECT_EQ(ledger().size(), 1u);
}

TEST_F(IssuanceTask, ReturnsNothingWhenTheSignatureCannotBeStored) {
  open();
  int commits = 0;
  storage_.before_commit = [&](const Batch&) -> Status {
    return ++commits == 2 ? Status(unavailable("disk full")) : Status{};
  };
  const auto issued = issue(csr_);
  ASSERT_FALSE(issued.has_value());
  EXPECT_EQ(issued.error().code, Code::unavailable);
  EXPECT_EQ(key_->asked, 1);
  const auto rows = ledger();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_TRUE(rows.front().signature.empty());
  EXPECT_EQ(pipeline_.status({1, rows.front().serial})->certificate, Bytes{});
}

TEST_F(IssuanceTask, LeavesIntentAndAuditWhenTheKeyFails) {
  open();
  key_->before_signing = [](ByteView) -> Status { return unavailable("the token is away"); };
  const auto issued = issue(csr_);
  ASSERT_FALSE(issued.has_value());
  EXPECT_EQ(issued.error().code, Code::unavailable);
  EXPECT_EQ(issued.error().detail, "the token is away");
  const auto rows = ledger();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_TRUE(rows.front().signature.empty());
  const std::string said = audit_text();
  EXPECT_NE(said.find("\"sign.failed\""), std::string::npos) << said;
  EXPECT_NE(said.find("the token is away"), std::string::npos) << said;

  key_->before_signing = nullptr;
  EXPECT_TRUE(issue(csr_).has_value()) << "the next one goes its way";
}

TEST_F(IssuanceTask, GoesOnWhileEverySignerHangsInTheKey) {
  open();
  std::mutex mutex;
  std::condition_variable let_go;
  bool go = false;
  key_->before_signing = [&](ByteView) -> Status {
    std::unique_lock lock(mutex);
    if (key_->asked <= 2) let_go.wait(lock, [&] { return go; });
    return {};
  };
  std::vector<std::thread> hanging;
  for (int i = 0; i < 2; ++i) hanging.emplace_back([&] { EXPECT_TRUE(issue(csr_).has_value()); });
  while (key_->asked < 2) std::this_thread::yield();
  EXPECT_TRUE(issue(csr_).has_value());
  {
    const std::lock_guard lock(mutex);
    go = true;
  }
  let_go.notify_all();
  for (std::thread& thread : hanging) thread.join();
}

// None comes back from the key before all are in it.
TEST_F(IssuanceTask, KeepsAsManySignaturesUnderWayAsThereAreCallers) {
  open();
  constexpr int callers = 6;
  std::barrier all(callers);
  key_->before_signing = [&](ByteView) -> Status {
    all.arrive_and_wait();
    return {};
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < callers; ++i) threads.emplace_back([&] { EXPECT_TRUE(issue(csr_).has_value()); });
  for (std::thread& thread : threads) thread.join();
}

TEST_F(IssuanceTask, TakesAnExceptionOfTheKeyForAFailure) {
  open();
  key_->before_signing = [](ByteView) -> Status { throw std::runtime_error("a bug in the token"); };
  const auto issued = issue(csr_);
  ASSERT_FALSE(issued.has_value());
  EXPECT_EQ(issued.error().code, Code::internal);
  EXPECT_NE(audit_text().find("\"sign.failed\""), std::string::npos) << audit_text();
}

TEST_F(IssuanceTask, TakesAnExceptionOfTheRequestersRecordForAFailure) {
  open();
  IssueRequest wanted = request(csr_);
  wanted.with_record = [](const Issued&) -> std::vector<RecordWrite> { throw std::runtime_error("a bug"); };
  const auto issued = issue(wanted);
  ASSERT_FALSE(issued.has_value());
  EXPECT_EQ(issued.error().code, Code::internal);
}

TEST_F(IssuanceTask, WritesTheRequestersDocumentsWithIntentAndSignature) {
  open();
  IssueRequest wanted = request(csr_);
  wanted.with_intent = {{"orders", "1", 0, false, {}, {}, "ready"}};
  wanted.with_record = [](const Issued& issued) -> std::vector<RecordWrite> {
    return {{"orders", "1", 1, false, {}, {}, issued.serial.hex()}};
  };
  key_->before_signing = [&](ByteView) -> Status {
    EXPECT_EQ(storage_.memory.get("orders", "1")->data, "ready");
    return {};
  };
  const auto issued = issue(wanted);
  ASSERT_TRUE(issued.has_value()) << issued.error().detail;
  EXPECT_EQ(storage_.memory.get("orders", "1")->data, issued->serial.hex());
}

TEST_F(IssuanceTask, EndsBeforeTheKeyWhenTheRequestersDocumentHasMoved) {
  open();
  ASSERT_TRUE(commit(record("order")).has_value());
  IssueRequest wanted = request(csr_);
  wanted.with_intent = {{"test", "order", 0, false, {}, {}, "mine"}};
  const auto issued = issue(wanted);
  ASSERT_FALSE(issued.has_value());
  EXPECT_EQ(issued.error().code, Code::conflict);
  EXPECT_EQ(key_->asked, 0);
  EXPECT_EQ(serials_->drawn, 1) << "another serial number would not help";
  EXPECT_TRUE(ledger().empty());
}

TEST_F(IssuanceTask, DrawsAnotherSerialNumberWhenTheFirstIsTaken) {
  open();
  serials_->next = {"0a", "0a", "0a", "0b"};
  ASSERT_TRUE(issue(csr_).has_value());
  const auto issued = issue(csr_);
  ASSERT_TRUE(issued.has_value()) << issued.error().detail;
  EXPECT_EQ(issued->serial.hex(), "0b");
  EXPECT_EQ(x509::parse_certificate(issued->certificate)->serial.hex(), "0b");
}

TEST_F(IssuanceTask, GivesUpWhenEverySerialNumberIsTaken) {
  open();
  serials_->next = {"0a", "0a", "0a", "0a", "0b"};
  ASSERT_TRUE(issue(csr_).has_value());
  const auto issued = issue(csr_);
  ASSERT_FALSE(issued.has_value());
  EXPECT_EQ(issued.error().code, Code::conflict);
  EXPECT_EQ(key_->asked, 1);
}

TEST_F(IssuanceTask, EndsWhenNoSerialNumberCanBeHad) {
  open();
  serials_->failure = unavailable("no range");
  EXPECT_EQ(issue(csr_).error().detail, "no range");
  EXPECT_EQ(key_->asked, 0);
  EXPECT_TRUE(ledger().empty());
}

TEST_F(IssuanceTask, IsWithdrawnWhenStorageDoesNotGetToIt) {
  open();
  storage_.hold();
  Status aside;
  commit_aside(record("before"), aside);
  storage_.wait_for_arrivals(1);
  Call call{"call-1", std::chrono::steady_clock::now() + std::chrono::milliseconds{1}};
  const IssueRequest wanted = request(csr_);
  const auto issued = pipeline_.issue(wanted, call);
  ASSERT_FALSE(issued.has_value());
  EXPECT_EQ(issued.error().code, Code::unavailable);
  storage_.release();
  join();
  ASSERT_TRUE(aside.has_value());
  EXPECT_TRUE(ledger().empty());
  EXPECT_EQ(key_->asked, 0);
}

TEST_F(IssuanceTask, ManyAtOnceEachGetTheirOwn) {
  open();
  constexpr std::size_t threads = 8, each = 25;
  std::mutex mutex;
  std::set<Serial> seen;
  for (std::size_t i = 0; i < threads; ++i)
    threads_.emplace_back([&] {
      const auto key = new_key();
      for (std::size_t n = 0; n < each; ++n) {
        const auto issued = issue(request_for(*key, {{Kind::dns, "host.example.test"}}));
        ASSERT_TRUE(issued.has_value()) << issued.error().detail;
        EXPECT_TRUE(equal(x509::parse_certificate(issued->certificate)->spki, key->spki()));
        const std::lock_guard lock(mutex);
        seen.insert(issued->serial);
      }
    });
  join();
  EXPECT_EQ(seen.size(), threads * each);
  EXPECT_EQ(ledger().size(), threads * each);
  EXPECT_EQ(key_->asked, static_cast<int>(threads * each));
}

TEST_F(IssuanceTask, OfARefusedRequestLeavesALogLineAndACountOnly) {
  open();
  policy_.decision = [](Draft&) -> Status { return rejected("not on a Sunday"); };
  const auto issued = issue(csr_);
  ASSERT_FALSE(issued.has_value());
  EXPECT_EQ(issued.error().detail, "not on a Sunday");
  EXPECT_EQ(key_->asked, 0);
  EXPECT_EQ(serials_->drawn, 0);
  EXPECT_TRUE(ledger().empty());
  EXPECT_TRUE(audit().empty());
  ASSERT_EQ(log_.lines().size(), 1u);
  EXPECT_EQ(log_.lines().front(),
            "info request refused pipeline=web requester=test:somebody code=rejected error=not on a Sunday "
            "call=call-1");
  EXPECT_EQ(count("hanaper_requests_refused_total"), 1u);
  EXPECT_EQ(count("hanaper_requests_failed_total"), 0u);
}

TEST_F(IssuanceTask, CertifiesWhatThePolicyHasMadeOfTheRequest) {
  open();
  policy_.decision = [&](Draft& draft) -> Status {
    draft.names = {{Kind::dns, "other.example.test"}};
    draft.not_after = clock_.now() + std::chrono::hours{1};
    return {};
  };
  const auto issued = issue(csr_);
  ASSERT_TRUE(issued.has_value()) << issued.error().detail;
  const auto view = *x509::parse_certificate(issued->certificate);
  EXPECT_EQ(x509::parse_general_names(view.find(oid::subject_alt_name)->value)->names.front().value,
            "other.example.test");
  EXPECT_EQ(view.not_after, clock_.now() + std::chrono::hours{1});
}

TEST_F(IssuanceTask, ShowsTheValidatorTheVeryOctetsThatAreSigned) {
  open();
  Bytes seen;
  validator_.judgement = [&](const Draft& draft) -> Status {
    seen = to_bytes(draft.tbs);
    return {};
  };
  const auto issued = issue(csr_);
  ASSERT_TRUE(issued.has_value());
  EXPECT_EQ(to_bytes(x509::parse_certificate(issued->certificate)->whole), seen);
}

TEST_F(IssuanceTask, RevokedForCompromiseBlocksItsKey) {
  open();
  const auto issued = issue(csr_);
  Call call{"call-2", soon()};
  const CertificateId id{issued->authority, issued->serial};
  ASSERT_TRUE(pipeline_.revoke(id, RevocationReason::key_compromise, "test:somebody", call).has_value());
  EXPECT_EQ(pipeline_.revoke(id, RevocationReason::superseded, "test:somebody", call).error().code,
            Code::conflict);
  EXPECT_EQ(issue(csr_).error().code, Code::bad_key);
  EXPECT_EQ(storage_.memory.blocked_keys({}, 10)->size(), 1u);
  EXPECT_NE(audit_text().find("\"revoked\""), std::string::npos);

  issuance::BlockedKeys after_a_restart;
  ASSERT_TRUE(after_a_restart.load_ledger(storage_.memory).has_value());
  EXPECT_TRUE(after_a_restart.contains(storage_.memory.blocked_keys({}, 10)->front()));
}

// Who has shown a name and not the key cannot take the key from everybody else who has it.
TEST_F(IssuanceTask, RevokedForCompromiseByANameLeavesItsKeyAlone) {
  open();
  const auto issued = issue(csr_);
  Call call{"call-2", soon()};
  const CertificateId id{issued->authority, issued->serial};
  ASSERT_TRUE(
      pipeline_.revoke(id, RevocationReason::key_compromise, "test:somebody", call, false).has_value());
  EXPECT_EQ(storage_.memory.certificate(id.authority, id.serial)->revoked, RevocationReason::key_compromise);
  EXPECT_TRUE(storage_.memory.blocked_keys({}, 10)->empty());
  EXPECT_TRUE(issue(csr_).has_value());
}

TEST_F(IssuanceTask, RevokedForAnotherReasonLeavesItsKeyAlone) {
  open();
  const auto issued = issue(csr_);
  Call call{"call-2", soon()};
  ASSERT_TRUE(
      pipeline_
          .revoke({issued->authority, issued->serial}, RevocationReason::superseded, "test:somebody", call)
          .has_value());
  EXPECT_TRUE(issue(csr_).has_value());
}

TEST_F(IssuanceTask, RevokesNothingOfAnAuthorityThatIsNotItsOwn) {
  open();
  const auto issued = issue(csr_);
  CertificateRow row = *storage_.memory.certificate(issued->authority, issued->serial);
  row.authority += 1;
  EXPECT_FALSE(pipeline_.acts_for(row, false));
  const Status refused =
      pipeline_.revoke(row, {RevocationReason::superseded, {}, "test"}, Call{"call-2", soon()});
  EXPECT_EQ(refused.error().code, Code::not_found);
  EXPECT_EQ(audit_text().find("\"revoked\""), std::string::npos);
}

TEST_F(IssuanceTask, OfCertificatesThatCannotBeRevoked) {
  open();
  Call call{"call-2", soon()};
  const auto revoke = [&](const Serial& serial) {
    return pipeline_.revoke({1, serial}, RevocationReason::superseded, "test:somebody", call);
  };
  EXPECT_EQ(revoke(*Serial::from_text("77")).error().code, Code::not_found);

  key_->before_signing = [](ByteView) -> Status { return unavailable("the token is away"); };
  serials_->next = {"78"};
  ASSERT_FALSE(issue(csr_).has_value());
  EXPECT_NE(revoke(*Serial::from_text("78")).error().detail.find("never signed"), std::string::npos);

  key_->before_signing = nullptr;
  const auto issued = issue(csr_);
  clock_.advance(std::chrono::days{91});
  EXPECT_EQ(revoke(issued->serial).error().detail, "the certificate has expired");
}

TEST_F(IssuanceTask, DoesNotTakeForeignCertificatesForItsOwn) {
  open();
  const auto issued = issue(csr_);
  Bytes other = issued->certificate;
  other.back() ^= 1;  // the same serial number, another signature
  EXPECT_EQ(pipeline_.identify(other).error().code, Code::not_found);
  EXPECT_EQ(pipeline_.identify(authority_->certificate()).error().code, Code::not_found);
}

}  // namespace
}  // namespace hanaper::test
