#include "validity_support.hpp"

#include <generator.hpp>
#include <hanaper/toolkit/files.hpp>
#include <list.hpp>

#include <openssl/pem.h>

#include <unistd.h>

#include <filesystem>
#include <map>

namespace hanaper::test {
namespace {

using Reason = RevocationReason;

class Crl : public ::testing::Test {
 protected:
  Crl() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hanaper-crl-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    options_ = {
        .every = std::chrono::days{1}, .overlap = std::chrono::days{3}, .delta = std::chrono::hours{1}};
    list_ = make_list(false);
  }
  ~Crl() override {
    std::error_code ec;
    std::filesystem::remove_all(folder_, ec);
  }

  std::unique_ptr<crl::List> make_list(bool delta, crl::List::Place place = {}, std::uint32_t shard = 0) {
    if (place.path.empty()) place.path = folder_ + (delta ? "/delta.crl" : "/complete.crl");
    return std::make_unique<crl::List>(options_, host_, authority_, shard, delta, place);
  }

  static CrlPointer read(const crl::List& list) {
    const auto published = list.current();
    if (!published) return nullptr;
    const Bytes der = *published->der();
    const unsigned char* data = der.data();
    CrlPointer crl(d2i_X509_CRL(nullptr, &data, static_cast<long>(der.size())));
    EXPECT_TRUE(crl);
    EXPECT_EQ(data, der.data() + der.size()) << "octets follow the CRL";
    return crl;
  }

  CrlPointer make(crl::List& list) {
    Call call = fakes::test_call();
    const auto made = list.make(call);
    EXPECT_TRUE(made) << made.error().detail;
    CrlPointer crl = read(list);
    const X509Pointer issuer = read_certificate(authority_.certificate());
    EXPECT_EQ(X509_CRL_verify(crl.get(), X509_get0_pubkey(issuer.get())), 1);
    EXPECT_EQ(X509_NAME_cmp(X509_CRL_get_issuer(crl.get()), X509_get_subject_name(issuer.get())), 0);
    return crl;
  }

  // Serial number to reason; -1 for an entry without.
  static std::map<std::string, int> entries(X509_CRL* crl) {
    std::map<std::string, int> all;
    const auto* list = X509_CRL_get_REVOKED(crl);
    for (int i = 0; i < sk_X509_REVOKED_num(list); ++i) {
      X509_REVOKED* entry = sk_X509_REVOKED_value(list, i);
      const ASN1_INTEGER* serial = X509_REVOKED_get0_serialNumber(entry);
      int critical = 0;
      auto* reason =
          static_cast<ASN1_ENUMERATED*>(X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, &critical, nullptr));
      all[to_hex({ASN1_STRING_get0_data(serial), static_cast<std::size_t>(ASN1_STRING_length(serial))})] =
          reason ? static_cast<int>(ASN1_ENUMERATED_get(reason)) : -1;
      ASN1_ENUMERATED_free(reason);
    }
    return all;
  }

  static std::int64_t integer_of(X509_CRL* crl, int nid) {
    int critical = 0;
    auto* value = static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(crl, nid, &critical, nullptr));
    const std::int64_t number = value ? ASN1_INTEGER_get(value) : -1;
    ASN1_INTEGER_free(value);
    return number;
  }

  void tend(crl::List& list) {
    Call call = fakes::test_call();
    const Status tended = list.tend(call);
    EXPECT_TRUE(tended) << tended.error().detail;
  }

  std::string folder_;
  fakes::FakeHost host_;
  fakes::FakeAuthority& authority_ = host_.authority("issuing");
  crl::Options options_;
  std::unique_ptr<crl::List> list_;
};

