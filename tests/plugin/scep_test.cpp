// SCEP: what it grants, and what it refuses, one row a case, each with the section that says so.
#include <service.hpp>

#include <hanaper/testing/fake_host.hpp>
#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/certificate_template.hpp>
#include <hanaper/toolkit/csr_builder.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/json.hpp>
#include <hanaper/toolkit/oids.hpp>

#include <gtest/gtest.h>

namespace hanaper::scep::test {
namespace {

using namespace der::literals;

constexpr der::Oid message_type = "2.16.840.1.113733.1.9.2"_oid;
constexpr der::Oid pki_status = "2.16.840.1.113733.1.9.3"_oid;
constexpr der::Oid fail_info = "2.16.840.1.113733.1.9.4"_oid;
constexpr der::Oid sender_nonce = "2.16.840.1.113733.1.9.5"_oid;
constexpr der::Oid recipient_nonce = "2.16.840.1.113733.1.9.6"_oid;
constexpr der::Oid transaction_id = "2.16.840.1.113733.1.9.7"_oid;

using SoftKey = std::shared_ptr<crypto::SoftKey>;
const SoftKey& client_key() {
  static const SoftKey key = *crypto::SoftKey::generate({KeyType::rsa, 2048});
  return key;
}
const SoftKey& other_key() {
  static const SoftKey key = *crypto::SoftKey::generate({KeyType::rsa, 2048});
  return key;
}

Bytes self_signed(Key& key, const char* serial = "07") {
  const Bytes name = x509::encode_name({{"2.5.4.3", "router-7"}});
  const x509::CertificateTemplate form({.scheme = SignatureScheme::rsa_pkcs1_sha256,
                                        .issuer = name,
                                        .authority_key_identifier = {},
                                        .extensions = {}});
  const auto identifier = x509::key_identifier(*x509::parse_public_key(key.spki()));
  der::Writer writer;
  form.render({.serial = *Serial::from_text(serial),
               .not_before = Time{},
               .not_after = Time{} + std::chrono::days{30000},
               .subject = name,
               .spki = key.spki(),
               .key_identifier = identifier,
               .key_usage = 0,
               .names = {},
               .extensions = {}},
              writer);
  return x509::assemble_certificate(writer.view(), *key.sign(form.scheme(), writer.view()));
}

Bytes csr_for(Key& key, std::string password = "correct horse", std::string name = "router-7") {
  x509::CsrContent content;
  content.subject = {{"2.5.4.3", name}};
  content.names = {{Identifier::Kind::dns, name + ".example.test"}};
  content.challenge_password = std::move(password);
  return *x509::build_csr(key, content);
}

cms::Attribute text(der::Oid oid, std::string_view value, std::uint8_t tag = der::printable_string) {
  der::Writer writer(64);
  writer.primitive(tag, as_bytes(value));
  return {to_bytes(oid), writer.bytes()};
}

// A message and what can be wrong with it.
struct Asked {
  std::string type = "19";
  std::string transaction = "transaction 1";
  Bytes nonce = Bytes(16, 7);
  std::optional<Bytes> content;  // in the envelope; nothing: a request of the client
  cms::Cipher cipher = cms::Cipher::aes128_cbc;
  crypto::Hash hash = crypto::Hash::sha256;
  std::function<void(Bytes&)> spoil_envelope = {};
  std::function<void(std::vector<cms::Attribute>&)> spoil_attributes = {};
  std::function<void(Bytes&)> spoil_message = {};
  SoftKey signer = client_key();
  SoftKey signs = nullptr;  // in place of the signer
  Bytes certificate = {};   // in place of a self-signed one
  Bytes recipient = {};     // in place of the registrar's
  bool without_certificate = false, without_content = false;
  der::Oid content_type = oid::data;
};

struct Answered {
  int http = 0;
  std::string text, status, fail;
  std::vector<Bytes> certificates;
  Bytes content;  // of the answer's envelope
};

class Scep : public ::testing::Test {
 protected:
  void open(bool legacy = false) {
    Options options;
    options.legacy = legacy;
    open(std::move(options));
  }
  void open(Options options) {
    options.challenge = Secret("correct horse");
    service_ = std::make_unique<Service>(std::move(options), host_, host_.fake_issuer);
  }
  Bytes registrar() {
    Call call = fakes::test_call();
    return to_bytes((*host_.fake_issuer.registrar(call))->certificate());
  }

