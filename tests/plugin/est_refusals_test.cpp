// What EST refuses, one row a case, each with the section that says so. Nothing of it issues anything.
#include "est_support.hpp"

namespace hanaper::est::test {
namespace {

const std::string good_body = base64::encode(csr_for(subject(), names()));

struct Refusal {
  const char* section;  // of RFC 7030 unless it says otherwise
  std::string name;
  Sent sent;
  int status;
  const char* says = "";
};

class Refusals : public EstFixture {
 protected:
  void expect(const std::vector<Refusal>& refusals) {
    for (const Refusal& row : refusals) {
      SCOPED_TRACE(std::string(row.section) + ": " + row.name);
      const std::size_t before = issued();
      const Response response = send(row.sent);
      EXPECT_EQ(response.status, row.status) << response.body;
      EXPECT_EQ(issued(), before);
      const bool asks = response.status == 401;
      EXPECT_EQ(header(response, "content-type"), asks ? "" : "text/plain; charset=utf-8") << "RFC 8951 5";
      EXPECT_EQ(response.body.empty(), asks) << response.body;
      EXPECT_NE(response.body.find(row.says), std::string::npos) << response.body;
      // RFC 9110 15.5.2 and 15.5.6.
      EXPECT_EQ(response.status == 401, !header(response, "www-authenticate").empty());
      EXPECT_EQ(response.status == 405, !header(response, "allow").empty());
    }
  }
};

TEST_F(Refusals, OfPathsAndMethods) {
  std::vector<Refusal> rows;
  for (const char* tail : {"", "/", "/simpleenroll/", "/SimpleEnroll", "/simpleenrol", "/simpleenroll2",
                           "//simpleenroll", "/label/simpleenroll", "/label/other/simpleenroll",
                           "/simpleenroll/cacerts", "/%73impleenroll", "/serverkeygen", "/fullcmc", "/est",
                           "/..", "/label/../simpleenroll", "/simplereenroll/x", "/cacerts.pem"})
    rows.push_back({"3.2.2", std::string("no operation \"") + tail + "\"",
                    post(tail, csr_for(subject(), names())), 404});
  for (const Method method :
       {Method::get, Method::head, Method::put, Method::patch, Method::del, Method::options, Method::other})
    for (const char* tail : {"/simpleenroll", "/simplereenroll"}) {
      Sent sent = post(tail, csr_for(subject(), names()));
      sent.method = method;
      rows.push_back({"4.2.1", std::string(to_string(method)) + " of " + tail, sent, 405});
    }
  for (const Method method :
       {Method::post, Method::put, Method::patch, Method::del, Method::options, Method::other})
    for (const char* tail : {"/cacerts", "/csrattrs"}) {
      Sent sent;
      sent.method = method;
      sent.tail = tail;
      rows.push_back({"4.1.2", std::string(to_string(method)) + " of " + tail, sent, 405});
    }
  expect(rows);
}

TEST_F(Refusals, OfBodies) {
  const Bytes csr = csr_for(subject(), names());
  const auto with_body = [](std::string body) {
    Sent sent = post("/simpleenroll", {});
    sent.body = std::move(body);
    return sent;
  };
  std::vector<Refusal> rows = {
      {"4.2.1", "nothing", with_body(""), 400, "empty"},
      {"4.2.1", "white space", with_body(" \r\n\t"), 400, "empty"},
      {"RFC 8951 3.1", "DER and no base64", with_body(std::string(as_text(csr))), 400, "base64"},
      {"RFC 8951 3.1", "PEM", with_body(pem::encode("CERTIFICATE REQUEST", csr)), 400, "base64"},
      {"RFC 8951 3.1", "base64url", with_body("__--" + good_body), 400, "base64"},
      {"RFC 8951 3.1", "no padding", with_body("QQ"), 400, "base64"},
      {"RFC 8951 3.1", "padding in the middle", with_body("QQ==" + good_body), 400, "base64"},
      {"RFC 8951 3.1", "stray bits", with_body("QR=="), 400, "base64"},
      {"RFC 8951 3.1", "a vertical tab", with_body("\v" + good_body), 400, "base64"},
      {"RFC 8951 3.1", "a NUL", with_body(good_body + std::string(1, '\0')), 400, "base64"},
      {"RFC 8951 3.1", "a no-break space", with_body("\xc2\xa0" + good_body), 400, "base64"},
      {"RFC 8951 3.1", "text after it", with_body(good_body + "!"), 400, "base64"},
      {"RFC 2986 4", "one octet", with_body("MA=="), 400},
      {"RFC 2986 4", "an empty SEQUENCE", with_body("MAA="), 400},
      {"RFC 2986 4", "a certificate", with_body(base64::encode(host_.fake_pipeline.path().front())), 400},
      {"RFC 2986 4", "two requests", with_body(base64::encode([&] {
         Bytes two = csr;
         two.insert(two.end(), csr.begin(), csr.end());
         return two;
       }())),
       400},
      {"RFC 2986 4", "more than 64 KiB", with_body(base64::encode(Bytes(65 * 1024, 0x30))), 400},
  };
  for (const char* type : {"", "application/pkcs10x", "application/pkcs7-mime", "text/plain",
                           "application/x-www-form-urlencoded", "pkcs10", "multipart/mixed"}) {
    Sent sent = with_body(good_body);
    sent.content_type = type;
    rows.push_back({"4.2.1", std::string("Content-Type \"") + type + "\"", sent, 400, "application/pkcs10"});
  }
  expect(rows);
}

TEST_F(Refusals, OfRequestsThatAreCutOff) {
  const Bytes csr = csr_for(subject(), names());
  std::vector<Refusal> rows;
  for (std::size_t size = 1; size < csr.size(); size += 7)
    rows.push_back({"RFC 2986 4", "the first " + std::to_string(size) + " octets",
                    post("/simpleenroll", ByteView(csr).first(size)), 400});
  ASSERT_GE(rows.size(), 30U);
  expect(rows);
}

// Each changed octet breaks the form, the key, or the signature over them.
TEST_F(Refusals, OfRequestsThatWereChanged) {
  const Bytes csr = csr_for(subject(), names());
  std::vector<Refusal> rows;
  for (std::size_t at = 0; at < csr.size(); at += 5) {
    Bytes changed = csr;
    changed[at] ^= 0x01;
    rows.push_back({"RFC 2986 3", "octet " + std::to_string(at), post("/simpleenroll", changed), 400});
  }
  ASSERT_GE(rows.size(), 40U);
  expect(rows);
}

TEST_F(Refusals, OfStrangers) {
  const Bytes csr = csr_for(subject(), names());
  std::vector<Refusal> rows;
  for (const char* who : {"", "Basic wrong", "Basic", "Bearer good", "basic  good", "Digest good", "good"})
    for (const char* tail : {"/simpleenroll", "/simplereenroll"}) {
      Sent sent = post(tail, csr);
      sent.authorization = who;
      rows.push_back({"3.2.3", std::string("Authorization \"") + who + "\" at " + tail, sent, 401});
      sent.body = "!";
      rows.push_back({"3.2.3", std::string("the same with a bad body, ") + who + tail, sent, 401});
    }
  expect(rows);
}

TEST_F(Refusals, OfRenewals) {
  const Bytes csr = csr_for(subject(), names());
  const Bytes mine = enrol(csr);
  host_.authority("here");  // the first is the issuer's
  const Bytes foreign = host_.authority("elsewhere").issue(50, client_key()->spki());
  const auto renewal = [&](const Bytes& request, std::vector<Bytes> chain) {
    Sent sent = post("/simplereenroll", request);
    sent.chain = std::move(chain);
    return sent;
  };
  Bytes changed = mine;
  changed.back() ^= 1;
  Sent proxied = renewal(csr, {mine});
  proxied.tls = false;
  const auto more = [](std::vector<Identifier> extra) {
    auto all = names();
    all.insert(all.end(), extra.begin(), extra.end());
    return all;
  };
  expect({
      {"3.3.2", "no certificate", renewal(csr, {}), 403, "none was shown"},
      {"3.3.2", "TLS ends elsewhere", proxied, 403, "none was shown"},
      {"3.3.2", "a certificate of somebody else", renewal(csr, {foreign}), 403, "not issued here"},
      {"3.3.2", "ours behind somebody else's", renewal(csr, {foreign, mine}), 403, "not issued here"},
      {"3.3.2", "ours with another signature", renewal(csr, {changed}), 403, "not issued here"},
      {"4.2.2", "another subject", renewal(csr_for(subject("router-8"), names()), {mine}), 400, "subject"},
      {"4.2.2", "no subject", renewal(csr_for({}, names()), {mine}), 400, "subject"},
      {"4.2.2", "more in the subject",
       renewal(csr_for({{"2.5.4.10", "Example"}, subject().front()}, names()), {mine}), 400, "subject"},
      {"4.2.2", "the subject in other case", renewal(csr_for(subject("Router-7"), names()), {mine}), 400,
       "subject"},
      {"4.2.2", "another type of attribute", renewal(csr_for({{"2.5.4.5", "router-7"}}, names()), {mine}),
       400, "subject"},
      {"4.2.2", "another name", renewal(csr_for(subject(), names("router-8.example.test")), {mine}), 400,
       "subjectAltName"},
      {"4.2.2", "no name", renewal(csr_for(subject(), {}), {mine}), 400, "subjectAltName"},
      {"4.2.2", "one name more",
       renewal(csr_for(subject(), more({{Identifier::Kind::dns, "b.example.test"}})), {mine}), 400,
       "subjectAltName"},
      {"4.2.2", "an address more",
       renewal(csr_for(subject(), more({{Identifier::Kind::ip, "192.0.2.7"}})), {mine}), 400,
       "subjectAltName"},
      {"4.2.2", "the name twice", renewal(csr_for(subject(), more(names())), {mine}), 400, "subjectAltName"},
      {"4.2.2", "the name as another kind",
       renewal(csr_for(subject(), {{Identifier::Kind::uri, "https://router-7.example.test"}}), {mine}), 400,
       "subjectAltName"},
  });

  const CertificateId id = host_.fake_pipeline.identify(mine)->id();
  Call call = fakes::test_call();
  ASSERT_TRUE(host_.fake_pipeline.revoke(id, RevocationReason::superseded, "test", call));
  expect({{"4.2.2", "revoked", renewal(csr, {mine}), 403, "revoked"}});

  const Bytes old = enrol(csr);
  host_.manual_clock.advance(std::chrono::hours{24 * 91});
  expect({{"4.2.2", "expired", renewal(csr, {old}), 403, "expired"}});
  host_.manual_clock.advance(-std::chrono::hours{24 * 92});
  expect({{"4.2.2", "not valid yet", renewal(csr, {old}), 403, "expired"}});
}

// RFC 7030 3.7: a certificate of ours speaks for its owner; for others only an "ra" does.
TEST_F(Refusals, OfOthersByACertificate) {
  Options options;
  options.server_key = KeySpec{KeyType::ec_p256, 0};
  open(std::move(options));
  host_.fake_pipeline.known_profiles = {"default", "guest"};
  const Bytes csr = csr_for(subject(), names());
  IssueRequest order;
  order.profile = "guest";
  order.csr = csr;
  Call call = fakes::test_call();
  const Bytes mine = host_.fake_pipeline.issue(order, call)->certificate;
  Identity holder{"mtls:ab", {}, true};
  host_.fake_pipeline.identify_sender = [&](const Request&) { return Result<Identity>(holder); };
  const auto asked = [&](const char* tail, const Bytes& request) {
    Sent sent = post(tail, request);
    sent.chain = {mine};
    return sent;
  };
  const Bytes of_another = csr_for(subject("boss"), names("boss.example.test"));
  for (const char* tail : {"/simpleenroll", "/serverkeygen"}) {
    expect({{"3.7", std::string("for another at ") + tail, asked(tail, of_another), 403, "subject and names"},
            {"3.7", std::string("under one name more at ") + tail,
             asked(tail, csr_for(subject(), {names().front(), {Identifier::Kind::dns, "b.example.test"}})),
             403, "subject and names"}});
    EXPECT_EQ(send(asked(tail, csr)).status, 200) << tail;
  }
  const Bytes renewed = certificates(send(asked("/simplereenroll", csr)).body).front();
  EXPECT_EQ(host_.fake_pipeline.identify(renewed)->row.profile, "guest") << "what it was stays what it is";
  host_.fake_pipeline.known_profiles = {"default"};
  // What it is no good for by one operation it is no good for by another.
  for (const char* tail : {"/simplereenroll", "/simpleenroll", "/serverkeygen"})
    expect({{"4.2.2", std::string("of a profile that is not issued here at ") + tail, asked(tail, csr), 403,
             "profile guest"}});
  Sent from_elsewhere = asked("/simpleenroll", csr);
  fakes::FakeAuthority& elsewhere = host_.authority("elsewhere");
  from_elsewhere.chain = {elsewhere.issue(77, (*crypto::SoftKey::generate({KeyType::ec_p256, 0}))->spki())};
  from_elsewhere.body = base64::encode(csr_for({{"2.5.4.3", "fake 77"}}, {}));
  expect({{"3.7", "of an authority that issues nothing here", from_elsewhere, 403, "profile fake"}});
  holder.roles = {"ra"};
  EXPECT_EQ(send(asked("/simpleenroll", of_another)).status, 200) << "a registration authority";
}

// An account asks for what it may have: by name where it was not told otherwise.
TEST_F(Refusals, OfWhatAnAccountIsNotBoundTo) {
  Options options;
  options.server_key = KeySpec{KeyType::ec_p256, 0};
  open(std::move(options));
  Identity account{"password:router-7", {}, false, {x509::patterns_of_account("router-7")}};
  host_.fake_pipeline.identify_sender = [&](const Request&) { return Result<Identity>(account); };
  using Subject = RequestForm::Subject;
  const auto dns = [](const char* name) { return Identifier{Identifier::Kind::dns, name}; };
  const Identifier account_name{Identifier::Kind::user_principal, "boss@example.test"};
  struct Row {
    const char* name;
    Subject form;
    x509::Name subject;
    std::vector<Identifier> names;
    const char* refusal;
  };
  const auto cn = [](const char* value) { return x509::Name{{"2.5.4.3", value}}; };
  const Row rows[] = {
      {"its own name", Subject::request, cn("router-7"), {dns("router-7")}, ""},
      {"its name in a domain",
       Subject::request,
       cn("router-7.example.test"),
       {dns("router-7.example.test")},
       ""},
      {"its name in another case", Subject::request, cn("Router-7"), {}, ""},
      {"its name and what says nobody's",
       Subject::request,
       {{"2.5.4.10", "Example"}, {"2.5.4.3", "router-7"}},
       {},
       ""},
      {"another name",
       Subject::request,
       cn("router-7"),
       {dns("payroll.example.test")},
       "payroll.example.test"},
      {"another name beside its own", Subject::request, {}, {dns("router-7"), dns("router-8")}, "router-8"},
      {"another common name", Subject::request, cn("payroll"), {}, "CN=payroll"},
      {"another common name that is no host", Subject::request, cn("Big Boss"), {}, "CN=Big Boss"},
      {"a common name that is not taken over", Subject::common_name, cn("Big Boss"), {dns("router-7")}, ""},
      {"a host for a common name", Subject::common_name, cn("router-8"), {dns("router-7")}, "router-8"},
      {"another user", Subject::request, {{"0.9.2342.19200300.100.1.1", "boss"}}, {}, "UID=boss"},
      {"a mailbox in the subject",
       Subject::request,
       {{"1.2.840.113549.1.9.1", "boss@example.test"}},
       {},
       "boss@"},
      {"a wildcard", Subject::request, {}, {dns("*.example.test")}, "*.example.test"},
      {"a name that begins like its own", Subject::request, {}, {dns("router-77.example.test")}, "router-77"},
      {"an account", Subject::request, {}, {account_name}, "boss@example.test"},
  };
  for (const Row& row : rows) {
    host_.fake_pipeline.wanted_form.subject = row.form;
    for (const char* tail : {"/simpleenroll", "/serverkeygen"}) {
      SCOPED_TRACE(std::string(row.name) + " at " + tail);
      const Response response = send(post(tail, csr_for(row.subject, row.names)));
      EXPECT_EQ(response.status, *row.refusal == '\0' ? 200 : 403) << response.body;
      EXPECT_NE(response.body.find(row.refusal), std::string::npos) << response.body;
    }
  }
  account.roles = {"ra"};
  EXPECT_EQ(send(post("/simpleenroll", csr_for(cn("payroll"), {dns("payroll.example.test")}))).status, 200);
}

TEST_F(Refusals, OfServerKeys) {
  Options options;
  options.server_key = KeySpec{KeyType::ec_p256, 0};
  open(std::move(options));
  const Bytes bare = csr_for(subject(), names());
  const auto keygen = [&](const std::vector<cms::Attribute>& attributes) {
    return post("/serverkeygen", csr_with(attributes));
  };
  const auto symmetric = [](ByteView octets) {
    return octets_attribute(oid::decrypt_key_identifier, octets);
  };
  const auto asymmetric = [](ByteView octets) {
    return octets_attribute(oid::asymmetric_decrypt_key_identifier, octets);
  };
  const Bytes name = {7, 7}, empty, wide(65, 7);
  Sent get = post("/serverkeygen", bare);
  get.method = Method::get;
  Sent stranger = post("/serverkeygen", bare);
  stranger.authorization = "";
  Sent nothing = post("/serverkeygen", {});
  expect({
      {"4.4", "GET", get, 405},
      {"4.4", "by a stranger", stranger, 401},
      {"4.4.1", "no request", nothing, 400},
      {"4.4.1", "half a request", post("/serverkeygen", ByteView(bare).first(bare.size() / 2)), 400},
      {"4.4.1.1", "an unknown DecryptKeyIdentifier", keygen({symmetric(name)}), 400, "DecryptKeyIdentifier"},
      {"4.4.1.1", "an empty one", keygen({symmetric(empty)}), 400, "key identifier"},
      {"4.4.1.1", "a very long one", keygen({symmetric(wide)}), 400, "key identifier"},
      {"4.4.1.1", "an INTEGER", keygen({{to_bytes(oid::decrypt_key_identifier), {2, 1, 7}}}), 400,
       "key identifier"},
      {"4.4.1.1", "no value", keygen({{to_bytes(oid::decrypt_key_identifier), {}}}), 400, "key identifier"},
      {"4.4.1.1", "two values", keygen({{to_bytes(oid::decrypt_key_identifier), {4, 1, 7, 4, 1, 8}}}), 400,
       "key identifier"},
      {"4.4.1.2", "an unknown AsymmetricDecryptKeyIdentifier", keygen({asymmetric(name)}), 400,
       "AsymmetricDecryptKeyIdentifier"},
      {"4.4.1.2", "an empty one", keygen({asymmetric(empty)}), 400, "key identifier"},
      {"4.4.1.2", "both kinds", keygen({symmetric(name), asymmetric(name)}), 400, "two keys"},
  });
}

}  // namespace
}  // namespace hanaper::est::test