TEST_F(Crl, OfNothingHasNoListAtAll) {
  const CrlPointer crl = make(*list_);
  EXPECT_EQ(X509_CRL_get_REVOKED(crl.get()), nullptr);
  EXPECT_EQ(X509_CRL_get_version(crl.get()), 1) << "version 2";
  EXPECT_EQ(integer_of(crl.get(), NID_crl_number), 1);
  EXPECT_EQ(seconds_of(X509_CRL_get0_lastUpdate(crl.get())), seconds_of(host_.manual_clock.now()));
  EXPECT_EQ(seconds_of(X509_CRL_get0_nextUpdate(crl.get())),
            seconds_of(host_.manual_clock.now()) + 4 * 86400);
  EXPECT_LT(X509_CRL_get_ext_by_NID(crl.get(), NID_issuing_distribution_point, -1), 0);
  EXPECT_GE(X509_CRL_get_ext_by_NID(crl.get(), NID_authority_key_identifier, -1), 0);
  int critical = 0;
  auto* identifier = static_cast<AUTHORITY_KEYID*>(
      X509_CRL_get_ext_d2i(crl.get(), NID_authority_key_identifier, &critical, nullptr));
  ASSERT_TRUE(identifier && identifier->keyid);
  EXPECT_TRUE(equal(authority_.key_identifier(),
                    {identifier->keyid->data, static_cast<std::size_t>(identifier->keyid->length)}));
  AUTHORITY_KEYID_free(identifier);
}

TEST_F(Crl, ListsEachRevocationWithItsReasonAndDates) {
  const Reason reasons[] = {Reason::unspecified, Reason::key_compromise, Reason::superseded,
                            Reason::cessation_of_operation, Reason::certificate_hold};
  std::map<std::string, int> expected;
  std::uint64_t number = 100;
  for (Reason reason : reasons) {
    const Serial serial = authority_.add(number++);
    authority_.revoke(serial, reason);
    expected[serial.hex()] = reason == Reason::unspecified ? -1 : static_cast<int>(reason);
  }
  authority_.add(200);  // good
  const Serial dated = authority_.add(201);
  const Time invalid = host_.manual_clock.now() - std::chrono::hours{30};
  authority_.revoke(dated, Reason::key_compromise, invalid);
  expected[dated.hex()] = 1;
  const CrlPointer crl = make(*list_);
  EXPECT_EQ(entries(crl.get()), expected);
  X509_REVOKED* entry = nullptr;
  BIGNUM* big = BN_bin2bn(dated.octets().data(), static_cast<int>(dated.octets().size()), nullptr);
  ASN1_INTEGER* wanted = BN_to_ASN1_INTEGER(big, nullptr);
  ASSERT_EQ(X509_CRL_get0_by_serial(crl.get(), &entry, wanted), 1);
  auto* date = static_cast<ASN1_GENERALIZEDTIME*>(
      X509_REVOKED_get_ext_d2i(entry, NID_invalidity_date, nullptr, nullptr));
  ASSERT_TRUE(date);
  EXPECT_EQ(seconds_of(date), seconds_of(invalid));
  ASN1_GENERALIZEDTIME_free(date);
  EXPECT_EQ(seconds_of(X509_REVOKED_get0_revocationDate(entry)), seconds_of(host_.manual_clock.now()));
  ASN1_INTEGER_free(wanted);
  BN_free(big);
}

TEST_F(Crl, IsRightForEveryKindOfKey) {
  AuthorityId id = 100;
  for (KeySpec spec : {KeySpec{KeyType::ec_p384, 0}, KeySpec{KeyType::ec_p521, 0},
                       KeySpec{KeyType::rsa, 2048}, KeySpec{KeyType::ed25519, 0}}) {
    fakes::FakeAuthority authority(host_.memory_storage, host_.manual_clock, id++, to_string(spec), spec);
    const Serial serial = authority.add(10);
    authority.revoke(serial, Reason::superseded);
    crl::List list(options_, host_, authority, 0, false, {folder_ + "/" + to_string(spec) + ".crl", "", ""});
    Call call = fakes::test_call();
    const auto made = list.make(call);
    ASSERT_TRUE(made) << made.error().detail;
    const CrlPointer crl = read(list);
    const X509Pointer issuer = read_certificate(authority.certificate());
    EXPECT_EQ(X509_CRL_verify(crl.get(), X509_get0_pubkey(issuer.get())), 1) << to_string(spec);
    EXPECT_EQ(entries(crl.get()).size(), 1u);
  }
}

