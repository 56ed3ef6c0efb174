// Full CMC (RFC 7030 4.3): what is said of each part of PKI Requests.
#include "est_cmc_support.hpp"

#include "../unit/temporary_folder.hpp"

namespace hanaper::est::test {
namespace {

TEST_F(FullCmcFixture, SeveralRequestsGiveSeveralCertificates) {
  Data data;
  data.controls = {control(1, transaction_control, number(4711)),
                   control(2, nonce_control, text_value(der::octet_string, "nonce of the client")),
                   control(3, return_control, text_value(der::octet_string, "give it back"))};
  data.requests = {tcr(10, csr_of("router-7")), tcr(11, csr_of("router-8"))};
  certificate();
  const std::size_t before = issued();
  const Answered answered = ask(data);
  EXPECT_EQ(answered.http, 200) << answered.body;
  EXPECT_EQ(answered.certificates.size(), 2U);
  EXPECT_EQ(issued(), before + 2);
  ASSERT_EQ(answered.statuses.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(answered.statuses[i].status, 0);
    EXPECT_EQ(answered.statuses[i].of, std::vector<std::uint64_t>{10 + i});
  }
  const auto control_of = [&](const char* type) { return std::string(as_text(answered.controls.at(type))); };
  EXPECT_EQ(control_of(transaction_control), std::string("\x12\x67")) << "RFC 5272 6.6";
  EXPECT_EQ(control_of("1.3.6.1.5.5.7.7.7"), "nonce of the client") << "RFC 5272 6.6";
  EXPECT_EQ(control_of(nonce_control).size(), 16U);
  EXPECT_EQ(control_of(return_control), "give it back") << "RFC 5272 6.4";
}

TEST_F(FullCmcFixture, OneRequestMayFailAndTheOtherNot) {
  Bytes spoilt = csr_of("router-8");
  spoilt.back() ^= 1;
  Data data;
  data.requests = {tcr(10, csr_of("router-7")), tcr(11, spoilt)};
  const Answered answered = ask(data);
  EXPECT_EQ(answered.http, 200);
  EXPECT_EQ(answered.certificates.size(), 1U);
  ASSERT_EQ(answered.statuses.size(), 2U);
  EXPECT_EQ(answered.statuses[0].status, 0);
  EXPECT_EQ(answered.statuses[1].status, 2);
  EXPECT_EQ(answered.statuses[1].fail, 9) << "popFailed";
  EXPECT_EQ(host_.audited.lines().size(), 1U);
}

TEST_F(FullCmcFixture, IdentityIsProvenWhereThereAreSecrets) {
  struct Row {
    const char* name;
    bool secrets;
    std::function<void(Data&)> make;
    int fail;  // -1: none
  };
  const auto named = [](const char* name) {
    return control(20, identification_control, text_value(der::utf8_string, name));
  };
  const auto proven = [named](const char* with, const char* who, const char* hash = sha256_oid) {
    return [=](Data& data) {
      data.controls.push_back(named(who));
      data.prove(21, with, who, hash);
    };
  };
  const Row rows[] = {
      {"right", true, proven(secret, "router-7"), -1},
      {"by a certificate, without", true, [](Data&) {}, -1},
      {"by a certificate of another", true, [](Data& data) { data.requests = {tcr(10, csr_of("router-9"))}; },
       7},
      {"a wrong secret", true, proven("another secret of that size", "router-7"), 7},
      {"of nobody", true, proven(secret, "router-9"), 7},
      {"of nobody, with nothing", true, proven("", "router-9"), 7},
      {"with SHA-1", true, proven(secret, "router-7", "1.3.14.3.2.26"), 7},
      {"with another MAC", true,
       [&](Data& data) {
         data.controls.push_back(named("router-7"));
         data.prove(21, secret, "router-7", sha256_oid, "1.2.840.113549.2.7");
       },
       7},
      {"without a name", true, [](Data& data) { data.prove(21, secret, "", sha256_oid); }, 7},
      {"without the name in the key", true,
       [&](Data& data) {
         data.controls.push_back(named("router-7"));
         data.prove(21, secret, "", sha256_oid);
       },
       7},
      {"over other requests", true,
       [&](Data& data) {
         proven(secret, "router-7")(data);
         data.requests.push_back(tcr(12, csr_of("router-9")));
       },
       7},
      {"where no secret is known", false, proven(secret, "router-7"), 7},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string("RFC 5272 6.2: ") + row.name);
    open_cmc(row.secrets);
    Data data;
    data.requests = {tcr(10, csr_of("router-7"))};
    row.make(data);
    const Answered answered = ask(data);
    EXPECT_EQ(answered.http, row.fail < 0 ? 200 : 400);
    EXPECT_EQ(answered.only().fail, row.fail);
    EXPECT_EQ(answered.certificates.empty(), row.fail >= 0);
  }
}

TEST_F(FullCmcFixture, WhatWaitsIsAskedAboutByItsToken) {
  certificate();
  host_.fake_pipeline.fail_with = pending("somebody has to approve it", std::chrono::seconds{30});
  Data data;
  data.requests = {tcr(10, csr_of("router-7"))};
  const Answered waits = ask(data);
  EXPECT_EQ(waits.http, 202);
  EXPECT_EQ(waits.only().status, 3);
  const Bytes token = waits.only().token;
  ASSERT_FALSE(token.empty());
  const auto query = [](const Bytes& about) {
    Data asked;
    asked.controls = {control(1, query_control, tlv(der::octet_string, {about}))};
    return asked;
  };
  host_.manual_clock.advance(std::chrono::seconds{10});
  const Answered still = ask(query(token));
  EXPECT_EQ(still.http, 202);
  EXPECT_EQ(still.only().token, token) << "RFC 5272 6.13: the same pendInfo";
  const auto tail = [](const Bytes& whole) { return Bytes(whole.end() - 20, whole.end()); };
  EXPECT_EQ(tail(still.only().whole), tail(waits.only().whole)) << "and the same time";
  EXPECT_EQ(ask(sign(query(token).encode()), "Basic office").only().fail, 2) << "somebody else's";
  EXPECT_EQ(ask(query(Bytes(32, 1))).only().fail, 2);
  host_.fake_pipeline.fail_with.reset();
  const Answered done = ask(query(token));
  EXPECT_EQ(done.http, 200);
  EXPECT_EQ(done.only().of, std::vector<std::uint64_t>{1});
  ASSERT_EQ(done.certificates.size(), 1U);
  EXPECT_TRUE(equal(x509::parse_certificate(done.certificates[0])->spki, client_key()->spki()));
  host_.fake_pipeline.fail_with = rejected("denied");
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(ask(query(token)).only().fail, 2);
    const Answered anew = ask(data);
    EXPECT_EQ(anew.http, 400);
    EXPECT_EQ(anew.only().fail, 2);
    EXPECT_EQ(anew.only().text, "denied");
  }
}

