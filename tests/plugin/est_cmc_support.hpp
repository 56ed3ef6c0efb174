// Full CMC (RFC 7030 4.3): PKI Requests made by hand, and their answers taken apart.
#pragma once

#include "est_support.hpp"

namespace hanaper::est::test {

inline constexpr const char* cmc_request = "application/pkcs7-mime; smime-type=CMC-request";
inline constexpr const char* transaction_control = "1.3.6.1.5.5.7.7.5";
inline constexpr const char* nonce_control = "1.3.6.1.5.5.7.7.6";
inline constexpr const char* return_control = "1.3.6.1.5.5.7.7.4";
inline constexpr const char* identification_control = "1.3.6.1.5.5.7.7.2";
inline constexpr const char* proof_control = "1.3.6.1.5.5.7.7.34";
inline constexpr const char* query_control = "1.3.6.1.5.5.7.7.21";
inline constexpr const char* pki_data = "1.3.6.1.5.5.7.12.2";
inline constexpr const char* secret = "a secret of sixteen octets";

inline const std::shared_ptr<crypto::SoftKey>& rsa_key() {
  static const auto key = *crypto::SoftKey::generate({KeyType::rsa, 2048});
  return key;
}

inline Bytes tlv(std::uint8_t tag, const std::vector<Bytes>& parts) {
  Bytes content;
  for (const Bytes& part : parts) content.insert(content.end(), part.begin(), part.end());
  der::Writer writer(content.size() + 8);
  writer.primitive(tag, content);
  return writer.bytes();
}
inline Bytes text_value(std::uint8_t tag, std::string_view value) {
  return tlv(tag, {to_bytes(as_bytes(value))});
}
inline Bytes oid_value(const std::string& text) {
  return tlv(der::object_identifier, {*der::oid_from_text(text)});
}
inline Bytes number(std::uint64_t value) {
  der::Writer writer(16);
  writer.integer(value);
  return writer.bytes();
}
inline Bytes control(std::uint64_t id, const std::string& type, const Bytes& value) {
  return tlv(der::sequence, {number(id), oid_value(type), tlv(der::set, {value})});
}
inline Bytes tcr(std::uint64_t id, const Bytes& csr) { return tlv(der::context(0), {number(id), csr}); }

struct Data {
  std::vector<Bytes> controls, requests;

  Bytes request_sequence() const { return tlv(der::sequence, requests); }
  Bytes encode() const {
    return tlv(der::sequence, {tlv(der::sequence, controls), request_sequence(), tlv(der::sequence, {}),
                               tlv(der::sequence, {})});
  }
  // RFC 5272 6.2.1, by other means than the service's.
  Data& prove(std::uint64_t id, std::string_view with, std::string_view name, const char* hash,
              const char* mac = "1.2.840.113549.2.9") {
    const Fingerprint key = crypto::sha256({as_bytes(with), as_bytes(name)});
    const Fingerprint witness = crypto::hmac_sha256(key, request_sequence());
    const auto algorithm = [](const char* type) { return tlv(der::sequence, {oid_value(type)}); };
    controls.push_back(control(
        id, proof_control,
        tlv(der::sequence, {algorithm(hash), algorithm(mac), tlv(der::octet_string, {to_bytes(witness)})})));
    return *this;
  }
};
inline constexpr const char* sha256_oid = "2.16.840.1.101.3.4.2.1";

struct StatusInfo {
  int status = -1;
  std::vector<std::uint64_t> of;
  std::string text;
  int fail = -1;
  Bytes token;
  Bytes whole;
};

struct Answered {
  int http = 0;
  std::string type, body;
  std::map<std::string, Bytes> controls;  // the value's content, of those that are no status
  std::vector<StatusInfo> statuses;
  std::vector<Bytes> certificates;

