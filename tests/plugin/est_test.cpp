// EST: what its operations answer, and what they refuse.
#include "est_support.hpp"

#include <csr_attributes.hpp>
#include <hanaper/toolkit/files.hpp>

#include "../unit/temporary_folder.hpp"

#include <openssl/cms.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

namespace hanaper::est::test {
namespace {

constexpr const char* certs_only = "application/pkcs7-mime; smime-type=certs-only";

TEST_F(EstFixture, CacertsIsForEverybodyAndHasTheRoot) {
  Sent sent{Method::get, "/cacerts", {}, {}, {}};
  const Response response = send(sent);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(header(response, "content-type"), certs_only);
  EXPECT_EQ(certificates(response.body), host_.fake_pipeline.path());
}

TEST_F(EstFixture, CacertsHasWhatRollOverBringsBehindTheRest) {
  const Bytes other = x509::encode_name({{"2.5.4.3", "no certificate, but a SEQUENCE"}});
  host_.fake_pipeline.wanted_roll_over.others = {other};
  std::vector<Bytes> expected = host_.fake_pipeline.path();
  expected.push_back(other);
  EXPECT_EQ(certificates(send(Sent{Method::get, "/cacerts", {}, {}, {}}).body), expected);
}

TEST_F(EstFixture, EnrolmentAnswersTheIssuedCertificateAndNothingElse) {
  const Bytes csr = csr_for(subject(), names());
  const Response response = send(post("/simpleenroll", csr));
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(header(response, "content-type"), certs_only);
  const std::vector<Bytes> found = certificates(response.body);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(equal(x509::parse_certificate(found[0])->spki, client_key()->spki()));
  EXPECT_EQ(issued(), 1U);
  EXPECT_EQ(host_.fake_metrics.value("hanaper_est_enrolments_total", {"issued"}), 1U);
}

TEST_F(EstFixture, AnswersAreCertsOnlyForOpenSslToo) {
  const Response response = send(post("/simpleenroll", csr_for(subject(), names())));
  std::string body = response.body;
  std::erase(body, '\n');
  const Bytes der = *base64::decode(body);
  const unsigned char* octets = der.data();
  PKCS7* message = d2i_PKCS7(nullptr, &octets, static_cast<long>(der.size()));
  ASSERT_NE(message, nullptr);
  EXPECT_TRUE(PKCS7_type_is_signed(message));
  EXPECT_EQ(sk_X509_num(message->d.sign->cert), 1);
  EXPECT_EQ(sk_PKCS7_SIGNER_INFO_num(message->d.sign->signer_info), 0);
  PKCS7_free(message);
}

TEST_F(EstFixture, BodiesComeInAnyLayout) {
  const std::string text = base64::encode(csr_for(subject(), names()));
  std::string lines, spaced;
  for (std::size_t at = 0; at < text.size(); at += 64) lines += text.substr(at, 64) + "\r\n";
  for (char c : text) spaced += std::string(1, c) + " \t";
  for (const std::string& body : {text, text + "\n", lines, spaced, "\n\n" + text}) {
    Sent sent = post("/simpleenroll", {});
    sent.body = body;
    EXPECT_EQ(send(sent).status, 200) << body;
    sent.content_type = "Application/PKCS10 ; charset=us-ascii";
    EXPECT_EQ(send(sent).status, 200) << body;
  }
}

TEST_F(EstFixture, LinesAreForClientsThatReadNoLongerOnes) {
  Options options;
  options.lines = true;
  open(std::move(options));
  const std::string body = send(Sent{Method::get, "/cacerts", {}, {}, {}}).body;
  EXPECT_TRUE(body.ends_with('\n'));
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t end = body.find('\n', at);
    EXPECT_LE(end - at, 76U);
    at = end + 1;
  }
}

// RFC 8951 4 has the example.
TEST_F(EstFixture, CsrattrsIsWhatTheRfcHas) {
  Options options;
  options.csr_attributes =
      *listed_attributes({"challenge-password", "ec-p384", "extension=1.3.6.1.1.1.1.22", "ecdsa-sha384"});
  open(std::move(options));
  const Response response = send(Sent{Method::get, "/csrattrs", {}, {}, {}});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(header(response, "content-type"), "application/csrattrs");
  EXPECT_EQ(response.body,
            "MEEGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiMBYGCSqGSIb3DQEJDjEJBgcrBgEBAQEWBggqhkjOPQQDAw==\n");
}

// RFC 9908 3.4; every form beside the DER that its ASN.1 module gives.
TEST_F(EstFixture, CsrattrsDrawsARequestFromTheProfile) {
  struct Row {
    const char* name;
    RequestForm form;
    std::string hex;  // of the template
  };
  const auto form = [](KeySpec key) {
    RequestForm wanted;
    wanted.key_types = {key, {KeyType::ed25519, 0}};
    return wanted;
  };
  RequestForm nothing, full = form({KeyType::ec_p256, 0}), values = form({KeyType::ed25519, 0});
  full.subject = RequestForm::Subject::request;
  full.names = {Identifier::Kind::dns};
  full.key_usage = x509::digital_signature | x509::key_agreement;
  full.extended_usages = {*der::oid_from_text("1.3.6.1.5.5.7.3.2")};
  values.extended_usages = full.extended_usages;
  const Row rows[] = {
      {"nothing", nothing, "3005020100a100"},
      {"a curve", form({KeyType::ec_p384, 0}), "3019020100a012301006072a8648ce3d020106052b81040022a100"},
      {"another algorithm", form({KeyType::ed25519, 0}), "300e020100a007300506032b6570a100"},
      {"values of extensions only", values,
       "3034020100a007300506032b6570a126302406092a864886f70d01090e3117301530130603551d25040c300a06082b0601050"
       "5070302"},
      {"something to fill in", full,
       "30660201003009310730050603550403a015301306072a8648ce3d020106082a8648ce3d030107a13f303d060b2a864886f70"
       "d010910023e312e302c300e0603551d0f0101ff04040302038830130603551d25040c300a06082b0601050507030230050603"
       "551d11"},
      {"an RSA key of that size", form({KeyType::rsa, 2048}),
       "3082012b020100a0820122300d06092a864886f70d01010105000382010f003082010a0282010100" +
           std::string(512, 'f') + "0203010001a100"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const Bytes element = template_attribute(row.form);
    auto attribute = *der::open(element, der::sequence);
    EXPECT_EQ(der::oid_to_text(*attribute.read_oid()), "1.2.840.113549.1.9.16.2.61");
    const auto value = der::only(attribute.expect(der::set)->content, der::sequence);
    ASSERT_TRUE(value);
    EXPECT_EQ(to_hex(value->whole), row.hex);
  }

  host_.fake_pipeline.wanted_form = full;
  Options options;
  options.csr_attributes = *listed_attributes({"challenge-password"});
  options.csr_template = true;
  open(std::move(options));
  std::string body = send(Sent{Method::get, "/csrattrs", {}, {}, {}}).body;
  std::erase(body, '\n');
  EXPECT_EQ(*base64::decode(body),
            csr_attributes({listed_attributes({"challenge-password"})->front(), template_attribute(full)}));
}

TEST_F(EstFixture, CsrattrsIsEmptyWhereNothingIsWanted) {
  const Response response = send(Sent{Method::get, "/csrattrs", {}, {}, {}});
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.body, "");
}

TEST_F(EstFixture, CsrattrsTextsAreRefusedByName) {
  for (const char* text :
       {"", "challengePassword", "rsa-1024", "extension=", "extension=x", "1", "1.2.x", "9.9.9"}) {
    const auto made = listed_attributes({"ec-p256", text});
    ASSERT_FALSE(made) << text;
    EXPECT_TRUE(made.error().detail.starts_with("\"" + std::string(text) + "\" is none of"));
  }
}

TEST_F(EstFixture, ChannelBindingLinksARequestToItsConnection) {
  const std::string right = base64::encode(as_bytes("channel binding")),
                    wrong = base64::encode(as_bytes("other"));
  struct Row {
    const char* name;
    ChannelBinding mode;
    std::string password;
    const char* who;
    bool tls;
    int status;
  };
  const Row rows[] = {
      {"required and right", ChannelBinding::required, right, "Basic good", true, 200},
      {"required and wrong", ChannelBinding::required, wrong, "Basic good", true, 400},
      {"required and absent", ChannelBinding::required, "", "Basic good", true, 400},
      {"required, the raw octets", ChannelBinding::required, "channel binding", "Basic good", true, 400},
      {"required, with a space more", ChannelBinding::required, right + " ", "Basic good", true, 400},
      {"required, and TLS ends elsewhere", ChannelBinding::required, right, "Basic good", false, 400},
      {"if present and right", ChannelBinding::if_present, right, "Basic good", true, 200},
      {"if present and wrong", ChannelBinding::if_present, wrong, "Basic good", true, 400},
      {"if present and absent", ChannelBinding::if_present, "", "Basic good", true, 200},
      {"if present, and TLS ends elsewhere", ChannelBinding::if_present, right, "Basic good", false, 400},
      {"off and wrong", ChannelBinding::off, wrong, "Basic good", true, 200},
      {"off and absent", ChannelBinding::off, "", "Basic good", true, 200},
      {"required and wrong, by a registration authority", ChannelBinding::required, wrong, "Basic office",
       true, 200},
      {"required and absent, by a registration authority", ChannelBinding::required, "", "Basic office", true,
       200},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Options options;
    options.channel_binding = row.mode;
    options.server_key = KeySpec{KeyType::ec_p256, 0};
    open(std::move(options));
    for (const char* tail : {"/simpleenroll", "/serverkeygen"}) {
      Sent sent = post(tail, csr_for(subject(), names(), row.password));
      sent.authorization = row.who;
      sent.tls = row.tls;
      const std::size_t before = issued();
      const Response response = send(sent);
      EXPECT_EQ(response.status, row.status) << response.body;
      EXPECT_EQ(issued(), before + (row.status == 200));
      if (row.status == 400) {
        EXPECT_NE(response.body.find("challengePassword"), std::string::npos) << "RFC 7030 3.5";
      }
    }
  }
}

TEST_F(EstFixture, RenewalTakesTheCertificateItself) {
  const Bytes csr = csr_for(subject(), names());
  const Bytes old = enrol(csr);
  Sent sent = post("/simplereenroll", csr);
  sent.chain = {old};
  const Response response = send(sent);
  ASSERT_EQ(response.status, 200) << response.body;
  const auto renewed = certificates(response.body);
  EXPECT_NE(renewed.front(), old);
  EXPECT_TRUE(
      equal(x509::parse_certificate(renewed.front())->subject, x509::parse_certificate(old)->subject));
}

TEST_F(EstFixture, ErrorsAreTextWithTheRightStatus) {
  struct Row {
    Error error;
    int status;
    const char* retry_after;
  };
  const Row rows[] = {{malformed("m"), 400, ""},
                      {bad_csr("c"), 400, ""},
                      {bad_key("k"), 400, ""},
                      {unsupported("u"), 400, ""},
                      {forbidden("f"), 403, ""},
                      {rejected("r"), 403, ""},
                      {not_found("n"), 404, ""},
                      {conflict("o"), 409, ""},
                      {{Code::rate_limited, "l", std::chrono::seconds{30}}, 429, "30"},
                      {unavailable("a"), 503, "5"},
                      {pending("p", std::chrono::seconds{60}), 202, "60"},
                      {internal("secret detail"), 500, ""}};
  const Bytes csr = csr_for(subject(), names());
  for (const Row& row : rows) {
    SCOPED_TRACE(to_string(row.error.code));
    host_.fake_pipeline.fail_with = row.error;
    const Response response = send(post("/simpleenroll", csr));
    EXPECT_EQ(response.status, row.status);
    // What asks for something has no body: Bouncy Castle's client fails on one.
    const bool asks = row.status == 202;
    EXPECT_EQ(header(response, "content-type"), asks ? "" : "text/plain; charset=utf-8");
    EXPECT_EQ(header(response, "retry-after"), row.retry_after);
    EXPECT_EQ(response.body.empty(), asks);
    EXPECT_EQ(response.body.find("secret"), std::string::npos);
  }
}

TEST_F(EstFixture, StrangersAreAskedForWhatWouldDo) {
  Sent sent = post("/simpleenroll", csr_for(subject(), names()));
  sent.authorization = "";
  const Response response = send(sent);
  EXPECT_EQ(response.status, 401);
  EXPECT_EQ(header(response, "www-authenticate"), "Basic realm=\"test\"");
  EXPECT_TRUE(response.body.empty()) << "Bouncy Castle's client fails on one";
}

class Keygen : public EstFixture {
 protected:
  void offer() {
    std::string recipients;
    rsa_certificate_ = certificate_for(*rsa_);
    ec_certificate_ = certificate_for(*ec_);
    recipients += pem::encode("CERTIFICATE", rsa_certificate_) + pem::encode("CERTIFICATE", ec_certificate_);
    static_cast<void>(files::replace(folder_ / "recipients", recipients, 0600));
    static_cast<void>(
        files::replace(folder_ / "secrets",
                       "# device 7\n0707:000102030405060708090a0b0c0d0e0f\n"
                       "0808:000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f\n",
                       0600));
    Options options;
    options.server_key = KeySpec{KeyType::ec_p256, 0};
    auto keys = TransportKeys::load(folder_ / "secrets", folder_ / "recipients");
    ASSERT_TRUE(keys) << keys.error().detail;
    options.transport_keys = *std::move(keys);
    open(std::move(options));
  }
  static Bytes certificate_for(Key& key) {
    const x509::CertificateTemplate form({.scheme = x509::default_scheme(key.spec()),
                                          .issuer = x509::encode_name(subject()),
                                          .authority_key_identifier = {},
                                          .extensions = {}});
    const Bytes name = x509::encode_name(subject()), named = identifier(key);
    der::Writer writer;
    form.render({.serial = *Serial::from_text("07"),
                 .not_before = Time{},
                 .not_after = Time{} + std::chrono::days{30000},
                 .subject = name,
                 .spki = key.spki(),
                 .key_identifier = named,
                 .key_usage = key.spec().type == KeyType::rsa ? x509::key_encipherment : x509::key_agreement,
                 .names = {},
                 .extensions = {}},
                writer);
    return x509::assemble_certificate(writer.view(), *key.sign(form.scheme(), writer.view()));
  }
  static Bytes identifier(Key& key) {
    const auto octets = x509::key_identifier(*x509::parse_public_key(key.spki()));
    return {octets.begin(), octets.end()};
  }

