// SCEP: what it refuses, one row a case, each with the section that says so.
#include "scep_support.hpp"

namespace hanaper::scep::test {
namespace {

TEST_F(Scep, RefusalsOfThePipelineAreBadRequest) {
  struct Row {
    Error error;
    const char* fail;
  };
  for (const Row& row : {Row{rejected("r"), "2"}, Row{forbidden("f"), "2"}, Row{bad_csr("c"), "2"},
                         Row{conflict("o"), "2"}, Row{bad_key("k"), "0"}, Row{unsupported("u"), "0"}}) {
    host_.fake_pipeline.fail_with = row.error;
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

// Everybody can sign somebody else's envelope again, changed as he likes: were a right padding answered in
// another way than a wrong one, he would read it, an octet every 256 messages.
TEST_F(Scep, WhetherThePaddingIsRightDoesNotShow) {
  Bytes content = csr_for(*client_key());
  for (std::string more = "x"; content.size() % 16 == 15; more += 'x')
    content = csr_for(*client_key(), "correct horse" + more);
  const auto count = static_cast<std::uint8_t>(16 - content.size() % 16);
  const auto ask_with_padding_of = [&](const char* type, std::uint8_t last) {
    Asked asked;
    asked.type = type;
    asked.content = content;
    asked.signer = other_key();
    asked.spoil_envelope = [&](Bytes& envelope) { envelope[envelope.size() - 17] ^= count ^ last; };
    return ask(asked);
  };
  for (const char* type : {"19", "17", "18", "20", "21", "22", "99"}) {
    SCOPED_TRACE(std::string("messageType ") + type);
    const Answered right = ask_with_padding_of(type, 1);
    const Answered wrong = ask_with_padding_of(type, 0);
    EXPECT_EQ(right.status, "2");
    EXPECT_EQ(right.fail, wrong.fail);
    EXPECT_EQ(right.text, wrong.text);
  }
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
      {"3.3.1", "no request", of_content({5, 0}), "1"},
      {"3.3.1", "nothing", of_content({}), "1"},
      {"3.3.1", "an octet after the request", of_content(two), "1"},
      {"3.3.1", "a request that its key has not signed", of_content(spoilt_csr), "1"},
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
      {"3.3.4", "GetCert of a request", of_type("21"), "4"},
      {"3.3.4", "GetCert of nothing",
       [&] {
         Asked asked = of_type("21");
         asked.content = Bytes{5, 0};
         return asked;
       }(),
       "4"},
      {"3.3.4", "GetCRL of a request", of_type("22"), "4"},
      {"3.3.4", "GetCRL of nothing",
       [&] {
         Asked asked = of_type("22");
         asked.content = Bytes{5, 0};
         return asked;
       }(),
       "4"},
  };
  for (const char* type : {"0", "1", "3", "4", "16", "23", "99", "119"})
    rows.push_back({"3.2.1.2", std::string("messageType ") + type, of_type(type), "2"});
  ASSERT_GE(rows.size(), 60U);
  expect(rows);
}

}  // namespace
}  // namespace hanaper::scep::test
