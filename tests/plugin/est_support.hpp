// An EST service over a fake host, and requests as clients make them.
#pragma once

#include <service.hpp>

#include <hanaper/testing/fake_host.hpp>
#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/certificate_template.hpp>
#include <hanaper/toolkit/cms.hpp>
#include <hanaper/toolkit/csr_builder.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/name.hpp>
#include <hanaper/toolkit/name_pattern.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/signature_algorithm.hpp>

#include <gtest/gtest.h>

namespace hanaper::est::test {

inline const std::shared_ptr<crypto::SoftKey>& client_key() {
  static const auto key = *crypto::SoftKey::generate({KeyType::ec_p256, 0});
  return key;
}

inline x509::Name subject(std::string common_name = "router-7") {
  return {{std::string(x509::common_name_oid), std::move(common_name)}};
}
inline std::vector<Identifier> names(std::string name = "router-7.example.test") {
  return {{Identifier::Kind::dns, std::move(name)}};
}

inline Bytes csr_for(x509::Name subject, std::vector<Identifier> names, std::string password = {}) {
  x509::CsrContent content;
  content.subject = std::move(subject);
  content.names = std::move(names);
  content.challenge_password = std::move(password);
  return *x509::build_csr(*client_key(), content);
}

// A request with one attribute more than the toolkit writes; signed, like every other.
inline Bytes csr_with(const std::vector<cms::Attribute>& attributes) {
  const Bytes plain = csr_for(subject(), names());
  const auto csr = *x509::parse_csr(plain);
  der::Writer info(1024);
  info.sequence([&] {
    info.constructed(der::context(0), [&] {
      for (const cms::Attribute& attribute : attributes)
        info.sequence([&] {
          info.primitive(der::set, attribute.values);
          info.oid(attribute.type);
        });
      info.raw(csr.attributes);
    });
    info.raw(csr.spki);
    info.raw(csr.subject);
    info.integer(0);
  });
  const SignatureScheme scheme = *x509::parse_signature_algorithm(csr.algorithm);
  const Bytes signature = *client_key()->sign(scheme, info.view());
  der::Writer writer(1024);
  writer.sequence([&] {
    writer.bits(signature);
    writer.raw(x509::algorithm_identifier(scheme));
    writer.raw(info.view());
  });
  return writer.bytes();
}

inline cms::Attribute octets_attribute(ByteView type, ByteView octets) {
  der::Writer value(128);
  value.octets(octets);
  return {to_bytes(type), value.bytes()};
}

struct Sent {
  Method method = Method::post;
  std::string tail = "/simpleenroll";
  std::string body;
  std::string content_type = "application/pkcs10";
  std::string authorization = "Basic good";
  std::vector<Bytes> chain = {};
  std::string binding = "channel binding";
  bool tls = true;
};

inline Sent post(std::string tail, ByteView csr) {
  Sent sent;
  sent.tail = std::move(tail);
  sent.body = base64::encode(csr);
  return sent;
}

class EstFixture : public ::testing::Test {
 protected:
  EstFixture() {
    host_.fake_pipeline.identify_sender = [](const Request& request) -> Result<Identity> {
      const std::string_view who = request.header("authorization");
      if (who == "Basic good") return Identity{"password:router-7", {}};
      if (who == "Basic office") return Identity{"password:office", {"ra"}};
      return Error{Code::unauthenticated, "no password of a known account"};
    };
  }

  void open(Options options = {}) { service_ = std::make_unique<Service>(std::move(options), host_, "web"); }

  Response send(const Sent& sent) {
    if (!service_) open();
    TlsPeer peer;
    for (const Bytes& certificate : sent.chain) peer.chain.push_back(certificate);
    peer.channel_binding = as_bytes(sent.binding);
    const HeaderView headers[] = {{"content-type", sent.content_type}, {"authorization", sent.authorization}};
    Request request;
    request.method = sent.method;
    request.tail = sent.tail;
    request.headers = headers;
    request.body = as_bytes(sent.body);
    if (sent.tls) request.tls = &peer;
    Call call = fakes::test_call();
    return service_->handle(request, call);
  }

  static std::string header(const Response& response, std::string_view name) {
    for (const Header& one : response.headers)
      if (Request::same_name(one.name, name)) return one.value;
    return {};
  }
  // The certificates of a certs-only answer.
  static std::vector<Bytes> certificates(std::string body) {
    std::erase(body, '\n');
    const Bytes der = *base64::decode(body);
    const auto view = *cms::parse_signed(der);
    std::vector<Bytes> found;
    for (ByteView certificate : view.certificates) found.push_back(to_bytes(certificate));
    return found;
  }
  std::size_t issued() {
    CertificateQuery everything;
    everything.limit = 1000;
    return host_.memory_storage.search(everything)->size();
  }
  Bytes enrol(ByteView csr) {
    const Response response = send(post("/simpleenroll", csr));
    EXPECT_EQ(response.status, 200) << response.body;
    return response.status == 200 ? certificates(response.body).front() : Bytes{};
  }

  fakes::FakeHost host_{"https://pki.example.test/.well-known/est"};
  std::unique_ptr<Service> service_;
};

}  // namespace hanaper::est::test