  Bytes message(const Asked& asked) {
    const Bytes content = asked.content ? *asked.content : csr_for(*client_key());
    const Bytes to = asked.recipient.empty() ? registrar() : asked.recipient;
    cms::Recipient recipient;
    recipient.certificate = to;
    Bytes envelope = *cms::envelop(oid::data, content, recipient, asked.cipher);
    if (asked.spoil_envelope) asked.spoil_envelope(envelope);
    const Bytes certificate = asked.certificate.empty() ? self_signed(*asked.signer) : asked.certificate;
    cms::SignedContent out;
    out.content_type = asked.content_type;
    if (!asked.without_content) out.content = ByteView(envelope);
    out.attributes = {text(transaction_id, asked.transaction), text(message_type, asked.type),
                      text(sender_nonce, as_text(asked.nonce), der::octet_string)};
    if (asked.spoil_attributes) asked.spoil_attributes(out.attributes);
    out.hash = asked.hash;
    out.signer = certificate;
    if (!asked.without_certificate) out.certificates = {certificate};
    Bytes message = *cms::sign(out, [&](SignatureScheme scheme, ByteView attributes) {
      return (asked.signs ? asked.signs : asked.signer)->sign(scheme, attributes);
    });
    if (asked.spoil_message) asked.spoil_message(message);
    return message;
  }

  Response send(Method method, std::string query, std::string body = {}) {
    if (!service_) open();
    Request request;
    request.method = method;
    request.tail = "/pkiclient.exe";
    request.query = query;
    request.body = as_bytes(body);
    Call call = fakes::test_call();
    return service_->handle(request, call);
  }

  Answered post(const Bytes& message) {
    return read(send(Method::post, "operation=PKIOperation", std::string(as_text(message))));
  }
  Answered ask(const Asked& asked) { return post(message(asked)); }

  Answered read(const Response& response) {
    Answered answered;
    answered.http = response.status;
    if (response.status != 200) {
      answered.text = response.body;
      return answered;
    }
    const auto view = *cms::parse_signed(as_bytes(response.body));
    const auto& signer = view.signers.front();
    EXPECT_TRUE(cms::verify(view, signer, x509::parse_certificate(registrar())->spki));
    const auto value = [&](der::Oid oid) {
      const auto found = signer.attribute(oid);
      return found ? std::string(as_text(found->content)) : std::string();
    };
    EXPECT_EQ(value(message_type), "3") << "RFC 8894 3.3.2";
    EXPECT_EQ(value(sender_nonce).size(), 16U);
    EXPECT_NE(value(sender_nonce), value(recipient_nonce)) << "RFC 8894 3.2.1.5";
    transaction_ = value(transaction_id);
    nonce_ = value(recipient_nonce);
    answered.status = value(pki_status);
    answered.fail = value(fail_info);
    EXPECT_EQ(answered.status == "2", !answered.fail.empty()) << "RFC 8894 3.2.1.4";
    EXPECT_EQ(answered.status == "0", view.content.has_value()) << "RFC 8894 3.3.2";
    if (!view.content) return answered;
    const auto envelope = *cms::parse_enveloped(*view.content);
    const auto content = cms::open(envelope, envelope.recipients.front(),
                                   [](ByteView key) { return client_key()->decrypt(key); });
    EXPECT_TRUE(content);
    const Bytes certificates = content ? to_bytes(as_bytes(content->reveal())) : cms::certs_only({});
    answered.content = certificates;
    const auto inner = *cms::parse_signed(certificates);
    for (ByteView certificate : inner.certificates) answered.certificates.push_back(to_bytes(certificate));
    return answered;
  }

  std::size_t issued() {
    CertificateQuery everything;
    everything.limit = 10'000;
    return host_.memory_storage.search(everything)->size();
  }

