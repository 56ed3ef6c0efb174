// A client of the ACME plugin without network or disk: signs requests, and knows the account's key.
#pragma once

#include "service.hpp"

#include <hanaper/testing/arguments.hpp>
#include <hanaper/testing/fake_host.hpp>
#include <hanaper/testing/jws.hpp>
#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/csr_builder.hpp>

#include <gtest/gtest.h>

namespace hanaper::acme {

class TestClient {
 public:
  explicit TestClient(Service& service) : service_(service), key_(*crypto::SoftKey::generate({})) {
    jwk_ = *jose::jwk_of(key_->spki());
    thumbprint = jose::parse_jwk(jwk_)->thumbprint;
  }

  struct Answer {
    Response response;
    json::Value body;

    std::string header(std::string_view name) const {
      for (const Header& field : response.headers)
        if (field.name == name) return field.value;
      return {};
    }
    std::string_view status() const { return body.text_at("status"); }
    std::string_view type() const {
      constexpr std::string_view urn = "urn:ietf:params:acme:error:";
      const std::string_view type = body.text_at("type");
      return type.starts_with(urn) ? type.substr(urn.size()) : type;
    }
  };

  Answer ask(Method method, const std::string& target, const std::string& content) {
    Request request;
    const std::size_t query = target.find('?');
    request.method = method;
    request.target = target;
    request.path = std::string_view(target).substr(0, query);
    request.tail = request.path;
    request.query =
        query == std::string::npos ? std::string_view{} : std::string_view(target).substr(query + 1);
    const HeaderView headers[] = {{"content-type", "application/jose+json"}};
    request.headers = headers;
    request.body = as_bytes(content);
    request.address = address;
    Call call = fakes::test_call();
    Answer answer{service_.handle(request, call), {}};
    if (auto parsed = json::parse(answer.response.body)) answer.body = *std::move(parsed);
    if (const std::string fresh = answer.header("Replay-Nonce"); !fresh.empty()) nonce_ = fresh;
    return answer;
  }

  // POST to a resource below the service; without payload as POST-as-GET.
  Answer post(const std::string& tail, const std::optional<json::Value>& payload = {}) {
    Answer answer = ask(Method::post, tail, sign(tail, payload));
    // As clients do: a nonce may be of a process that is gone.
    return answer.type() == "badNonce" ? ask(Method::post, tail, sign(tail, payload)) : answer;
  }
  // The body of such a request.
  std::string sign(const std::string& tail, const std::optional<json::Value>& payload) {
    if (nonce_.empty()) ask(Method::post, "/new-nonce", "");  // refused, with a fresh nonce
    json::Object header{{"alg", "ES256"}, {"nonce", nonce_}, {"url", base + tail}};
    if (kid.empty())
      header.emplace_back("jwk", jwk_);
    else
      header.emplace_back("kid", kid);
    return fakes::make_jws(*key_, std::move(header), payload);
  }
  Answer post_url(std::string_view url, const std::optional<json::Value>& payload = {}) {
    return post(std::string(url.substr(base.size())), payload);
  }

  void enrol() {
    const Answer made = post("/new-account", json::Value(json::Object{{"termsOfServiceAgreed", true}}));
    ASSERT_EQ(made.response.status, 201) << made.response.body;
    kid = made.header("Location");
  }
  Answer order(const std::vector<std::string>& names) {
    json::Array identifiers;
    for (const std::string& name : names)
      identifiers.emplace_back(json::Object{{"type", "dns"}, {"value", name}});
    return post("/new-order", json::Value(json::Object{{"identifiers", std::move(identifiers)}}));
  }
  // RFC 8555 7.3.5
  Answer change_key() {
    const auto fresh = *crypto::SoftKey::generate({});
    const json::Value jwk = *jose::jwk_of(fresh->spki());
    const std::string inner =
        fakes::make_jws(*fresh, {{"alg", "ES256"}, {"jwk", jwk}, {"url", base + "/key-change"}},
                        json::Value(json::Object{{"account", kid}, {"oldKey", jwk_}}));
    Answer changed = post("/key-change", *json::parse(inner));
    if (changed.response.status != 200) return changed;
    key_ = fresh;
    jwk_ = jwk;
    thumbprint = jose::parse_jwk(jwk_)->thumbprint;
    return changed;
  }
  static json::Value csr_for(const std::vector<std::string>& names) {
    const auto key = *crypto::SoftKey::generate({});
    x509::CsrContent content;
    for (const std::string& name : names) content.names.push_back({Identifier::Kind::dns, name});
    return json::Object{{"csr", base64::encode_url(*x509::build_csr(*key, content))}};
  }