  struct Answer {
    std::string key_type;
    Bytes key;
    Bytes certificate;
  };
  // RFC 2046 5.1.1, taken apart by hand.
  static Answer parts(const Response& response) {
    Answer answer;
    const std::string type = header(response, "content-type");
    EXPECT_TRUE(type.starts_with("multipart/mixed; boundary="));
    const std::string boundary = "--" + type.substr(type.find('=') + 1);
    std::size_t at = response.body.find(boundary + "\r\n");
    for (int part = 0; part < 2; ++part) {
      const std::size_t start = at + boundary.size() + 2, head_end = response.body.find("\r\n\r\n", start);
      at = response.body.find("\r\n" + boundary, head_end);
      const std::string head = response.body.substr(start, head_end - start);
      std::string body = response.body.substr(head_end + 4, at - head_end - 4);
      at += 2;
      if (part == 1) {
        EXPECT_EQ(head, std::string("Content-Type: ") + certs_only + "\r\nContent-Transfer-Encoding: base64");
        answer.certificate = certificates(body).front();
        continue;
      }
      answer.key_type = head.substr(0, head.find("\r\n"));
      std::erase(body, '\n');
      answer.key = *base64::decode(body);
    }
    EXPECT_TRUE(response.body.substr(at).starts_with(boundary + "--"));
    return answer;
  }