TEST_F(Crl, ReadsMoreThanOnePage) {
  // Around 65,535 octets the outer length takes another octet.
  for (std::uint64_t i = 0; i < 300; ++i) authority_.revoke(authority_.add(1000 + i), Reason::superseded);
  EXPECT_EQ(entries(make(*list_).get()).size(), 300u);
}

TEST_F(Crl, SpendsANewNumberOnEach) {
  for (int expected = 1; expected <= 3; ++expected)
    EXPECT_EQ(integer_of(make(*list_).get(), NID_crl_number), expected);
  authority_.key_is_away = true;
  Call call = fakes::test_call();
  EXPECT_FALSE(list_->make(call));
  EXPECT_FALSE(list_->health());
  EXPECT_NE(list_->health().error().detail.find("the last one is valid until"), std::string::npos);
  EXPECT_EQ(integer_of(read(*list_).get(), NID_crl_number), 3) << "the last one is served";
  authority_.key_is_away = false;
  EXPECT_EQ(integer_of(make(*list_).get(), NID_crl_number), 5) << "a number is never used again";
  EXPECT_TRUE(list_->health());
}

TEST_F(Crl, LeavesItToTheNodeThatHasTheRight) {
  Call call = fakes::test_call();
  ASSERT_TRUE(list_->make(call));
  authority_.node = "another";
  const auto refused = list_->make(call);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::conflict);
  EXPECT_TRUE(list_->health()) << "that is how it should be";
}

// RFC 5280 5.2.3: numbers tell "when a particular CRL supersedes another CRL".
TEST_F(Crl, IsNotNumberedAfterOneThatHasMoreOnIt) {
  make(*list_);
  const auto theirs = make_list(false, {folder_ + "/theirs.crl", "", ""});
  host_.manual_clock.advance(std::chrono::minutes{3});
  const Serial late = authority_.add(10);
  // Reading takes so long that the right is lost, and another node makes one meanwhile.
  authority_.read = [&] {
    host_.manual_clock.advance(std::chrono::minutes{3});
    authority_.revoke(late, Reason::superseded);
    authority_.node = "another";
    EXPECT_EQ(entries(make(*theirs).get()).size(), 1u);
    authority_.node = "test";
    host_.manual_clock.advance(std::chrono::minutes{3});
  };
  Call call = fakes::test_call();
  const auto slow = list_->make(call);
  ASSERT_FALSE(slow);
  EXPECT_EQ(slow.error().code, Code::conflict);
  const CrlPointer next = make(*list_);
  EXPECT_EQ(integer_of(next.get(), NID_crl_number), 3);
  EXPECT_EQ(entries(next.get()).size(), 1u);
}

TEST_F(Crl, GoesToTheOtherNodes) {
  authority_.revoke(authority_.add(10), Reason::superseded);
  tend(*list_);
  authority_.node = "another";
  const auto theirs = make_list(false, {folder_ + "/theirs.crl", "", ""});
  tend(*theirs);
  ASSERT_TRUE(theirs->current());
  EXPECT_EQ(theirs->current()->row().number, 1u);
  EXPECT_EQ(entries(read(*theirs).get()).size(), 1u);
  // A revocation that both hear of is made known by the one that has the right, and by the other after it.
  host_.manual_clock.advance(std::chrono::seconds{10});
  authority_.revoke(authority_.add(11), Reason::superseded);
  theirs->touch();
  tend(*theirs);
  EXPECT_EQ(theirs->current()->row().number, 1u);
  host_.manual_clock.advance(std::chrono::seconds{1});
  authority_.node = "test";
  list_->touch();
  tend(*list_);
  authority_.node = "another";
  host_.manual_clock.advance(std::chrono::seconds{1});
  tend(*theirs);
  EXPECT_EQ(theirs->current()->row().number, 2u);
  EXPECT_EQ(entries(read(*theirs).get()).size(), 2u);
  // And when the other is gone for good, so is its right.
  host_.manual_clock.advance(std::chrono::days{1});
  tend(*theirs);
  EXPECT_EQ(theirs->current()->row().number, 3u);
}

