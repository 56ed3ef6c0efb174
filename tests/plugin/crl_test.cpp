#include "crl_support.hpp"

#include <crl_writer.hpp>

#include <openssl/pem.h>

#include <unistd.h>

#include <fstream>

namespace hanaper::test {
namespace {

class Crl : public CrlFixture {};

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
    crl::List list(options_, host_, authority, 0, nullptr,
                   {folder_ + "/" + to_string(spec) + ".crl", "", ""});
    Call call = fakes::test_call();
    const auto made = list.make(call);
    ASSERT_TRUE(made) << made.error().detail;
    const CrlPointer crl = read(list);
    const X509Pointer issuer = read_certificate(authority.certificate());
    EXPECT_EQ(X509_CRL_verify(crl.get(), X509_get0_pubkey(issuer.get())), 1) << to_string(spec);
    EXPECT_EQ(entries(crl.get()).size(), 1u);
  }
}

// What Ed25519 signs would be in memory as a whole.
TEST_F(Crl, IsSignedFromItsFile) {
  auto file = crl::CrlWriter::create(folder_ + "/file");
  ASSERT_TRUE(file) << file.error().detail;
  Bytes all(300'000);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
  for (std::size_t at = 0; at < all.size(); at += 1000)
    ASSERT_TRUE(file->append(ByteView(all).subspan(at, 1000)));
  const auto mapped = [&] {
    int count = 0;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) count += line.ends_with("/file") ? 1 : 0;
    return count;
  };
  EXPECT_EQ(mapped(), 0);
  const auto same = file->map(100, [&](ByteView octets) -> Result<bool> {
    EXPECT_EQ(mapped(), 1);
    return equal(octets, ByteView(all).subspan(100));
  });
  ASSERT_TRUE(same);
  EXPECT_TRUE(*same);
  EXPECT_EQ(mapped(), 0);
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
  EXPECT_TRUE(list_->health()) << "the last one is good for days";
  host_.manual_clock.advance(std::chrono::hours{61});
  ASSERT_FALSE(list_->health());
  EXPECT_NE(list_->health().error().detail.find("the last one is valid until"), std::string::npos);
  EXPECT_EQ(integer_of(read(*list_).get(), NID_crl_number), 3) << "the last one is served";
  authority_.key_is_away = false;
  EXPECT_EQ(integer_of(make(*list_).get(), NID_crl_number), 5) << "a number is never used again";
  EXPECT_TRUE(list_->health());
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
  list_ = make_list(false, place);
  const auto delta = make_list(true, {folder_ + "/delta.crl", "http://pki.example.test/a.crl", ""});
  const CrlPointer base = make(*list_);
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
  const CrlPointer whole = make(*list_);
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
  const Asked whole(Method::get, "/issuing.crl.pem");
  const auto pem = published->answer_pem(whole.request, host_.manual_clock.now());
  ASSERT_TRUE(pem) << pem.error().detail;
  std::string text(static_cast<std::size_t>(pem->file->size), '\0');
  ASSERT_EQ(::pread(*pem->file->descriptor, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  BIO* bio = BIO_new_mem_buf(text.data(), static_cast<int>(text.size()));
  const CrlPointer read_back(PEM_read_bio_X509_CRL(bio, nullptr, nullptr, nullptr));
  BIO_free(bio);
  ASSERT_TRUE(read_back);
  EXPECT_EQ(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(read_back.get())), entries);
  EXPECT_EQ(published->answer_pem(whole.request, host_.manual_clock.now())->file->descriptor,
            pem->file->descriptor)
      << "made once";
}

}  // namespace
}  // namespace hanaper::test
