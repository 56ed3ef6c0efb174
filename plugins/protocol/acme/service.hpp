// The ACME service of one instance: its settings, its documents, and the handlers of its resources.
#pragma once

#include "documents.hpp"
#include "nonces.hpp"

#include <hanaper/toolkit/jose.hpp>

namespace hanaper::acme {

struct Options {
  std::vector<std::string> challenges;
  std::uint16_t http_01_port = 80;
  std::string terms;  // URL; empty: none to agree to
  std::string website;
  std::chrono::milliseconds order_lifetime{};
  std::chrono::milliseconds authorization_lifetime{};
};

// A POST that has passed RFC 8555 6.2 to 6.5: who signed it and what it says.
struct SignedRequest {
  std::optional<Account> account;  // by kid
  std::optional<jose::Jwk> jwk;    // or a key of its own
  Bytes payload;
  bool post_as_get = false;  // RFC 8555 6.3: the payload is ""
};

// What a resource may be asked with.
enum class Signer { account, key, either };

// Thread-safe once constructed.
class Service {
 public:
  Service(Options options, Host& host, Issuer& issuer);

  // Goes on with what a stop or crash interrupted. [main]
  Status resume();

  Response handle(const Request& request, Call& call);
  bool answer_fast(const Request& request, FastReply& reply);

 private:
  // request.cpp: from HTTP to a verified payload
  Outcome<Response> dispatch(const Request& request, Call& call);
  Outcome<SignedRequest> open(const Request& request, Signer signer, Call& call);
  Outcome<json::Value> payload_object(const SignedRequest& request) const;
  Response finish(Response response, const Request& request);

  // accounts.cpp
  Outcome<Response> new_account(const Request& request, Call& call);
  Outcome<Response> account(const Request& request, std::string_view id, Call& call);
  Outcome<Response> account_orders(const Request& request, std::string_view id, Call& call);
  Outcome<Account> load_account(std::string_view id, Call& call);
  Outcome<std::optional<Account>> account_of_key(const std::string& thumbprint, Call& call);
  Outcome<std::vector<std::string>> read_contact(const json::Value& payload) const;
  Response present_account(const Account& account, int status) const;

  // orders.cpp
  Outcome<Response> new_order(const Request& request, Call& call);
  Outcome<Response> order(const Request& request, std::string_view id, Call& call);
  Outcome<Response> finalize(const Request& request, std::string_view id, Call& call);
  Outcome<Response> certificate(const Request& request, std::string_view id, Call& call);
  Outcome<Response> authorization(const Request& request, std::string_view name, Call& call);
  Outcome<std::vector<Identifier>> read_identifiers(const json::Value& payload, const Account& account,
                                                    Call& call);
  Outcome<Authorization> make_authorization(const Identifier& identifier) const;
  Outcome<Order> load_order(std::string_view id, const Account& account, Call& call);
  Outcome<Issued> issue(Order& order, ByteView csr, Call& call);
  Status change_order(const std::string& id, const std::function<bool(Order&)>& change, Call& call);
  Response present_order(const Order& order, int status) const;
  json::Value authorization_object(const Order& order, std::size_t index) const;
  json::Value challenge_object(const Order& order, std::size_t index, const Challenge& challenge) const;

  // challenges.cpp
  Outcome<Response> challenge(const Request& request, std::string_view name, Call& call);
  Status schedule_validation(const std::string& order, std::size_t index, const std::string& type);
  Status validate(const std::string& order, std::size_t index, const std::string& type, Call& call);
  Status check_http_01(const Identifier& identifier, const std::string& token, const std::string& thumbprint,
                       Call& call);

  // revocation.cpp
  Outcome<Response> revoke(const Request& request, Call& call);

  std::string url(std::string_view path) const { return host_.public_url() + std::string(path); }
  json::Value directory() const;

  const Options options_;
  Host& host_;
  Issuer& issuer_;
  Collection& accounts_;
  Collection& keys_;  // thumbprint -> account id
  Collection& orders_;
  Nonces nonces_;
  const std::string directory_body_;
  const std::string directory_head_;
  Counter& bad_nonces_;
  Counter& orders_made_;
  Counter& validations_;
  Counter& validations_failed_;
};

}  // namespace hanaper::acme