TEST_F(Crl, DropsWhatHasExpiredAfterOneMore) {
  const Serial serial = authority_.add(10, true, 0, std::chrono::days{2});
  authority_.revoke(serial, Reason::superseded);
  EXPECT_EQ(entries(make(*list_).get()).size(), 1u);
  host_.manual_clock.advance(std::chrono::days{3});
  EXPECT_EQ(entries(make(*list_).get()).size(), 1u) << "on one CRL beyond its validity";
  host_.manual_clock.advance(std::chrono::hours{1});
  EXPECT_EQ(entries(make(*list_).get()).size(), 0u);
  options_.keep_expired = true;
  const CrlPointer kept = make(*list_);
  EXPECT_EQ(entries(kept.get()).size(), 1u);
  ASN1_OBJECT* expired = OBJ_txt2obj("2.5.29.60", 1);
  EXPECT_GE(X509_CRL_get_ext_by_OBJ(kept.get(), expired, -1), 0);
  ASN1_OBJECT_free(expired);
}

TEST_F(Crl, AndItsDeltaTellTheSameAsAWholeOne) {
  const Serial early = authority_.add(10), held = authority_.add(11), late = authority_.add(12);
  authority_.revoke(early, Reason::superseded);
  authority_.revoke(held, Reason::certificate_hold);
  crl::List::Place place{folder_ + "/complete.crl", "http://pki.example.test/a.crl",
                         "http://pki.example.test/a-delta.crl"};
  const auto list = make_list(false, place);
  const auto delta = make_list(true, {folder_ + "/delta.crl", "http://pki.example.test/a.crl", ""});
  const CrlPointer base = make(*list);
  EXPECT_GE(X509_CRL_get_ext_by_NID(base.get(), NID_freshest_crl, -1), 0);
  host_.manual_clock.advance(std::chrono::minutes{30});
  authority_.revoke(held, Reason::remove_from_crl);
  authority_.revoke(late, Reason::key_compromise);
  const CrlPointer change = make(*delta);
  EXPECT_EQ(integer_of(change.get(), NID_delta_crl), 1);
  EXPECT_EQ(integer_of(change.get(), NID_crl_number), 2) << "one sequence";
  EXPECT_LT(X509_CRL_get_ext_by_NID(change.get(), NID_freshest_crl, -1), 0);
  const auto changes = entries(change.get());
  EXPECT_EQ(changes.at(held.hex()), 8);
  EXPECT_EQ(changes.at(late.hex()), 1);
  const CrlPointer whole = make(*list);
  EXPECT_EQ(entries(whole.get()), (std::map<std::string, int>{{early.hex(), 4}, {late.hex(), 1}}));
}

TEST_F(Crl, OfChangesIsMadeHoweverManyThereAreSinceTheWholeOne) {
  make(*list_);
  const auto delta = make_list(true);
  for (int i = 0; i < 1010; ++i) {
    CrlRow row;
    row.number = *authority_.claim_crl(0);
    row.base = 1;
    row.this_update = host_.manual_clock.now();
    Call call = fakes::test_call();
    ASSERT_TRUE(authority_.begin_crl(row, call));
  }
  EXPECT_EQ(integer_of(make(*delta).get(), NID_delta_crl), 1);
}