  struct Refusal {
    const char* section;  // of RFC 8894 unless it says otherwise
    std::string name;
    Asked asked;
    const char* fail;  // "": HTTP 400
  };
  void expect(const std::vector<Refusal>& refusals) {
    for (const Refusal& row : refusals) {
      SCOPED_TRACE(std::string(row.section) + ": " + row.name);
      const std::size_t before = issued();
      const Answered answered = ask(row.asked);
      EXPECT_EQ(answered.http, *row.fail == '\0' ? 400 : 200) << answered.text;
      EXPECT_EQ(answered.fail, row.fail);
      EXPECT_EQ(issued(), before);
    }
  }

  fakes::FakeHost host_{"http://pki.example.test/scep"};
  std::unique_ptr<Service> service_;
  std::string transaction_, nonce_;  // of the last answer
};

// A replacement of the only occurrence.
std::function<void(Bytes&)> replace(Bytes from, Bytes to) {
  return [from, to](Bytes& octets) {
    const auto found = std::ranges::search(octets, from);
    ASSERT_FALSE(found.empty());
    std::ranges::copy(to, found.begin());
  };
}

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
  host_.fake_issuer.fail_with = unavailable("the storage is away");
  EXPECT_EQ(ask({}).http, 503);
  host_.fake_issuer.fail_with = internal("a secret of ours");
  const Answered answered = ask({});
  EXPECT_EQ(answered.http, 500);
  EXPECT_EQ(answered.text.find("secret"), std::string::npos);
}

TEST_F(Scep, RefusalsOfThePipelineAreBadRequest) {
  struct Row {
    Error error;
    const char* fail;
  };
  for (const Row& row : {Row{rejected("r"), "2"}, Row{forbidden("f"), "2"}, Row{bad_csr("c"), "2"},
                         Row{conflict("o"), "2"}, Row{bad_key("k"), "0"}, Row{unsupported("u"), "0"}}) {
    host_.fake_issuer.fail_with = row.error;
    EXPECT_EQ(ask({}).fail, row.fail) << to_string(row.error.code);
  }
}

TEST_F(Scep, OperationsAreRefused) {
  struct Row {
    const char* name;
    Method method;
    const char* query;
    int status;
  };
  const Row rows[] = {{"none", Method::get, "", 400},
                      {"an empty one", Method::get, "operation=", 400},
                      {"another", Method::get, "operation=GetCACert2", 400},
                      {"in other case", Method::get, "operation=getcacaps", 400},
                      {"by another name", Method::get, "Operation=GetCACaps", 400},
                      {"a broken escape", Method::get, "operation=%4", 400},
                      {"another broken escape", Method::get, "operation=%zz", 400},
                      {"capabilities by POST", Method::post, "operation=GetCACaps", 400},
                      {"certificates by POST", Method::post, "operation=GetCACert", 400},
                      {"the next certificate", Method::get, "operation=GetNextCACert", 400},
                      {"no message", Method::get, "operation=PKIOperation", 400},
                      {"an empty message", Method::get, "operation=PKIOperation&message=", 400},
                      {"no base64", Method::get, "operation=PKIOperation&message=%21", 400},
                      {"an empty body", Method::post, "operation=PKIOperation", 400},
                      {"PUT", Method::put, "operation=GetCACaps", 405},
                      {"DELETE", Method::del, "operation=GetCACaps", 405},
                      {"OPTIONS", Method::options, "operation=GetCACaps", 405}};
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string("RFC 8894 4.1: ") + row.name);
    const Response response = send(row.method, row.query);
    EXPECT_EQ(response.status, row.status);
    EXPECT_EQ(response.headers.front().value, "text/plain");
  }
}

TEST_F(Scep, MessagesThatAreCutOffAreRefused) {
  const Bytes whole = message({});
  std::size_t cases = 0;
  for (std::size_t size = 0; size < whole.size(); size += 41, ++cases) {
    SCOPED_TRACE("RFC 5652 5.1: the first " + std::to_string(size) + " octets");
    EXPECT_EQ(post(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))).http, 400);
  }
  EXPECT_GE(cases, 40U);
  EXPECT_EQ(issued(), 0U);
}