  const std::string base = "https://pki.example.test/plugin";
  std::string thumbprint;
  std::string kid;
  std::string address = "192.0.2.1";

 private:
  Service& service_;
  std::shared_ptr<crypto::SoftKey> key_;
  json::Value jwk_;
  std::string nonce_;
};

inline Options test_options() {
  Options options;
  options.challenges = {"http-01"};
  options.verdict_wait = {};
  options.order_lifetime = std::chrono::hours{1};
  options.authorization_lifetime = std::chrono::hours{2};
  return options;
}

// A service, and a client whose names are always proven.
class AcmeIssuance : public testing::Test {
 protected:
  void open(Options options = test_options()) {
    service_.emplace(std::move(options), host_, "web");
    ASSERT_TRUE(service_->start());
    client_.emplace(*service_);
    host_.fake_outbound.answer = [this](const OutboundRequest& request) -> Result<OutboundAnswer> {
      const std::string token = request.target.substr(request.target.rfind('/') + 1);
      return OutboundAnswer{200, token + "." + client_->thumbprint, "192.0.2.7"};
    };
  }
  void run(const char* recurring) {
    Call call = fakes::test_call();
    const Status done = host_.fake_scheduler.recurring.at(recurring)(call);
    ASSERT_TRUE(done) << done.error().detail;
    ASSERT_TRUE(host_.fake_scheduler.run_waiting());
  }
  void prove(const std::string& authorization) {
    const auto shown = client_->post_url(authorization);
    client_->post_url(shown.body.find("challenges")->array()->front().text_at("url"),
                      json::Value(json::Object{}));
    ASSERT_TRUE(host_.fake_scheduler.run_waiting());
  }
  // The order, with every name proven.
  TestClient::Answer ready(const TestClient::Answer& order) {
    EXPECT_EQ(order.response.status, 201) << order.response.body;
    if (order.response.status != 201) return order;
    for (const json::Value& each : *order.body.find("authorizations")->array()) prove(*each.text());
    auto now = client_->post_url(order.header("Location"));
    EXPECT_EQ(now.status(), "ready") << now.response.body;
    return now;
  }
  TestClient::Answer ready(const std::vector<std::string>& names) { return ready(client_->order(names)); }
  std::string authorization_of(const TestClient::Answer& order) {
    return *order.body.find("authorizations")->array()->front().text();
  }
  TestClient::Answer finalize(const TestClient::Answer& order, const std::vector<std::string>& names) {
    return client_->post_url(order.body.text_at("finalize"), TestClient::csr_for(names));
  }
  TestClient::Answer look(const TestClient::Answer& order) {
    return client_->post_url(order.header("Location"));
  }
  void put(std::string_view collection, RecordWrite write) {
    Call call = fakes::test_call();
    ASSERT_TRUE(host_.commit({host_.collection(collection).bind(std::move(write))}, call));
  }

  using Given =
      std::vector<std::pair<std::string, std::variant<std::string, std::vector<std::string>, std::int64_t>>>;
  Result<json::Value> operate(std::string_view words, const Given& given = {}) {
    Call call = fakes::test_call();
    Arguments arguments = fakes::arguments_for(operations(), words);
    for (const auto& [name, value] : given)
      std::visit([&](const auto& of) { arguments.set(name, of); }, value);
    return service_->operate(words, arguments, call);
  }
  // The order as it is stored.
  Order stored(const TestClient::Answer& order) {
    const std::string url = order.header("Location");
    return *read_order(*host_.collection("order").get(url.substr(url.rfind('/') + 1)));
  }

  // RFC 9773 4.1
  std::string renewal_name(const TestClient::Answer& order) {
    return "AAAA." + base64::encode_url(stored(order).certificate->serial.octets());
  }

  fakes::FakeHost host_;
  std::optional<Service> service_;
  std::optional<TestClient> client_;
};

}  // namespace hanaper::acme