  const StatusInfo& only() const {
    EXPECT_EQ(statuses.size(), 1U);
    return statuses.front();
  }
};

inline StatusInfo parse_status(ByteView value) {
  StatusInfo info;
  info.whole = to_bytes(value);
  auto reader = *der::open(value, der::sequence);
  info.status = static_cast<int>(*reader.read_unsigned());
  auto list = *reader.enter(der::sequence);
  while (!list.at_end()) info.of.push_back(*list.read_unsigned());
  if (const auto text = *reader.maybe(der::utf8_string)) info.text = as_text(text->content);
  if (reader.peek() == der::integer) info.fail = static_cast<int>(*reader.read_unsigned());
  if (reader.peek() == der::sequence) {
    auto pending = *reader.enter(der::sequence);
    info.token = to_bytes(*pending.read_octets());
    EXPECT_EQ(pending.next()->tag, der::generalized_time);
  }
  EXPECT_TRUE(reader.finish());
  return info;
}

class FullCmcFixture : public EstFixture {
 protected:
  FullCmcFixture() { open_cmc(); }

  void open_cmc(bool secrets = false, ChannelBinding binding = ChannelBinding::if_present) {
    Options options;
    options.channel_binding = binding;
    options.full_cmc.emplace();
    if (secrets) options.full_cmc->emplace("router-7", Secret(secret));
    open(std::move(options));
  }
  // A certificate of ours for the RSA key.
  const Bytes& certificate(std::string profile = {}) {
    if (!certificate_.empty()) return certificate_;
    x509::CsrContent content;
    content.subject = subject("router-7");
    content.names = names("router-7.example.test");
    const Bytes csr = *x509::build_csr(*rsa_key(), content);
    Call call = fakes::test_call();
    IssueRequest order;
    order.profile = std::move(profile);
    order.csr = csr;
    return certificate_ = host_.fake_pipeline.issue(order, call)->certificate;
  }

  Bytes sign(const Bytes& data, const char* type = pki_data) {
    const Bytes content_type = *der::oid_from_text(type);
    cms::SignedContent content;
    content.content_type = content_type;
    content.content = ByteView(data);
    content.signer = certificate();
    content.certificates = {certificate()};
    return *cms::sign(content, [](SignatureScheme scheme, ByteView attributes) {
      return rsa_key()->sign(scheme, attributes);
    });
  }

  Answered ask(const Bytes& message, std::string authorization = "Basic good",
               std::vector<Bytes> chain = {}) {
    Sent sent = post("/fullcmc", message);
    sent.chain = std::move(chain);
    sent.content_type = cmc_request;
    sent.authorization = std::move(authorization);
    const Response response = send(sent);
    Answered answered{response.status, header(response, "content-type"), response.body, {}, {}, {}};
    if (!answered.type.starts_with("application/pkcs7-mime")) return answered;
    EXPECT_EQ(answered.type, "application/pkcs7-mime; smime-type=CMC-response");
    std::string body = response.body;
    std::erase(body, '\n');
    read(*base64::decode(body), answered);
    return answered;
  }
  Answered ask(const Data& data) { return ask(sign(data.encode())); }

  void read(const Bytes& der, Answered& answered) {
    Call call = fakes::test_call();
    const auto registrar = *host_.fake_pipeline.registrar(call);
    const auto view = *cms::parse_signed(der);
    EXPECT_EQ(der::oid_to_text(view.content_type), "1.3.6.1.5.5.7.12.3") << "RFC 5272 4.2.1";
    EXPECT_TRUE(cms::verify(view, view.signers.front(), registrar->spki()));
    for (ByteView one : view.certificates)
      if (!equal(one, registrar->certificate())) answered.certificates.push_back(to_bytes(one));
    auto response = *der::open(*view.content, der::sequence);
    auto controls = *response.enter(der::sequence);
    for (std::uint64_t id = 1; !controls.at_end(); ++id) {
      auto one = *controls.enter(der::sequence);
      EXPECT_EQ(*one.read_unsigned(), id);
      const std::string type = der::oid_to_text(*one.read_oid());
      auto values = *one.enter(der::set);
      const auto value = *values.next();
      if (type == "1.3.6.1.5.5.7.7.25")
        answered.statuses.push_back(parse_status(value.whole));
      else
        answered.controls[type] = to_bytes(value.content);
    }
  }

  Bytes certificate_;
};

inline Bytes csr_of(std::string name) { return csr_for(subject(name), names(name + ".example.test")); }

}  // namespace hanaper::est::test
