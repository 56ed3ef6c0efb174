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
    request.address = "192.0.2.1";
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
  static json::Value csr_for(const std::vector<std::string>& names) {
    const auto key = *crypto::SoftKey::generate({});
    x509::CsrContent content;
    for (const std::string& name : names) content.names.push_back({Identifier::Kind::dns, name});
    return json::Object{{"csr", base64::encode_url(*x509::build_csr(*key, content))}};
  }

  const std::string base = "https://pki.example.test/plugin";
  std::string thumbprint;
  std::string kid;

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

}  // namespace hanaper::acme