TEST_F(Crl, OfAShardNamesItsPlaceAndHasOnlyItsOwn) {
  const Serial mine = authority_.add(10, true, 1), other = authority_.add(11, true, 2);
  authority_.revoke(mine, Reason::superseded);
  authority_.revoke(other, Reason::superseded);
  const std::string url = "http://pki.example.test/crl/issuing-1.crl";
  const auto list = make_list(false, {folder_ + "/1.crl", url, ""}, 1);
  const CrlPointer crl = make(*list);
  EXPECT_EQ(entries(crl.get()), (std::map<std::string, int>{{mine.hex(), 4}}));
  int critical = 0;
  auto* point = static_cast<ISSUING_DIST_POINT*>(
      X509_CRL_get_ext_d2i(crl.get(), NID_issuing_distribution_point, &critical, nullptr));
  ASSERT_TRUE(point);
  EXPECT_EQ(critical, 1);
  const GENERAL_NAME* name = sk_GENERAL_NAME_value(point->distpoint->name.fullname, 0);
  EXPECT_EQ(as_text({name->d.ia5->data, static_cast<std::size_t>(name->d.ia5->length)}), url);
  EXPECT_LE(point->onlyattr, 0);
  ISSUING_DIST_POINT_free(point);
}

TEST_F(Crl, IsMadeWhenItIsTimeAndSoonAfterARevocation) {
  tend(*list_);
  ASSERT_TRUE(list_->current());
  EXPECT_EQ(list_->current()->row().number, 1u);
  host_.manual_clock.advance(std::chrono::hours{23});
  tend(*list_);
  EXPECT_EQ(list_->current()->row().number, 1u);
  list_->touch();
  tend(*list_);
  EXPECT_EQ(list_->current()->row().number, 2u);
  tend(*list_);
  EXPECT_EQ(list_->current()->row().number, 2u) << "once is enough";
  list_->touch();
  tend(*list_);
  EXPECT_EQ(list_->current()->row().number, 2u) << "those that come together wait for each other";
  host_.manual_clock.advance(std::chrono::seconds{1});
  tend(*list_);
  EXPECT_EQ(list_->current()->row().number, 3u);
  host_.manual_clock.advance(std::chrono::hours{24});
  tend(*list_);
  EXPECT_EQ(list_->current()->row().number, 4u);
}

TEST_F(Crl, IsFoundAgainAfterARestartAndPutBackWhenItWasLost) {
  tend(*list_);
  list_ = make_list(false);
  tend(*list_);
  EXPECT_EQ(list_->current()->row().number, 1u);
  list_ = make_list(false);
  std::filesystem::resize_file(folder_ + "/complete.crl", 100);
  tend(*list_);
  EXPECT_EQ(list_->current()->row().number, 1u);
  EXPECT_TRUE(read(*list_));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/complete.crl.new"));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/complete.crl.entries"));
}

TEST_F(Crl, OfOthersNamesWhoIssuedEachCertificate) {
  fakes::FakeAuthority& first = host_.authority("first");
  fakes::FakeAuthority& second = host_.authority("second");
  std::map<std::string, const fakes::FakeAuthority*> expected;
  const auto revoke = [&](fakes::FakeAuthority& authority, std::uint64_t number) {
    const Serial serial = authority.add(number);
    authority.revoke(serial, Reason::superseded);
    expected[serial.hex()] = &authority;
  };
  revoke(first, 10);
  revoke(first, 11);
  revoke(second, 12);
  revoke(authority_, 13);
  const std::string url = "http://pki.example.test/crl/issuing.crl";
  // The signer's own come last here: its first entry must say so again.
  const auto list = make_list(false, {.path = folder_ + "/indirect.crl",
                                      .distribution_point = url,
                                      .issuer_url = "http://pki.example.test/crl/issuing.cer",
                                      .of = {&first, &second, &authority_}});
  const CrlPointer crl = make(*list);
  int critical = 0;
  auto* point = static_cast<ISSUING_DIST_POINT*>(
      X509_CRL_get_ext_d2i(crl.get(), NID_issuing_distribution_point, &critical, nullptr));
  ASSERT_TRUE(point);
  EXPECT_GT(point->indirectCRL, 0);
  EXPECT_LE(point->onlyuser, 0);
  ISSUING_DIST_POINT_free(point);
  EXPECT_GE(X509_CRL_get_ext_by_NID(crl.get(), NID_info_access, -1), 0);
  // OpenSSL finds an entry only under the certificate's issuer.
  auto* entries = X509_CRL_get_REVOKED(crl.get());
  ASSERT_EQ(sk_X509_REVOKED_num(entries), 4);
  std::map<std::string, std::string> issuers;
  std::string current = "Fake issuing";
  for (int i = 0; i < 4; ++i) {
    X509_REVOKED* entry = sk_X509_REVOKED_value(entries, i);
    auto* names = static_cast<GENERAL_NAMES*>(
        X509_REVOKED_get_ext_d2i(entry, NID_certificate_issuer, &critical, nullptr));
    if (names != nullptr) {
      EXPECT_EQ(critical, 1);
      char text[100] = {};
      X509_NAME_get_text_by_NID(sk_GENERAL_NAME_value(names, 0)->d.directoryName, NID_commonName, text,
                                sizeof text);
      EXPECT_NE(current, text) << "said only where it changes";
      current = text;
      GENERAL_NAMES_free(names);
    }
    const ASN1_INTEGER* serial = X509_REVOKED_get0_serialNumber(entry);
    issuers[to_hex({ASN1_STRING_get0_data(serial), static_cast<std::size_t>(ASN1_STRING_length(serial))})] =
        current;
  }
  for (const auto& [serial, authority] : expected) EXPECT_EQ(issuers[serial], "Fake " + authority->name());
}