  // The key that OpenSSL finds in the envelope, verified and unwrapped.
  template <class SetKey>
  std::shared_ptr<crypto::SoftKey> opened(const Bytes& envelope, SetKey&& set_key) {
    const unsigned char* octets = envelope.data();
    CMS_ContentInfo* cms = d2i_CMS_ContentInfo(nullptr, &octets, static_cast<long>(envelope.size()));
    EXPECT_NE(cms, nullptr);
    EXPECT_EQ(set_key(cms), 1);
    BIO* out = BIO_new(BIO_s_mem());
    EXPECT_EQ(CMS_decrypt(cms, nullptr, nullptr, nullptr, out, CMS_BINARY), 1);
    char* data = nullptr;
    const long size = BIO_get_mem_data(out, &data);
    der::Writer info(4096);  // the inner SignedData, as a ContentInfo again
    info.sequence([&] {
      info.constructed(der::context(0),
                       [&] { info.raw(as_bytes(std::string_view(data, static_cast<std::size_t>(size)))); });
      info.oid(oid::signed_data);
    });
    BIO_free(out);
    CMS_ContentInfo_free(cms);
    const auto view = cms::parse_signed(info.view());
    EXPECT_TRUE(view && view->content && view->signers.size() == 1);
    EXPECT_TRUE(oid::asymmetric_key_package == view->content_type);
    const auto signer = cms::find_signer(*view, view->signers.front());
    EXPECT_TRUE(signer && cms::verify(*view, view->signers.front(), signer->spki));
    auto package = der::open(*view->content, der::sequence);
    const auto key = package->expect(der::sequence);
    return *crypto::SoftKey::from_pkcs8(Secret(std::string(as_text(key->whole))));
  }