// A certificate speaks for its owner where its profile is issued, as it does by simplereenroll.
TEST_F(FullCmcFixture, SignersOfAnotherProfileSpeakForNobody) {
  struct Row {
    const char* name;
    bool secrets;  // for which the certificate stands
    bool proven;   // by a secret
    bool by_tls;   // the sender is known by that certificate alone
    std::vector<std::string> known;
    int fail;             // -1: none
    const char* profile;  // of what is issued
  };
  const Row rows[] = {
      {"of a profile of here", true, false, false, {"default", "guest"}, -1, "guest"},
      {"of a profile of elsewhere", true, false, false, {"default"}, 7, ""},
      {"of elsewhere beside a secret", true, true, false, {"default"}, -1, "default"},
      {"of elsewhere where the sender's word counts", false, false, false, {"default"}, -1, "default"},
      {"of here as sender and signer", false, false, true, {"default", "guest"}, -1, "guest"},
      {"of elsewhere as sender and signer", false, false, true, {"default"}, 7, ""},
      {"of elsewhere as sender beside a secret", true, true, true, {"default"}, 7, ""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    open_cmc(row.secrets);
    host_.fake_pipeline.known_profiles = {"default", "guest"};
    certificate_.clear();
    const Bytes signer = certificate("guest");
    host_.fake_pipeline.known_profiles = row.known;
    const auto accounts = host_.fake_pipeline.identify_sender;
    if (row.by_tls)
      host_.fake_pipeline.identify_sender = [](const Request&) -> Result<Identity> {
        return Identity{"mtls:ab", {}, true};
      };
    Data data;
    data.requests = {tcr(10, csr_of("router-7"))};
    if (row.proven) {
      data.controls.push_back(control(20, identification_control, text_value(der::utf8_string, "router-7")));
      data.prove(21, secret, "router-7", sha256_oid);
    }
    const std::size_t before = issued();
    const Answered answered = ask(sign(data.encode()), "Basic good",
                                  row.by_tls ? std::vector<Bytes>{signer} : std::vector<Bytes>{});
    host_.fake_pipeline.identify_sender = accounts;
    EXPECT_EQ(answered.http, row.fail < 0 ? 200 : 400) << answered.only().text;
    EXPECT_EQ(answered.only().fail, row.fail);
    EXPECT_EQ(issued(), before + (row.fail < 0 ? 1 : 0));
    if (row.fail >= 0) {
      EXPECT_NE(answered.only().text.find("guest"), std::string::npos) << answered.only().text;
      continue;
    }
    ASSERT_EQ(answered.certificates.size(), 1U);
    EXPECT_EQ(host_.fake_pipeline.identify(answered.certificates.front())->row.profile, row.profile);
  }
}

TEST_F(FullCmcFixture, RequestsAreLinkedToTheirConnectionLikeOthers) {
  open_cmc(false, ChannelBinding::required);
  Data data;
  data.requests = {tcr(10, csr_of("router-7")),
                   tcr(11, csr_for(subject(), names(), base64::encode(as_bytes("channel binding"))))};
  const Answered answered = ask(data);
  ASSERT_EQ(answered.statuses.size(), 2U);
  EXPECT_EQ(answered.statuses[0].fail, 9);
  EXPECT_EQ(answered.statuses[1].status, 0);
}

TEST_F(FullCmcFixture, RefusesPartsWithWhatCmcSaysOfThem) {
  struct Row {
    const char* section;  // of RFC 5272
    const char* name;
    std::function<void(Data&)> change;
    int fail;  // -1: a status without
    std::vector<std::uint64_t> of;
  };
  const auto add = [](Bytes one) { return [one](Data& data) { data.controls.push_back(one); }; };
  const Bytes crm = tlv(der::context(1), {tlv(der::sequence, {number(77), tlv(der::sequence, {})})});
  const Bytes orm = tlv(der::context(2), {number(78), oid_value("1.2.3"), number(1)});
  const Bytes nothing = tlv(der::sequence, {number(5), oid_value(nonce_control), tlv(der::set, {})});
  const Row rows[] = {
      {"3.2.1.1", "an unknown control", add(control(5, "1.2.3.4", number(1))), 2, {5}},
      {"3.2.1.1", "revocation", add(control(5, "1.3.6.1.5.5.7.7.17", number(1))), 2, {5}},
      {"3.2.1.1", "the older identity proof", add(control(5, "1.3.6.1.5.5.7.7.3", number(1))), 2, {5}},
      {"3.2.1.1",
       "two unknown controls",
       [&](Data& data) {
         add(control(5, "1.2.3.4", number(1)))(data);
         add(control(6, "1.2.3.5", number(1)))(data);
       },
       2,
       {5, 6}},
      {"6.6",
       "two nonces",
       [&](Data& data) {
         add(control(5, nonce_control, text_value(der::octet_string, "a")))(data);
         add(control(6, nonce_control, text_value(der::octet_string, "b")))(data);
       },
       2,
       {6}},
      {"6.6", "a nonce of text", add(control(5, nonce_control, text_value(der::utf8_string, "a"))), 2, {5}},
      {"6.6", "an empty nonce", add(control(5, nonce_control, text_value(der::octet_string, ""))), 2, {5}},
      {"6.6", "a nonce without value", add(nothing), 2, {5}},
      {"6.6",
       "a nonce of 2 KiB",
       add(control(5, nonce_control, text_value(der::octet_string, std::string(2048, 'n')))),
       2,
       {5}},
      {"6.6",
       "a transaction of octets",
       add(control(5, transaction_control, text_value(der::octet_string, "a"))),
       2,
       {5}},
      {"6.13", "a query of text", add(control(5, query_control, text_value(der::utf8_string, "a"))), 2, {5}},
      {"6.2.1", "a proof that is none", add(control(5, proof_control, number(1))), 2, {5}},
      {"3.2.1.2.2", "CRMF", [&](Data& data) { data.requests.push_back(crm); }, 2, {77}},
      {"3.2.1", "another kind of request", [&](Data& data) { data.requests.push_back(orm); }, -1, {78}},
      {"3.2.1", "nothing", [](Data& data) { data.requests.clear(); }, 2, {0}},
      {"3.2.1.2.1",
       "no request in it",
       [](Data& data) { data.requests = {tcr(10, tlv(der::sequence, {number(1)}))}; },
       2,
       {10}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.section) + ": " + row.name);
    Data data;
    data.requests = {tcr(10, csr_of("router-7"))};
    row.change(data);
    const std::size_t before = host_.audited.lines().size();
    const Answered answered = ask(data);
    EXPECT_EQ(answered.http, 400) << "RFC 7030 4.3.2";
    EXPECT_EQ(answered.only().fail, row.fail);
    EXPECT_EQ(answered.only().status, row.fail < 0 ? 4 : 2);
    EXPECT_EQ(answered.only().of, row.of);
    EXPECT_TRUE(answered.certificates.empty());
    EXPECT_EQ(host_.audited.lines().size(), before + 1);
  }
}