// What is signed cannot be changed; what is not does not decide what is issued.
TEST_F(Scep, MessagesThatWereChangedGiveNothingElse) {
  const Bytes whole = message({});
  std::size_t refused = 0;
  for (std::size_t at = 0; at < whole.size(); at += 17) {
    SCOPED_TRACE("RFC 8894 3.1: octet " + std::to_string(at));
    Bytes changed = whole;
    changed[at] ^= 0x01;
    const std::size_t before = issued();
    const Answered answered = post(changed);
    if (answered.status == "0") {
      ASSERT_EQ(answered.certificates.size(), 1U);
      EXPECT_TRUE(equal(x509::parse_certificate(answered.certificates[0])->spki, client_key()->spki()));
      continue;
    }
    ++refused;
    EXPECT_TRUE(answered.http == 400 || answered.fail == "0" || answered.fail == "1") << answered.fail;
    EXPECT_EQ(issued(), before);
  }
  EXPECT_GE(refused, 60U);
}

TEST_F(Scep, MessagesAreRefused) {
  const auto without = [](der::Oid oid) {
    Asked asked;
    asked.spoil_attributes = [oid](std::vector<cms::Attribute>& attributes) {
      std::erase_if(attributes, [&](const cms::Attribute& one) { return oid == one.type; });
    };
    return asked;
  };
  const auto with = [](const cms::Attribute& changed) {
    Asked asked;
    asked.spoil_attributes = [changed](std::vector<cms::Attribute>& attributes) {
      for (cms::Attribute& one : attributes)
        if (one.type == changed.type) one = changed;
    };
    return asked;
  };
  const auto twice = [](der::Oid oid) {
    Asked asked;
    asked.spoil_attributes = [oid](std::vector<cms::Attribute>& attributes) {
      for (const cms::Attribute& one : std::vector<cms::Attribute>(attributes))
        if (oid == one.type) attributes.push_back(one);
    };
    return asked;
  };
  const auto of_type = [](const char* type) {
    Asked asked;
    asked.type = type;
    return asked;
  };
  const auto of_content = [](Bytes content) {
    Asked asked;
    asked.content = std::move(content);
    return asked;
  };
  const auto spoilt = [](std::function<void(Bytes&)> envelope, std::function<void(Bytes&)> message) {
    Asked asked;
    asked.spoil_envelope = std::move(envelope);
    asked.spoil_message = std::move(message);
    return asked;
  };
  const Bytes aes128 = to_bytes(oid::aes128_cbc), sha256 = to_bytes(oid::sha256);
  const auto last = [](Bytes oid, std::uint8_t octet) {
    oid.back() = octet;
    return oid;
  };
  Asked stranger, re_signed, no_certificate, no_content, no_data, triple, wrong_recipient, another_key;
  stranger.signer = other_key();
  re_signed.signs = other_key();
  no_certificate.without_certificate = true;
  no_content.without_content = true;
  no_data.content_type = oid::enveloped_data;
  triple.cipher = cms::Cipher::des3_cbc;
  wrong_recipient.recipient = self_signed(*other_key());
  another_key.content = csr_for(*other_key());
  Asked other_content;
  other_content.spoil_envelope = [](Bytes& envelope) {
    const Bytes data = to_bytes(oid::data);
    const auto found = std::ranges::search(envelope, data);
    ASSERT_FALSE(found.empty());
    *(found.end() - 1) = 2;
  };
  Bytes spoilt_csr = csr_for(*client_key());
  spoilt_csr.back() ^= 1;
  Bytes two = csr_for(*client_key());
  two.push_back(0);

  std::vector<Refusal> rows = {
      {"3.2.1.1", "no transactionID", without(transaction_id), ""},
      {"3.2.1.2", "no messageType", without(message_type), ""},
      {"3.2.1.5", "no senderNonce", without(sender_nonce), ""},
      {"3.2.1.1", "an empty transactionID", with(text(transaction_id, "")), ""},
      {"3.2.1.1", "a transactionID of 129 octets", with(text(transaction_id, std::string(129, 'x'))), ""},
      {"3.2.1.1", "a transactionID with a line end", with(text(transaction_id, "a\nb")), ""},
      {"3.2.1.1", "a transactionID beyond ASCII", with(text(transaction_id, "\xc3\xa4", der::utf8_string)),
       ""},
      {"3.2.1.1", "a transactionID of octets", with(text(transaction_id, "a", der::octet_string)), ""},
      {"3.2.1.1", "two values", with({to_bytes(transaction_id), {0x13, 1, 'a', 0x13, 1, 'b'}}), ""},
      {"3.2.1.1", "no value", with({to_bytes(transaction_id), {}}), ""},
      {"3.2.1.1", "transactionID twice", twice(transaction_id), ""},
      {"3.2.1.2", "messageType twice", twice(message_type), ""},
      {"3.2.1.5", "senderNonce twice", twice(sender_nonce), ""},
      {"3.2.1.2", "an empty messageType", with(text(message_type, "")), ""},
      {"3.2.1.2", "a messageType that is no number", with(text(message_type, "PKI")), ""},
      {"3.2.1.2", "half a number", with(text(message_type, "19x")), ""},
      {"3.2.1.2", "a messageType of four digits", with(text(message_type, "0019")), ""},
      {"3.2.1.5", "an empty senderNonce", with(text(sender_nonce, "", der::octet_string)), ""},
      {"3.2.1.5", "a senderNonce of 65 octets",
       with(text(sender_nonce, std::string(65, 'n'), der::octet_string)), ""},
      {"3.2.1.5", "a senderNonce of text", with(text(sender_nonce, "0123456789abcdef")), ""},
      {"RFC 5652 5.1", "an octet after it", spoilt({}, [](Bytes& message) { message.push_back(0); }), ""},
      {"RFC 5652 3", "EnvelopedData and no SignedData",
       spoilt({},
              [](Bytes& message) {
                replace(to_bytes(oid::signed_data), to_bytes(oid::enveloped_data))(message);
              }),
       ""},
      {"3.1", "no certificate of the signer", no_certificate, "1"},
      {"3.1", "signed by another key", re_signed, "1"},
      {"3.1", "no content", no_content, "1"},
      {"3.2", "what is signed is an envelope by its type", no_data, "1"},
      {"2.9", "an unknown digest",
       spoilt({},
              [=](Bytes& message) {
                for (int i = 0; i < 2; ++i) replace(sha256, last(sha256, 9))(message);
              }),
       "0"},
      {"2.9", "SHA-1",  // RFC 8894 2.9; as in the OID of another digest of the same length of name
       spoilt({},
              [=](Bytes& message) {
                for (int i = 0; i < 2; ++i) replace(sha256, last(sha256, 4))(message);
              }),
       "0"},
      {"2.9", "3DES", triple, "0"},
      {"2.9", "AES in a mode nobody offers", spoilt(replace(aes128, last(aes128, 6)), {}), "0"},
      {"2.9", "AES-256 and an IV for AES-128's key", spoilt(replace(aes128, last(aes128, 42)), {}), "1"},
      {"3.1", "RSA-OAEP", spoilt(replace({1, 1, 1, 5, 0, 4, 0x82}, {1, 1, 7, 5, 0, 4, 0x82}), {}), "0"},
      {"3.2.2", "what is encrypted is SignedData", other_content, "1"},
      {"3.1", "encrypted to somebody else", wrong_recipient, "1"},
      {"3.1", "a changed content key",
       spoilt(
           [](Bytes& envelope) {
             const Bytes mark = {5, 0, 4, 0x82, 1, 0};
             const auto found = std::ranges::search(envelope, mark);
             ASSERT_FALSE(found.empty());
             *(found.end() + 100) ^= 1;
           },
           {}),
       "1"},
      {"3.1", "a changed last block", spoilt([](Bytes& envelope) { envelope.back() ^= 1; }, {}), "1"},
      {"3.1", "an envelope that is none",
       spoilt(
           [](Bytes& envelope) {
             envelope = {5, 0};
           },
           {}),
       "1"},
      {"3.1", "an empty envelope", spoilt([](Bytes& envelope) { envelope.clear(); }, {}), "1"},
      {"3.1", "half an envelope", spoilt([](Bytes& envelope) { envelope.resize(envelope.size() / 2); }, {}),
       "1"},
      {"3.3.1", "no request", of_content({5, 0}), "2"},
      {"3.3.1", "nothing", of_content({}), "2"},
      {"3.3.1", "an octet after the request", of_content(two), "2"},
      {"3.3.1", "a request that its key has not signed", of_content(spoilt_csr), "2"},
      {"2.3", "a request of another key than the signer's", another_key, "2"},
      {"2.3", "a signer of another key than the request's", stranger, "2"},
      {"2.4", "no challengePassword", of_content(csr_for(*client_key(), "")), "2"},
      {"2.4", "a wrong challengePassword", of_content(csr_for(*client_key(), "wrong")), "2"},
      {"2.4", "one in other case", of_content(csr_for(*client_key(), "Correct horse")), "2"},
      {"2.4", "half of it", of_content(csr_for(*client_key(), "correct")), "2"},
      {"2.4", "more than it", of_content(csr_for(*client_key(), "correct horses")), "2"},
      {"3.3.1.2", "renewal by a self-signed certificate", of_type("17"), "1"},
      {"3.3.1.2", "update by a self-signed certificate", of_type("18"), "1"},
      {"3.3.3", "CertPoll of nothing", of_type("20"), "4"},
      {"3.3.4", "GetCert of a request", of_type("21"), "2"},
      {"3.3.4", "GetCert of nothing",
       [&] {
         Asked asked = of_type("21");
         asked.content = Bytes{5, 0};
         return asked;
       }(),
       "2"},
      {"3.3.4", "GetCRL of a request", of_type("22"), "2"},
      {"3.3.4", "GetCRL of nothing",
       [&] {
         Asked asked = of_type("22");
         asked.content = Bytes{5, 0};
         return asked;
       }(),
       "2"},
  };
  for (const char* type : {"0", "1", "3", "4", "16", "23", "99", "119"})
    rows.push_back({"3.2.1.2", std::string("messageType ") + type, of_type(type), "2"});
  ASSERT_GE(rows.size(), 60U);
  expect(rows);
}