struct ScopeCase {
  const char* name;
  crl::Scope scope;
  bool users, authorities;
};

TEST_F(Crl, SaysForWhoseCertificatesItIs) {
  for (const ScopeCase& test :
       {ScopeCase{"Any", crl::Scope::any, false, false}, ScopeCase{"Users", crl::Scope::users, true, false},
        ScopeCase{"Authorities", crl::Scope::authorities, false, true}}) {
    const auto list = make_list(false, {.path = folder_ + "/" + test.name + ".crl",
                                        .distribution_point = "http://pki.example.test/crl/a.crl",
                                        .scope = test.scope});
    const CrlPointer crl = make(*list);
    auto* point = static_cast<ISSUING_DIST_POINT*>(
        X509_CRL_get_ext_d2i(crl.get(), NID_issuing_distribution_point, nullptr, nullptr));
    ASSERT_TRUE(point) << test.name;
    EXPECT_EQ(point->onlyuser > 0, test.users) << test.name;
    EXPECT_EQ(point->onlyCA > 0, test.authorities) << test.name;
    EXPECT_LE(point->indirectCRL, 0) << test.name;
    EXPECT_LE(point->onlyattr, 0) << test.name;
    ISSUING_DIST_POINT_free(point);
  }
}

TEST_F(Crl, ThatIsLargeIsSentFromItsFileWhateverBecomesOfTheName) {
  constexpr int entries = 1100;
  for (std::uint64_t i = 0; i < entries; ++i)
    authority_.revoke(authority_.add(1000 + i), Reason::superseded, host_.manual_clock.now());
  make(*list_);
  const auto published = list_->current();
  const Bytes der = *published->der();
  ASSERT_GT(der.size(), 70'010u);
  const Asked asked(Method::get, "/issuing.crl", {}, {{"Range", "bytes=10-70009"}});
  KeptReply reply;
  published->send(published->answer(asked.request, host_.manual_clock.now()), reply);
  ASSERT_TRUE(reply.file);
  std::filesystem::remove(folder_ + "/complete.crl");
  Bytes sent(static_cast<std::size_t>(reply.file->size));
  ASSERT_EQ(
      ::pread(*reply.file->descriptor, sent.data(), sent.size(), static_cast<off_t>(reply.file->offset)),
      70000);
  EXPECT_TRUE(equal(sent, ByteView(der).subspan(10, 70000)));
  const auto pem = published->pem();
  ASSERT_TRUE(pem) << pem.error().detail;
  std::string text(static_cast<std::size_t>(pem->file->size), '\0');
  ASSERT_EQ(::pread(*pem->file->descriptor, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  BIO* bio = BIO_new_mem_buf(text.data(), static_cast<int>(text.size()));
  const CrlPointer read_back(PEM_read_bio_X509_CRL(bio, nullptr, nullptr, nullptr));
  BIO_free(bio);
  ASSERT_TRUE(read_back);
  EXPECT_EQ(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(read_back.get())), entries);
  EXPECT_EQ(published->pem()->file->descriptor, pem->file->descriptor) << "made once";
}

struct RangeCase {
  const char* name;
  const char* range;
  int status;
  std::size_t first, size;  // of what is sent; size 0: all
};

TEST_F(Crl, AnswersRangesAndConditions) {
  make(*list_);
  const auto published = list_->current();
  const Bytes der = *published->der();
  const std::size_t size = der.size();
  const RangeCase cases[] = {
      {"None", "", 200, 0, size},
      {"TheFirstOctets", "bytes=0-9", 206, 0, 10},
      {"FromTheMiddle", "bytes=100-", 206, 100, size - 100},
      {"TheLastOctets", "bytes=-5", 206, size - 5, 5},
      {"MoreThanThereIs", "bytes=-100000", 206, 0, size},
      {"BeyondTheEnd", "bytes=90000-", 416, 0, 0},
      {"NothingFromTheEnd", "bytes=-0", 416, 0, 0},
      {"UpToBeyondTheEnd", "bytes=0-90000", 206, 0, size},
      {"Several", "bytes=0-1,4-5", 200, 0, size},
      {"AnotherUnit", "lines=0-1", 200, 0, size},
      {"Backwards", "bytes=5-2", 200, 0, size},
      {"NoNumbers", "bytes=a-b", 200, 0, size},
      {"NoDash", "bytes=5", 200, 0, size},
  };
  for (const RangeCase& test : cases) {
    const Asked asked(Method::get, "/issuing.crl", {}, {{"Range", test.range}});
    const auto answer = published->answer(asked.request, host_.manual_clock.now());
    EXPECT_EQ(answer.status, test.status) << test.name;
    EXPECT_EQ(answer.file.has_value(), test.size > 0) << test.name;
    KeptReply reply;
    published->send(answer, reply);
    EXPECT_EQ(reply.body, as_text(ByteView(der).subspan(test.first, test.size))) << test.name;
    EXPECT_NE(reply.head.find("Content-Length: " + std::to_string(test.size) + "\r\n"), std::string::npos)
        << test.name;
  }
  const auto plain = published->answer(Asked(Method::get, "/").request, host_.manual_clock.now());
  std::map<std::string, std::string> headers;
  for (const Header& header : plain.headers) headers[header.name] = header.value;
  EXPECT_EQ(headers["Content-Type"], "application/pkix-crl");
  EXPECT_EQ(headers["Cache-Control"], "public, max-age=345600");
  EXPECT_EQ(headers["Last-Modified"], "Sat, 21 Nov 2026 00:00:00 GMT");
  EXPECT_EQ(headers["Expires"], "Wed, 25 Nov 2026 00:00:00 GMT");
  const std::string etag = headers["ETag"], other = "\"other\"", list = "\"x\", W/" + etag;
  const auto status = [&](std::vector<HeaderView> fields) {
    return published->answer(Asked(Method::get, "/", {}, std::move(fields)).request, host_.manual_clock.now())
        .status;
  };
  EXPECT_EQ(status({{"If-None-Match", etag}}), 304);
  EXPECT_EQ(status({{"If-None-Match", list}}), 304);
  EXPECT_EQ(status({{"If-None-Match", "*"}}), 304);
  EXPECT_EQ(status({{"If-None-Match", other}}), 200);
  EXPECT_EQ(status({{"If-Modified-Since", headers["Last-Modified"]}}), 304);
  EXPECT_EQ(status({{"If-None-Match", other}, {"If-Modified-Since", headers["Last-Modified"]}}), 200);
  EXPECT_EQ(status({{"If-Range", etag}, {"Range", "bytes=0-1"}}), 206);
  EXPECT_EQ(status({{"If-Range", other}, {"Range", "bytes=0-1"}}), 200);
}

}  // namespace
}  // namespace hanaper::test