TEST_F(FullCmcFixture, RefusesSignersItDoesNotKnow) {
  Data data;
  data.requests = {tcr(10, csr_of("router-7"))};
  const auto refused = [&](const char* name, const Bytes& message) {
    SCOPED_TRACE(std::string("RFC 5272 4.1: ") + name);
    const Answered answered = ask(message);
    EXPECT_EQ(answered.http, 400);
    EXPECT_EQ(answered.only().fail, 1) << "badMessageCheck";
    EXPECT_EQ(answered.only().of, std::vector<std::uint64_t>{0});
    EXPECT_TRUE(answered.certificates.empty());
  };
  Bytes changed = sign(data.encode());
  const Bytes mark = to_bytes(as_bytes("router-7.example.test"));
  const auto found = std::ranges::search(changed, mark);
  ASSERT_FALSE(found.empty());
  *found.begin() ^= 1;
  refused("changed", changed);
  Bytes spoilt = sign(data.encode());
  spoilt.back() ^= 1;
  refused("another signature", spoilt);
  const Bytes good = certificate();
  Call call = fakes::test_call();
  ASSERT_TRUE(host_.fake_pipeline.revoke(host_.fake_pipeline.identify(good)->id(),
                                         RevocationReason::superseded, "test", call));
  refused("revoked", sign(data.encode()));
  certificate_.clear();
  certificate();
  host_.manual_clock.advance(std::chrono::days{91});
  refused("expired", sign(data.encode()));
}

