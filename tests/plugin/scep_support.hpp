// A device that speaks SCEP to the plugin, without network or disk: its messages, and ways to spoil them.
#pragma once

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

using namespace der::literals;

constexpr der::Oid message_type = "2.16.840.1.113733.1.9.2"_oid;
constexpr der::Oid pki_status = "2.16.840.1.113733.1.9.3"_oid;
constexpr der::Oid fail_info = "2.16.840.1.113733.1.9.4"_oid;
constexpr der::Oid fail_info_text = "1.3.6.1.5.5.7.24.1"_oid;
constexpr der::Oid sender_nonce = "2.16.840.1.113733.1.9.5"_oid;
constexpr der::Oid recipient_nonce = "2.16.840.1.113733.1.9.6"_oid;
constexpr der::Oid transaction_id = "2.16.840.1.113733.1.9.7"_oid;

using SoftKey = std::shared_ptr<crypto::SoftKey>;
inline const SoftKey& client_key() {
  static const SoftKey key = *crypto::SoftKey::generate({KeyType::rsa, 2048});
  return key;
}
inline const SoftKey& other_key() {
  static const SoftKey key = *crypto::SoftKey::generate({KeyType::rsa, 2048});
  return key;
}

inline Bytes self_signed(Key& key, const char* serial = "07") {
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

inline Bytes csr_for(Key& key, std::string password = "correct horse", std::string name = "router-7") {
  x509::CsrContent content;
  content.subject = {{"2.5.4.3", name}};
  content.names = {{Identifier::Kind::dns, name + ".example.test"}};
  content.challenge_password = std::move(password);
  return *x509::build_csr(key, content);
}

// The password in that kind of text (RFC 2985 5.4.1).
inline Bytes csr_with_password(Key& key, std::string_view password, std::uint8_t tag) {
  Bytes value;
  for (const char c : password) {
    if (tag == der::bmp_string) value.push_back(0);
    value.push_back(static_cast<std::uint8_t>(c));
  }
  der::Writer info;
  info.sequence([&] {
    info.constructed(der::context(0), [&] {
      info.sequence([&] {
        info.constructed(der::set, [&] { info.primitive(tag, value); });
        info.oid(oid::challenge_password);
      });
    });
    info.raw(key.spki());
    info.raw(x509::encode_name({{"2.5.4.3", "router-7"}}));
    info.integer(0);
  });
  der::Writer writer;
  writer.sequence([&] {
    writer.bits(*key.sign(SignatureScheme::rsa_pkcs1_sha256, info.view()));
    writer.raw(x509::algorithm_identifier(SignatureScheme::rsa_pkcs1_sha256));
    writer.raw(info.view());
  });
  return writer.bytes();
}

inline cms::Attribute text(der::Oid oid, std::string_view value, std::uint8_t tag = der::printable_string) {
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
  bool without_certificate = false, without_content = false, recipient_by_key_identifier = false;
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
    service_ = std::make_unique<Service>(std::move(options), host_, "web");
  }
  Bytes registrar() {
    Call call = fakes::test_call();
    return to_bytes((*host_.fake_pipeline.registrar(call))->certificate());
  }

  Bytes message(const Asked& asked) {
    const Bytes content = asked.content ? *asked.content : csr_for(*client_key());
    const Bytes to = asked.recipient.empty() ? registrar() : asked.recipient;
    cms::Recipient recipient;
    recipient.certificate = to;
    recipient.by_key_identifier = asked.recipient_by_key_identifier;
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
    answered.text = value(fail_info_text);
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
inline std::function<void(Bytes&)> replace(Bytes from, Bytes to) {
  return [from, to](Bytes& octets) {
    const auto found = std::ranges::search(octets, from);
    ASSERT_FALSE(found.empty());
    std::ranges::copy(to, found.begin());
  };
}

}  // namespace hanaper::scep::test
