// The ACME service of one instance: its settings, its documents, and the handlers of its resources.
#pragma once

#include "attestation.hpp"
#include "limits.hpp"
#include "nonces.hpp"
#include "store.hpp"
#include "validation_queue.hpp"
#include "verdicts.hpp"

#include <hanaper/operable.hpp>
#include <hanaper/toolkit/jose.hpp>

#include <atomic>
#include <memory>

namespace hanaper::acme {

struct Options {
  std::vector<std::string> challenges;
  std::uint16_t http_01_port = 80;
  std::uint16_t tls_alpn_01_port = 443;
  std::string terms;  // URL; empty: none to agree to
  std::string website;
  std::vector<std::string> caa_identities;
  bool external_account_required = false;
  std::optional<bool> shared_nonces;  // nothing: once there are several nodes
  std::chrono::milliseconds order_lifetime{};
  std::chrono::milliseconds authorization_lifetime{};
  std::size_t pending_authorizations = 300;                           // of one account at a time
  std::chrono::milliseconds unused_accounts = std::chrono::days{30};  // how long they are kept
  std::chrono::milliseconds star_min_lifetime{};                      // RFC 8739; zero: not offered
  std::vector<std::vector<Bytes>> alternates;  // chains for the same issuing key, DER, issuer first
  Limits limits;
  std::chrono::milliseconds verdict_wait{200};  // for which a client is kept waiting for its validation
  x509::TrustAnchors device_roots;              // whom devices' attestations must come from

  bool offers(std::string_view challenge) const {
    return std::ranges::find(challenges, challenge) != challenges.end();
  }
};

// A POST that has passed RFC 8555 6.2 to 6.5: who signed it and what it says.
struct SignedRequest {
  std::optional<Account> account;  // by kid
  std::optional<jose::Jwk> jwk;    // or a key of its own
  std::string url;
  Bytes payload;
  bool post_as_get = false;  // RFC 8555 6.3: the payload is ""
};

// The payload as a JSON object.
Outcome<json::Value> payload_object(const SignedRequest& request);
// Between two attempts at a validation. An attempt itself is given more, so that one can be told from the
// other.
inline constexpr auto longest_pause = std::chrono::seconds{16};

// What a resource may be asked with.
enum class Signer { account, key, either };

// A name that an order asks for, and how it is to be proven.
struct Wanted {
  Identifier identifier;
  std::string ancestor;  // RFC 9444: the domain to prove instead; empty: the name itself
};

// The directory as it is sent, and the profiles it tells of.
struct DirectoryPage {
  std::vector<std::string> profiles;
  std::string head, body;
};

// `hanaper acme ...` (operate.cpp)
std::span<const Operation> operations();

// Thread-safe once started.
class Service {
 public:
  Service(Options options, Host& host, std::string_view pipeline);

  // Reads what all nodes share, and goes on with what a stop or crash interrupted. [main]
  Status start();

  Response handle(const Request& request, Call& call);
  bool answer_fast(const Request& request, FastReply& reply);
  // One of operations(): an object or rows. (operate.cpp)
  Result<json::Value> operate(std::string_view words, const Arguments& arguments, Call& call);

 private:
  // request.cpp: from HTTP to a verified payload
  Outcome<Response> dispatch(const Request& request, Call& call);
  Outcome<SignedRequest> open(const Request& request, Signer signer, Call& call);
  Outcome<SignedRequest> open_post_as_get(const Request& request, Call& call);
  std::optional<Problem> check_form(const jose::Jws& jws, Signer signer) const;
  std::optional<Problem> spend_nonce(const std::string& nonce, Call& call);
  std::string requested_url(const Request& request) const;
  json::Value directory(const std::vector<std::string>& profiles) const;
  void write_directory();
  std::string url(std::string_view path) const { return host_.public_url() + std::string(path); }

  // accounts.cpp
  Outcome<Response> new_account(const Request& request, Call& call);
  Outcome<Response> account(const Request& request, std::string_view id, Call& call);
  Outcome<Response> account_orders(const Request& request, std::string_view id, Call& call);
  Outcome<Response> key_change(const Request& request, Call& call);
  Outcome<Account> load_account(std::string_view id, Call& call);
  Outcome<std::optional<Account>> account_of_key(const std::string& thumbprint, Call& call);
  Outcome<std::vector<std::string>> read_contact(const json::Value& payload) const;
  void agree_to_terms(const json::Value& payload, Account& account) const;
  std::optional<Problem> check_terms(const Account& account) const;
  // Has the account outlast what was made for it.
  std::optional<Problem> outlast(const Account& account, Time made_expires, Call& call);
  Outcome<Response> present_account(const Account& account, int status) const;

  // external.cpp
  Outcome<std::optional<ExternalKey>> bind_account(const SignedRequest& request, const json::Value& payload,
                                                   Account& account, Call& call);
  // Whether the account's binding allows these names, and the profile where one is wanted ("" is the first).
  // Its key, where it has one.
  Outcome<std::optional<ExternalKey>> check_binding(const Account& account,
                                                    const std::vector<Identifier>& identifiers,
                                                    const std::optional<std::string>& wanted, Call& call);
  // The same for a new order, which it counts. The key to be written with it, where it has a quota.
  Outcome<std::optional<ExternalKey>> charge_binding(const Account& account, const Order& order, Call& call);
  // The same for a certificate of an order that was counted: a key can be revoked meanwhile.
  Status still_bound(const Account& account, const Order& order, Call& call);