// RFC 7030 4.3.1: "If the HTTP POST to /fullcmc is not a valid Full PKI Request, the server MUST reject the
// message."
TEST_F(FullCmcFixture, RejectsWhatIsNoPkiRequest) {
  Data data;
  data.requests = {tcr(10, csr_of("router-7"))};
  const Bytes good = data.encode();
  Data twice = data, zero = data, many = data, crowd = data;
  twice.controls = {control(10, nonce_control, text_value(der::octet_string, "a"))};
  zero.requests = {tcr(0, csr_of("router-7"))};
  for (std::uint64_t i = 11; i < 27; ++i) many.requests.push_back(tcr(i, csr_of("router-7")));
  for (std::uint64_t i = 30; i < 63; ++i) crowd.controls.push_back(control(i, query_control, number(1)));
  struct Row {
    const char* name;
    Bytes message;
  };
  std::vector<Row> rows = {{"nothing but a request", csr_of("router-7")},
                           {"SignedData of something else", sign(good, "1.2.840.113549.1.7.1")},
                           {"a PKIResponse", sign(good, "1.3.6.1.5.5.7.12.3")},
                           {"no PKIData in it", sign(number(1))},
                           {"an octet after it", sign([&] {
                              Bytes more = good;
                              more.push_back(0);
                              return more;
                            }())},
                           {"without the last sequence", sign([&] {
                              Bytes less(good.begin(), good.end() - 2);
                              return tlv(der::sequence, {to_bytes(ByteView(less).subspan(4))});
                            }())},
                           {"a body part twice", sign(twice.encode())},
                           {"body part 0", sign(zero.encode())},
                           {"17 requests", sign(many.encode())},
                           {"33 controls", sign(crowd.encode())},
                           {"a request of no kind", sign([&] {
                              Data odd;
                              odd.requests = {tlv(der::context(3), {number(1)})};
                              return odd.encode();
                            }())},
                           {"no signers", cms::certs_only({ByteView(certificate())})}};
  const Bytes whole = sign(good);
  for (std::size_t size = 0; size < whole.size(); size += 97)
    rows.push_back({"cut off", Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))});
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const Answered answered = ask(row.message);
    EXPECT_EQ(answered.http, 400);
    EXPECT_TRUE(answered.type.starts_with("text/plain"));
  }
  Sent sent = post("/fullcmc", whole);
  for (const char* type : {"application/pkcs10", "application/pkcs7-mime; smime-type=certs-only", ""}) {
    sent.content_type = type;
    EXPECT_EQ(send(sent).status, 400) << type;
  }
  for (const char* type :
       {"application/pkcs7-mime", "Application/PKCS7-MIME; name=x; smime-type=\"cmc-request\""}) {
    sent.content_type = type;
    EXPECT_EQ(send(sent).status, 200) << type;
  }
  sent.authorization = "Basic wrong";
  EXPECT_EQ(send(sent).status, 401);
  sent.method = Method::get;
  EXPECT_EQ(send(sent).status, 405);
  open({});
  sent.method = Method::post;
  EXPECT_EQ(send(sent).status, 404) << "where it is not offered";
}

TEST(CmcSecretsFile, IsReadLineByLine) {
  const hanaper::test::TemporaryFolder folder;
  const auto load = [&](const std::string& text) { return load_cmc_secrets(folder.write("secrets", text)); };
  const auto good =
      load("# who:what\nrouter-7:a secret of sixteen octets\r\nrouter-8:with:colons:in it all\n");
  ASSERT_TRUE(good);
  EXPECT_EQ(good->at("router-7").reveal(), secret);
  EXPECT_EQ(good->at("router-8").reveal(), "with:colons:in it all");
  for (const char* bad :
       {"router-7", ":a secret of sixteen octets", "a:\nrouter-7:short", "router-7:fifteen octets."}) {
    const auto refused = load(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_NE(refused.error().detail.find("secrets: line 1: identification:secret"), std::string::npos);
    EXPECT_EQ(refused.error().detail.find("short"), std::string::npos);
  }
}

}  // namespace
}  // namespace hanaper::est::test
