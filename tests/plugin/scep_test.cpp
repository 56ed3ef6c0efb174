// SCEP: what it grants, answers and tells.
#include "scep_support.hpp"

#include <set>

namespace hanaper::scep::test {
namespace {

TEST_F(Scep, GrantsWhatTheChallengeAllows) {
  for (const crypto::Hash hash : {crypto::Hash::sha256, crypto::Hash::sha384, crypto::Hash::sha512}) {
    Asked asked;
    asked.hash = hash;
    asked.transaction = "with hash " + std::to_string(static_cast<int>(hash));
    const Answered answered = ask(asked);
    EXPECT_EQ(answered.status, "0");
    EXPECT_EQ(transaction_, asked.transaction);
    EXPECT_EQ(nonce_, std::string(16, 7));
    ASSERT_EQ(answered.certificates.size(), 1U);
    EXPECT_TRUE(equal(x509::parse_certificate(answered.certificates[0])->spki, client_key()->spki()));
  }
}

TEST_F(Scep, ReadsSignersThatNoAuthorityWouldCertify) {
  Bytes negative = self_signed(*client_key());
  replace({2, 1, 7, 0x30}, {2, 1, 0x87, 0x30})(negative);  // a serial number below zero
  // The message is signed for the certificate as it is.
  Asked asked;
  asked.certificate = self_signed(*client_key());
  asked.spoil_message = [&](Bytes& message) {
    for (int i = 0; i < 2; ++i) {  // in the certificate, and where the signer is named
      const Bytes from = i == 0 ? Bytes{2, 1, 7, 0x30} : Bytes{2, 1, 7, 0x30};
      const auto found = std::ranges::search(message, from);
      ASSERT_FALSE(found.empty());
      *(found.begin() + 2) = 0x87;
    }
  };
  EXPECT_EQ(ask(asked).status, "0");
}

TEST_F(Scep, LegacyIsTakenWhereItIsWanted) {
  open(true);
  Asked asked;
  asked.cipher = cms::Cipher::des3_cbc;
  EXPECT_EQ(ask(asked).status, "0");
  EXPECT_NE(send(Method::get, "operation=GetCACaps").body.find("DES3\nSHA-1\n"), std::string::npos);
}

TEST_F(Scep, PassingTroubleIsHttps) {
  host_.fake_pipeline.fail_with = unavailable("the storage is away");
  EXPECT_EQ(ask({}).http, 503);
  host_.fake_pipeline.fail_with = internal("a secret of ours");
  const Answered answered = ask({});
  EXPECT_EQ(answered.http, 500);
  EXPECT_EQ(answered.text.find("secret"), std::string::npos);
}

TEST_F(Scep, RenewalKeepsTheProfile) {
  open();
  host_.fake_pipeline.known_profiles = {"default", "guest"};
  Call call = fakes::test_call();
  const auto made =
      service_->make_challenge({.profile = "guest", .subject = {}}, std::chrono::hours{1}, call);
  Asked asked;
  asked.content = csr_for(*client_key(), std::string(made->text.reveal()));
  const Bytes mine = ask(asked).certificates.front();
  Asked renewal;
  renewal.type = "17";
  renewal.transaction = "renewal";
  renewal.certificate = mine;
  renewal.content = csr_for(*client_key(), "");
  const Bytes renewed = ask(renewal).certificates.front();
  EXPECT_EQ(host_.fake_pipeline.identify(renewed)->row.profile, "guest");
  host_.fake_pipeline.known_profiles = {"default"};
  renewal.transaction = "another";
  EXPECT_EQ(ask(renewal).text, "certificates of profile guest are not renewed here");
}

TEST_F(Scep, RenewalIsForTheOwnerOfAGoodCertificate) {
  const Bytes csr = csr_for(*client_key(), "");
  const Bytes mine = ask({}).certificates.front();
  const auto renewal = [&](const Bytes& content, const char* transaction, const char* type = "17") {
    Asked asked;
    asked.type = type;
    asked.content = content;
    asked.certificate = mine;
    asked.transaction = transaction;
    return asked;
  };
  for (const char* type : {"17", "18", "19"}) EXPECT_EQ(ask(renewal(csr, type, type)).status, "0") << type;
  Asked stolen = renewal(csr, "stolen");
  stolen.signs = other_key();
  expect({{"2.5", "another subject", renewal(csr_for(*client_key(), "", "router-8"), "x1"), "2"},
          {"2.5", "somebody else's signature", stolen, "1"},
          {"2.5", "another name",
           renewal(
               [&] {
                 x509::CsrContent content;
                 content.subject = {{"2.5.4.3", "router-7"}};
                 content.names = {{Identifier::Kind::dns, "other.example.test"}};
                 return *x509::build_csr(*client_key(), content);
               }(),
               "x2"),
           "2"}});
  Call call = fakes::test_call();
  ASSERT_TRUE(host_.fake_pipeline.revoke(host_.fake_pipeline.identify(mine)->id(),
                                         RevocationReason::superseded, "test", call));
  expect({{"2.5", "revoked", renewal(csr, "x3"), "2"}});
  Asked again;
  again.transaction = "fresh";
  const Bytes old = ask(again).certificates.front();
  host_.manual_clock.advance(std::chrono::hours{24 * 91});
  Asked late = renewal(csr, "x4");
  late.certificate = old;
  expect({{"2.5", "expired", late, "2"}});
}

// Most clients make the transactionID of their key, and many keep the key.
TEST_F(Scep, TransactionsOfOneKeyAreToldApart) {
  const auto asks = [](const Bytes& signer, Bytes csr, const char* type = "19") {
    Asked asked;
    asked.certificate = signer;
    asked.content = std::move(csr);
    asked.type = type;
    return asked;
  };
  const auto serial = [&](const Asked& asked) {
    const Answered answered = ask(asked);
    EXPECT_EQ(answered.status, "0") << answered.text;
    return answered.certificates.empty() ? Bytes() : answered.certificates.front();
  };
  const Bytes none = {}, csr = csr_for(*client_key(), "");
  const Bytes first = serial(asks(none, csr_for(*client_key())));
  EXPECT_EQ(serial(asks(none, csr_for(*client_key()))), first) << "the same message";
  EXPECT_EQ(serial(asks(self_signed(*client_key(), "09"), csr_for(*client_key()))), first)
      << "signed with another self-signed certificate";
  const Bytes second = serial(asks(first, csr, "17"));
  EXPECT_NE(second, first) << "a renewal";
  EXPECT_EQ(serial(asks(first, csr, "17")), second) << "the same renewal";
  const Bytes third = serial(asks(second, csr, "17"));
  EXPECT_NE(third, second) << "a renewal of the renewed";
  EXPECT_NE(serial(asks(third, csr, "19")), third) << "by PKCSReq";
  EXPECT_EQ(serial(asks(none, csr_for(*client_key()))), first) << "the first message still";
  x509::CsrContent more;
  more.subject = {{"2.5.4.3", "router-7"}};
  more.names = {{Identifier::Kind::dns, "more.example.test"}};
  more.challenge_password = "correct horse";
  const Bytes other = *x509::build_csr(*client_key(), more);
  const Bytes enrolled = serial(asks(none, other));
  EXPECT_NE(enrolled, first) << "another request, with a good challenge";
  EXPECT_EQ(serial(asks(none, other)), enrolled);
  more.challenge_password = "wrong";
  more.names.front().value = "again.example.test";
  EXPECT_EQ(ask(asks(none, *x509::build_csr(*client_key(), more))).fail, "2") << "another, with a wrong one";
}

TEST_F(Scep, TransactionsOpenAnewForAGoodChallengeOnceWhatWasIssuedIsOver) {
  const auto revoke = [&](const Bytes& certificate) {
    Call call = fakes::test_call();
    ASSERT_TRUE(host_.fake_pipeline.revoke(host_.fake_pipeline.identify(certificate)->id(),
                                           RevocationReason::superseded, "test", call));
  };
  const auto forget_after = [&](std::chrono::hours time) {
    host_.manual_clock.advance(time);
    Write purge;
    purge.purge = host_.manual_clock.now();
    ASSERT_TRUE(fakes::commit_one(host_.memory_storage, purge));
  };
  std::vector<Bytes> seen;
  for (int i = 0; i < 3; ++i) {
    const Answered answered = ask({});
    ASSERT_EQ(answered.status, "0") << answered.text;
    EXPECT_EQ(std::ranges::find(seen, answered.certificates.front()), seen.end());
    seen.push_back(answered.certificates.front());
    EXPECT_EQ(ask({}).certificates.front(), seen.back()) << "a repeated message";
    if (i == 1)
      forget_after(std::chrono::hours{24 * 91});
    else
      revoke(seen.back());
  }
  // A challenge that is spent is good for what it was spent for, and not for more.
  Call call = fakes::test_call();
  const auto made = service_->make_challenge({.profile = "", .subject = {}}, std::chrono::hours{1}, call);
  Asked once;
  once.transaction = "once";
  once.content = csr_for(*client_key(), std::string(made->text.reveal()));
  const Bytes mine = ask(once).certificates.front();
  EXPECT_EQ(ask(once).certificates.front(), mine);
  revoke(mine);
  EXPECT_EQ(ask(once).fail, "2");
}

// Devices ask again by themselves; whoever has denied them would be asked for ever.
TEST_F(Scep, WhatWasDeniedIsRefusedHoweverItIsAskedAgain) {
  std::set<std::string> asked_as;
  const Status waits = pending("somebody has to approve it", std::chrono::seconds{60});
  Status said = waits;
  host_.fake_pipeline.before_issuing = [&](const IssueRequest& request) {
    asked_as.insert(request.once);
    return said;
  };
  EXPECT_EQ(ask({}).status, "3");
  said = rejected("request 1 was denied: nobody knows it");
  Asked poll;
  poll.type = "20";
  for (int again = 0; again < 3; ++again)
    for (const Asked& asked : {Asked{}, poll}) {
      const Answered answered = ask(asked);
      EXPECT_EQ(answered.fail, "2");
      EXPECT_EQ(answered.text, "request 1 was denied: nobody knows it");
    }
  EXPECT_EQ(asked_as.size(), 1U) << "nobody has to decide again";
  said = waits;
  Asked other;
  Call call = fakes::test_call();
  const auto made = service_->make_challenge({.profile = "", .subject = {}}, std::chrono::hours{1}, call);
  other.content = csr_for(*client_key(), std::string(made->text.reveal()));
  EXPECT_EQ(ask(other).status, "3") << "with another challenge";
  EXPECT_EQ(asked_as.size(), 2U);
}

TEST_F(Scep, SignersThatAreOverNeedAChallengeOrAGrace) {
  Options options;
  options.renewal_grace = std::chrono::hours{24 * 10};
  open(std::move(options));
  const Bytes mine = ask({}).certificates.front();
  const auto renewal = [&](const char* transaction, const char* password) {
    Asked asked;
    asked.certificate = mine;
    asked.transaction = transaction;
    asked.content = csr_for(*client_key(), password);
    return asked;
  };
  host_.manual_clock.advance(std::chrono::hours{24 * 95});
  EXPECT_EQ(ask(renewal("a", "")).status, "0") << "within the grace";
  host_.manual_clock.advance(std::chrono::hours{24 * 10});
  EXPECT_EQ(ask(renewal("b", "")).text, "the signer's certificate has expired");
  EXPECT_EQ(ask(renewal("c", "wrong")).text, "the signer's certificate has expired");
  EXPECT_EQ(ask(renewal("d", "correct horse")).status, "0");
  Call call = fakes::test_call();
  ASSERT_TRUE(host_.fake_pipeline.revoke(host_.fake_pipeline.identify(mine)->id(),
                                         RevocationReason::superseded, "test", call));
  EXPECT_EQ(ask(renewal("e", "correct horse")).text, "the signer's certificate is revoked");
}

TEST_F(Scep, WhatGoesOnInsideIsNotTold) {
  host_.fake_pipeline.before_issuing = [](const IssueRequest&) -> Status {
    return conflict("scep.challenges \"x\" has changed meanwhile");
  };
  EXPECT_EQ(ask({}).text, "the same was asked at the same moment: ask again");
  Call call = fakes::test_call();
  const auto made = service_->make_challenge({.profile = "", .subject = {}}, std::chrono::hours{1}, call);
  Asked once;
  once.content = csr_for(*client_key(), std::string(made->text.reveal()));
  EXPECT_EQ(ask(once).text, "the challengePassword was used meanwhile");
}

// Names of the recipient, orders of signed attributes and kinds of texts that RFC 5652 and RFC 2985 allow.
TEST_F(Scep, MessagesComeInManyForms) {
  Asked asked;
  asked.recipient_by_key_identifier = true;
  EXPECT_EQ(ask(asked).status, "0");
  asked = {};
  asked.transaction = "unsorted";
  asked.spoil_message = [](Bytes& message) {
    // The order of the signed attributes, turned round: they stay as long.
    const auto view = *cms::parse_signed(message);
    const ByteView set = view.signers.front().signed_attributes;
    std::vector<Bytes> attributes;
    der::Reader reader(set);
    while (!reader.at_end()) attributes.push_back(to_bytes(reader.next()->whole));
    std::ranges::reverse(attributes);
    auto at = message.begin() + (set.data() - message.data());
    for (const Bytes& one : attributes) at = std::ranges::copy(one, at).out;
  };
  EXPECT_EQ(ask(asked).status, "0");
  for (const std::uint8_t tag : {der::utf8_string, der::printable_string, der::bmp_string}) {
    asked = {};
    asked.transaction = std::string("tag ") + std::to_string(tag);
    asked.content = csr_with_password(*client_key(), "correct horse", tag);
    EXPECT_EQ(ask(asked).status, "0") << int{tag};
  }
}

// IssuerAndSerialNumber (RFC 5652 10.2.4).
Bytes issuer_and_serial(ByteView issuer, const Serial& serial) {
  der::Writer writer(256);
  writer.sequence([&] {
    writer.integer(serial.octets());
    writer.raw(issuer);
  });
  return writer.bytes();
}

TEST_F(Scep, GetCrlGivesTheCrlOfTheIssuerAlone) {
  const auto mine = ask({}).certificates.front();
  const auto view = *x509::parse_certificate(mine);
  const auto asked = [&](ByteView issuer, const Serial& serial, const char* transaction) {
    Asked one;
    one.type = "22";
    one.content = issuer_and_serial(issuer, serial);
    one.transaction = transaction;
    return one;
  };
  expect({{"3.3.4", "while there is none", asked(view.issuer, view.serial, "c1"), "2"}});
  const Bytes crl = {0x30, 3, 2, 1, 42};
  host_.fake_pipeline.published_crl = crl;
  const Answered answered = ask(asked(view.issuer, view.serial, "c2"));
  EXPECT_EQ(answered.status, "0");
  EXPECT_EQ(answered.content, cms::certs_only({}, {ByteView(crl)})) << "RFC 8894 2.7";
  expect({{"3.3.4", "of another issuer", asked(view.subject, view.serial, "c3"), "4"},
          {"3.3.4", "of a certificate that is not ours", asked(view.issuer, *Serial::from_text("1234"), "c4"),
           "4"}});
  host_.fake_pipeline.published_crl.resize(5 * 1024 * 1024);
  expect({{"3.3.4", "too large for an answer", asked(view.issuer, view.serial, "c5"), "2"}});
}

TEST_F(Scep, GetCaCertIsOneCertificateOrAListAsItIsWanted) {
  struct Row {
    const char* name;
    CaCertificates wanted;
    const char* type;
    std::size_t certificates;  // 0: one, as it is
  };
  for (const Row& row :
       {Row{"registrar and authority", CaCertificates::as_many, "application/x-x509-ca-ra-cert", 2},
        Row{"the registrar alone", CaCertificates::one, "application/x-x509-ca-cert", 0},
        Row{"always a list", CaCertificates::in_a_list, "application/x-x509-ca-ra-cert", 2}}) {
    SCOPED_TRACE(row.name);
    Options options;
    options.ca_certificates = row.wanted;
    open(std::move(options));
    const Response response = send(Method::get, "operation=GetCACert");
    EXPECT_EQ(response.headers.front().value, row.type) << "RFC 8894 4.2.1";
    if (row.certificates == 0)
      EXPECT_TRUE(equal(as_bytes(response.body), registrar()));
    else
      EXPECT_EQ(cms::parse_signed(as_bytes(response.body))->certificates.size(), row.certificates);
  }
}

TEST_F(Scep, GetNextCaCertIsThereWhenAnAuthorityIsToTakeOver) {
  open();
  EXPECT_EQ(send(Method::get, "operation=GetCACaps").body.find("GetNextCACert"), std::string::npos);
  const Response none = send(Method::get, "operation=GetNextCACert");
  EXPECT_EQ(none.status, 400);
  EXPECT_EQ(none.body, "no authority is to take over\n");
  host_.fake_pipeline.wanted_roll_over.next = {registrar()};
  EXPECT_NE(send(Method::get, "operation=GetCACaps").body.find("GetNextCACert\n"), std::string::npos);
  const Response response = send(Method::get, "operation=GetNextCACert");
  EXPECT_EQ(response.headers.front().value, "application/x-x509-next-ca-cert") << "RFC 8894 4.7.1";
  const auto message = cms::parse_signed(as_bytes(response.body));
  ASSERT_TRUE(message);
  const Bytes today = host_.fake_pipeline.path().front();
  const auto issuer = x509::parse_certificate(today);
  EXPECT_TRUE(cms::verify(*message, message->signers.front(), issuer->spki));
  const auto content = cms::parse_signed(*message->content);
  ASSERT_TRUE(content);
  ASSERT_EQ(content->certificates.size(), 1U);
  EXPECT_TRUE(equal(content->certificates.front(), registrar()));
  EXPECT_EQ(send(Method::post, "operation=GetNextCACert").status, 400);
}

TEST_F(Scep, RenewalIsGrantedRefusedOrOnlyListed) {
  struct Row {
    bool granted, listed;
  };
  open();
  const Bytes mine = ask({}).certificates.front();
  for (const Row& row : {Row{true, true}, Row{false, true}, Row{false, false}}) {
    SCOPED_TRACE(row.granted ? "granted" : row.listed ? "listed" : "refused");
    Options options;
    options.renewals = row.granted;
    options.list_renewals = row.listed;
    open(std::move(options));
    const std::string listed = send(Method::get, "operation=GetCACaps").body;
    EXPECT_EQ(listed.find("Renewal\n") != std::string::npos, row.listed);
    Asked asked;
    asked.type = "17";
    asked.certificate = mine;
    asked.content = csr_for(*client_key(), "");
    asked.transaction = row.granted ? "granted" : row.listed ? "listed" : "refused";
    EXPECT_EQ(ask(asked).fail, row.granted ? "" : "2");
    // The challenge is as good as ever.
    asked.content = csr_for(*client_key());
    asked.transaction += " by challenge";
    EXPECT_EQ(ask(asked).status, "0");
  }
}

TEST_F(Scep, RefusalsAreAudited) {
  Asked asked;
  asked.content = csr_for(*client_key(), "wrong");
  asked.transaction = "audited";
  ask(asked);
  ASSERT_EQ(host_.audited.lines().size(), 1U);
  const std::string line = host_.audited.lines().front();
  for (const char* part : {"scep.refused", "transaction=audited", "type=19", "challengePassword is wrong"})
    EXPECT_NE(line.find(part), std::string::npos) << line;
  ask({});
  EXPECT_EQ(host_.audited.lines().size(), 1U) << "what is granted is audited by who signs";
}

}  // namespace
}  // namespace hanaper::scep::test