  // identifiers.cpp
  bool provable(Identifier::Kind kind) const;
  Outcome<Wanted> read_identifier(const json::Value& item) const;
  Outcome<std::vector<Wanted>> read_identifiers(const json::Value& payload) const;
  // Asks policy about each name, so that the client learns about all that are refused.
  std::optional<Problem> check_permitted(const std::vector<Identifier>& identifiers,
                                         const std::string& profile, const Account& account, Call& call);

  // authorizations.cpp
  Outcome<Response> new_authorization(const Request& request, Call& call);
  Outcome<Response> authorization(const Request& request, std::string_view id, Call& call);
  Outcome<Response> challenge(const Request& request, std::string_view name, Call& call);
  Outcome<Authorization> make_authorization(const Identifier& identifier, bool subdomains,
                                            const std::string& account) const;
  Outcome<std::optional<Authorization>> reusable(const Identifier& identifier, const std::string& account,
                                                 const std::string& ancestor, Call& call);
  std::optional<Problem> check_pending(const std::string& account, std::size_t more, Call& call);
  bool is_untouched(const Authorization& one) const;
  std::vector<std::string> methods_for(const Identifier& identifier, bool below) const;
  Outcome<Authorization> load_authorization(std::string_view id, const Account& account, Call& call);
  Outcome<Authorization> begin(const Authorization& one, std::string_view type, const std::string& client,
                               Call& call);
  Outcome<Authorization> begin_and_wait(const Authorization& one, std::string_view type,
                                        const std::string& client, Call& call);
  json::Value authorization_object(const Authorization& authorization) const;
  json::Value challenge_object(const Authorization& authorization, const Challenge& challenge) const;

  // devices.cpp
  Outcome<Authorization> attest(const Authorization& one, const json::Value& payload, const Account& account,
                                Call& call);
  Status check_attested(const Order& order, const std::vector<Authorization>& of) const;

  // orders.cpp
  Outcome<Response> new_order(const Request& request, Call& call);
  Outcome<Response> order(const Request& request, std::string_view id, Call& call);
  std::optional<Problem> read_wishes(const json::Value& payload, Order& order) const;
  std::optional<Problem> check_limits(const Order& order, const std::vector<Identifier>& replaced);
  Outcome<std::vector<RecordWrite>> authorize(const std::vector<Wanted>& wanted, Order& order,
                                              std::vector<Authorization>& of, Call& call);
  Outcome<Order> load_order(std::string_view id, const Account& account, Call& call);
  Response present_order(const Order& order, int status) const;

  // finalize.cpp
  Outcome<Response> finalize(const Request& request, std::string_view id, Call& call);
  std::optional<Problem> check_csr_key(ByteView csr, Call& call);
  Status check_authorized(const Order& order, const std::vector<Authorization>& of) const;
  Result<Issued> issue(Order& order, const Account& account, Call& call);
  Status finish(const std::string& order, Call& call);
  Status take_up_issuing(Call& call);

  // certificates.cpp
  Outcome<Response> certificate(const Request& request, std::string_view name, Call& call);
  Response present_chain(const Request& request, const std::string& path, std::vector<Bytes> chain) const;

  // star.cpp
  std::optional<Problem> read_auto_renewal(const json::Value& payload, Order& order) const;
  Outcome<Response> cancel(const Order& order, const json::Value& payload, Call& call);
  Outcome<Response> star_certificate(const Request& request, std::string_view id, Call& call);
  Status renew_due(Call& call);
  Status renew(Order order, Call& call);

  // validation.cpp
  Status start_validations();
  Status share_nonces(Call& call);
  Status share_nonces_with_others(Call& call);
  Status take_up_validating(Call& call);
  Status validate(ValidationQueue::Validation& turn, Call& call);
  void claim_attempt(Authorization& authorization) const;
  Status attempt(const ValidationQueue::Validation& turn, Authorization claimed, Call& call);
  Status prove(const ValidationQueue::Validation& turn, const Authorization& authorization,
               const Challenge& challenge, const Account& account, std::string& seen, Call& call);

  // revocation.cpp
  Outcome<Response> revoke(const Request& request, Call& call);
  Outcome<bool> may_revoke(const Account& account, const CertificateStatus& status, Call& call);

  // renewal.cpp
  Outcome<Response> renewal_info(const Request& request, std::string_view name, Call& call);
  struct Replacement {
    RecordWrite write;
    std::vector<Identifier> names;  // of the certificate that is replaced
  };
  Outcome<Replacement> replace(const SignedRequest& request, const Order& order, Call& call);
  Result<CertificateId> find_certificate(std::string_view name);
  ValidityPeriod renewal_window(const CertificateStatus& status, Call& call);
  struct EarlyRenewal {
    std::string profile;
    Time from, to;
  };
  std::vector<EarlyRenewal> early_renewals(Call& call);

  // operate.cpp
  Result<json::Value> create_external(const Arguments& arguments, Call& call);
  Result<json::Value> list_external();
  Result<json::Value> revoke_external(const Arguments& arguments, Call& call);
  Result<json::Value> list_accounts();
  Result<json::Value> list_orders(const Arguments& arguments);
  Result<json::Value> explain(const std::string& order);
  Result<json::Value> renew_early(const Arguments& arguments, Call& call);

  const Options options_;
  Host& host_;
  Issuer& issuer_;
  Trust& trust_;
  Store store_;
  Nonces nonces_;
  ValidationQueue validation_queue_{{256, 64, 16, 16}};
  Verdicts verdicts_{4};
  std::atomic<std::shared_ptr<const DirectoryPage>> directory_;  // shared with those who are sending it
  Counter& bad_nonces_;
  Counter& orders_made_;
  Counter& validations_;
  Counter& validations_failed_;
};

}  // namespace hanaper::acme