  hanaper::test::TemporaryFolder folder_;
  const std::shared_ptr<crypto::SoftKey> rsa_ = *crypto::SoftKey::generate({KeyType::rsa, 2048});
  const std::shared_ptr<crypto::SoftKey> ec_ = *crypto::SoftKey::generate({KeyType::ec_p256, 0});
  Bytes rsa_certificate_, ec_certificate_;
};

TEST_F(Keygen, GivesAKeyThatFitsTheCertificate) {
  offer();
  Bytes csr = csr_for(subject(), names());
  csr[csr.size() - 1] ^= 1;  // RFC 7030 4.4.1: the signature in the CSR is ignored
  const Response response = send(post("/serverkeygen", csr));
  ASSERT_EQ(response.status, 200) << response.body;
  const Answer answer = parts(response);
  EXPECT_EQ(answer.key_type, "Content-Type: application/pkcs8");
  const auto key = crypto::SoftKey::from_pkcs8(Secret(std::string(as_text(answer.key))));
  ASSERT_TRUE(key);
  const auto certificate = *x509::parse_certificate(answer.certificate);
  EXPECT_TRUE(equal(certificate.spki, (*key)->spki()));
  EXPECT_FALSE(equal(certificate.spki, client_key()->spki()));
  EXPECT_TRUE(equal(certificate.subject, x509::encode_name(subject())));
}

// RFC 7030 4.4.1: "the server MUST ignore the public key values and signature in the CSR".
TEST_F(Keygen, LooksAtNoSignatureWhateverItsAlgorithm) {
  offer();
  const Bytes known = to_bytes(oid::ecdsa_sha256);
  Bytes csr = csr_for(subject(), names());
  const auto found = std::ranges::find_end(csr, known);
  ASSERT_FALSE(found.empty());
  *(found.end() - 1) = 9;
  EXPECT_EQ(send(post("/serverkeygen", csr)).status, 200);
  EXPECT_EQ(send(post("/simpleenroll", csr)).status, 400);
}

TEST_F(Keygen, EncryptsToASharedSecret) {
  offer();
  for (const std::size_t size : {16U, 32U}) {
    const Bytes name = size == 16 ? Bytes{7, 7} : Bytes{8, 8};
    const Response response =
        send(post("/serverkeygen", csr_with({octets_attribute(oid::decrypt_key_identifier, name)})));
    ASSERT_EQ(response.status, 200) << response.body;
    const Answer answer = parts(response);
    EXPECT_EQ(answer.key_type, "Content-Type: application/pkcs7-mime; smime-type=server-generated-key");
    std::vector<unsigned char> secret(size);
    for (std::size_t i = 0; i < size; ++i) secret[i] = static_cast<unsigned char>(i % 16);
    Bytes id = name;
    const auto key = opened(answer.key, [&](CMS_ContentInfo* cms) {
      return CMS_decrypt_set1_key(cms, secret.data(), secret.size(), id.data(), id.size());
    });
    EXPECT_TRUE(equal(x509::parse_certificate(answer.certificate)->spki, key->spki()));
  }
}

TEST_F(Keygen, EncryptsToACertificate) {
  offer();
  for (const auto& recipient : {rsa_, ec_}) {
    const Bytes& certificate = recipient == rsa_ ? rsa_certificate_ : ec_certificate_;
    const Response response = send(
        post("/serverkeygen",
             csr_with({octets_attribute(oid::asymmetric_decrypt_key_identifier, identifier(*recipient))})));
    ASSERT_EQ(response.status, 200) << response.body;
    const Answer answer = parts(response);
    const unsigned char* octets = certificate.data();
    X509* owner = d2i_X509(nullptr, &octets, static_cast<long>(certificate.size()));
    const auto key = opened(answer.key, [&](CMS_ContentInfo* cms) {
      return CMS_decrypt_set1_pkey(cms, recipient->pkey(), owner);
    });
    X509_free(owner);
    EXPECT_TRUE(equal(x509::parse_certificate(answer.certificate)->spki, key->spki()));
  }
}

TEST_F(Keygen, TransportKeysAreReadLineByLine) {
  struct Row {
    const char* name;
    const char* text;
    const char* error;  // "": none
  };
  const Row rows[] = {
      {"good", "01:000102030405060708090a0b0c0d0e0f\r\n\n#\n", ""},
      {"no colon", "01\n", "line 1"},
      {"no identifier", ":000102030405060708090a0b0c0d0e0f\n", "line 1"},
      {"a short key", "\n01:0001\n", "line 2"},
      {"no hexadecimal", "x:000102030405060708090a0b0c0d0e0f\n", "line 1"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    static_cast<void>(files::replace(folder_ / "s", row.text, 0600));
    const auto keys = TransportKeys::load(folder_ / "s", "");
    EXPECT_EQ(keys.has_value(), std::string_view(row.error).empty());
    if (!keys) {
      EXPECT_NE(keys.error().detail.find(row.error), std::string::npos) << keys.error().detail;
    }
  }
}

}  // namespace
}  // namespace hanaper::est::test