TEST_F(Scep, ChallengesAreGoodOnceForOneSubjectAndUntilTheyExpire) {
  open();
  Call call = fakes::test_call();
  const auto make = [&](x509::Name subject) {
    return service_->make_challenge("", subject, std::chrono::hours{1}, call);
  };
  const auto asked = [](std::string_view password, std::string name, std::string transaction) {
    Asked one;
    one.content = csr_for(*client_key(), std::string(password), std::move(name));
    one.transaction = std::move(transaction);
    return one;
  };
  auto made = make({});
  ASSERT_TRUE(made);
  EXPECT_EQ(ask(asked(made->text.reveal(), "router-7", "a")).status, "0");
  EXPECT_EQ(ask(asked(made->text.reveal(), "router-7", "b")).fail, "2") << "used";
  made = make({{"2.5.4.3", "router-8"}});
  EXPECT_EQ(ask(asked(made->text.reveal(), "router-9", "c")).fail, "2") << "for another";
  EXPECT_EQ(ask(asked(made->text.reveal(), "router-8", "d")).status, "0");
  made = make({});
  host_.manual_clock.advance(std::chrono::hours{1} + std::chrono::milliseconds{1});
  EXPECT_EQ(ask(asked(made->text.reveal(), "router-7", "e")).fail, "2") << "expired";
  EXPECT_FALSE(service_->make_challenge("other", {}, std::chrono::hours{1}, call));
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
  ASSERT_TRUE(host_.fake_issuer.revoke(*host_.fake_issuer.identify(mine), RevocationReason::superseded,
                                       "test", call));
  expect({{"2.5", "revoked", renewal(csr, "x3"), "2"}});
  Asked again;
  again.transaction = "fresh";
  const Bytes old = ask(again).certificates.front();
  host_.manual_clock.advance(std::chrono::hours{24 * 91});
  Asked late = renewal(csr, "x4");
  late.certificate = old;
  expect({{"2.5", "expired", late, "2"}});
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
  host_.fake_issuer.published_crl = crl;
  const Answered answered = ask(asked(view.issuer, view.serial, "c2"));
  EXPECT_EQ(answered.status, "0");
  EXPECT_EQ(answered.content, cms::certs_only({}, {ByteView(crl)})) << "RFC 8894 2.7";
  expect({{"3.3.4", "of another issuer", asked(view.subject, view.serial, "c3"), "4"},
          {"3.3.4", "of a certificate that is not ours", asked(view.issuer, *Serial::from_text("1234"), "c4"),
           "4"}});
  host_.fake_issuer.published_crl.resize(5 * 1024 * 1024);
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
  host_.fake_issuer.wanted_roll_over.next = {registrar()};
  EXPECT_NE(send(Method::get, "operation=GetCACaps").body.find("GetNextCACert\n"), std::string::npos);
  const Response response = send(Method::get, "operation=GetNextCACert");
  EXPECT_EQ(response.headers.front().value, "application/x-x509-next-ca-cert") << "RFC 8894 4.7.1";
  const auto message = cms::parse_signed(as_bytes(response.body));
  ASSERT_TRUE(message);
  const Bytes today = host_.fake_issuer.path().front();
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

TEST_F(Scep, WebhooksAreAskedAboutChallengesThatNobodyKnows) {
  std::vector<std::string> bodies;
  std::string authorization;
  OutboundAnswer said{200, R"({"allow":true})", ""};
  host_.fake_outbound.answer_post = [&](const OutboundMessage& message) -> Result<OutboundAnswer> {
    bodies.push_back(message.body);
    authorization = message.authorization ? message.authorization->reveal() : "";
    EXPECT_EQ(message.url, "https://inventory.example.test/scep");
    EXPECT_EQ(message.content_type, "application/json");
    return said;
  };
  Options options;
  options.webhook = Webhook::Place{"https://inventory.example.test/scep", Secret("Bearer t0ken"), ""};
  open(std::move(options));
  const auto asked = [](const char* transaction, const char* challenge = "from the inventory") {
    Asked one;
    one.content = csr_for(*client_key(), challenge);
    one.transaction = transaction;
    return one;
  };
  EXPECT_EQ(ask(asked("known", "correct horse")).status, "0");
  EXPECT_TRUE(bodies.empty()) << "the challenge is known here";
  const Answered first = ask(asked("w"));
  EXPECT_EQ(first.status, "0");
  ASSERT_EQ(bodies.size(), 1U);
  EXPECT_EQ(authorization, "Bearer t0ken");
  const auto told = json::parse(bodies.front());
  ASSERT_TRUE(told);
  EXPECT_EQ(told->text_at("transaction"), "w");
  EXPECT_EQ(told->text_at("challenge"), "from the inventory");
  EXPECT_EQ(told->text_at("subject"), "CN=router-7");
  EXPECT_EQ(told->text_at("key"), "rsa-2048");
  EXPECT_EQ(told->text_at("csr"), base64::encode(csr_for(*client_key(), "from the inventory")));
  EXPECT_EQ(told->find("names")->array()->at(0).text()->c_str(), std::string("router-7.example.test"));

  // Whoever asks again under the same name is remembered.
  said = {200, R"({"allow":false})", ""};
  EXPECT_EQ(ask(asked("w")).status, "0");
  EXPECT_EQ(bodies.size(), 1U);

  const OutboundAnswer refusals[] = {{200, R"({"allow":false,"reason":"not ours"})", ""},
                                     {200, R"({"allow":"true"})", ""},
                                     {200, R"({"allow":1})", ""},
                                     {200, R"({"allow":null})", ""},
                                     {200, R"({"Allow":true})", ""},
                                     {200, R"({"allow":true)", ""},
                                     {200, R"([true])", ""},
                                     {200, "true", ""},
                                     {200, "", ""},
                                     {201, R"({"allow":true})", ""},
                                     {204, "", ""},
                                     {302, R"({"allow":true})", ""},
                                     {403, R"({"allow":true})", ""}};
  std::size_t number = 0;
  for (const OutboundAnswer& refusal : refusals) {
    said = refusal;
    const std::string name = "no " + std::to_string(number++);
    expect({{"2.4", refusal.body, asked(name.c_str()), "2"}});
  }
  EXPECT_NE(host_.audited.lines().front().find("refused: not ours"), std::string::npos);
  // Nobody answers: the client comes again.
  said = {502, R"({"allow":true})", ""};
  EXPECT_EQ(ask(asked("later")).http, 503);
  host_.fake_outbound.answer_post = {};
  EXPECT_EQ(ask(asked("later")).http, 503);
}

}  // namespace
}  // namespace hanaper::scep::test
