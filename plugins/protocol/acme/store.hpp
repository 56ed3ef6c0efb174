// The documents of one service: typed reading, and changes that nobody came between.
#pragma once

#include "documents.hpp"

namespace hanaper::acme {

// Thread-safe. Failures of reading: not_found, unavailable, internal for a damaged document.
class Store {
 public:
  explicit Store(Host& host)
      : host_(host),
        accounts(host.collection("account")),
        keys(host.collection("key")),
        authorizations(host.collection("authorization")),
        orders(host.collection("order")),
        external_keys(host.collection("external")),
        replaced(host.collection("replaced")),
        stars(host.collection("star")),
        nonces(host.collection("nonce")),
        shared(host.collection("shared")) {}

  Result<Account> account(std::string_view id);
  Result<Authorization> authorization(std::string_view id);
  // Those of an order, in its order; one that is gone has expired.
  Result<std::vector<Authorization>> authorizations_of(const Order& order);
  Result<Order> order(std::string_view id);
  Result<ExternalKey> external_key(std::string_view id);

  // Authorizations of the account for exactly that identifier (without "*."), settled.
  Result<std::vector<Authorization>> authorizations_for(std::string_view account,
                                                        const Identifier& identifier);

  // How many authorizations of the account are pending, counted up to `enough`, and when the first of them
  // ends.
  struct Pending {
    std::size_t count = 0;
    std::optional<Time> first_end = {};
  };
  Result<Pending> pending_of(std::string_view account, std::size_t enough);

  RecordWrite write(const Account& account) const { return accounts.bind(record_of(account)); }
  RecordWrite write_key(const Account& account, std::uint64_t version = 0) const {
    return keys.bind(key_record_of(account, version));
  }
  RecordWrite write(const Authorization& one) const { return authorizations.bind(record_of(one)); }
  RecordWrite write(const Order& order) const { return orders.bind(record_of(order)); }
  RecordWrite write(const ExternalKey& key) const { return external_keys.bind(record_of(key)); }
  // Remembers a certificate of an order that renews itself, for somewhat longer than it is valid.
  RecordWrite write_star(const Issued& issued, const std::string& order) const;
  Status commit(std::vector<RecordWrite> writes, Call& call) { return host_.commit(std::move(writes), call); }

  // Changes what was read and writes it, again on what somebody else has written meanwhile; `change` says
  // whether there is anything to write. The document as it is then.
  Result<Authorization> change(Authorization read, const std::function<bool(Authorization&)>& change,
                               Call& call);
  // Keeps an account that would expire until then, or without `until` for good.
  Status keep_account(const std::string& account, std::optional<Time> until, Call& call);
  Result<Order> change_order(std::string_view order, const std::function<bool(Order&)>& change, Call& call);

 private:
  Host& host_;

 public:
  Collection& accounts;
  Collection& keys;  // thumbprint -> account id
  Collection& authorizations;
  Collection& orders;
  Collection& external_keys;
  Collection& replaced;  // certificate -> the order that replaces it (RFC 9773 5)
  Collection& stars;     // certificate that renews itself -> its order (RFC 8739)
  Collection& nonces;    // spent ones, when several nodes share them
  Collection& shared;    // what all nodes must agree on
};

}  // namespace hanaper::acme
