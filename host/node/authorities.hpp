// The configured authorities: found in the ledger, made by init, taken over from elsewhere.
#pragma once

#include "../issuance/authority.hpp"
#include "chains.hpp"
#include "status_plans.hpp"

#include <hanaper/toolkit/soft_key.hpp>

#include <map>

namespace hanaper {

// [main] only, but for find, which is [any] once loaded.
class Authorities {
 public:
  using FindKeys = std::function<Keys*(const std::string& instance)>;

  // `plans` are there when the instances are configured.
  Authorities(const config::Model& model, Shared& shared, FindKeys keys, const StatusPlans& plans)
      : model_(model), shared_(shared), find_keys_(std::move(keys)), status_plans_(plans) {}

  // Those that have a certificate. Fails when a key or certificate that should be there is not, or does not
  // fit.
  Status load();

  // Null when it has no certificate yet.
  std::shared_ptr<issuance::Authority> find(const std::string& name) const;

  // Whether it has no certificate because somebody outside has to sign one, its own or one above it.
  bool waits_outside(const std::string& name) const;
  // What to do about one that has no certificate.
  Error missing(const std::string& name) const;

  // The chain above what that authority issues, with the self-signed root where this host has or knows it.
  std::vector<Bytes> path(const std::string& name) const;
  // Every self-signed certificate above an authority of this node, or an authority's own, PEM.
  std::string roots_pem() const;

  // One line for each authority: what init did or found.
  struct Outcome {
    std::string authority;
    std::string text;
  };

  // Makes what is missing: keys, self-signed certificates, certificates from issuers above, requests for
  // issuers outside. Changes nothing that exists.
  Result<std::vector<Outcome>> init();

  // Takes the answer of an outside issuer: PEM with the authority's certificate and those above it. Or, once
  // it has one, what was missing above it: the outside root, and what is between. conflict when nothing is.
  Result<Outcome> install(const std::string& pem);

  // Takes over an existing authority: its private key and certificate with those above it, PEM.
  Result<Outcome> import(const std::string& name, const Secret& key_pem, const Secret& pin,
                         const std::string& certificate_pem);

 private:
  Result<std::shared_ptr<Key>> find_key(const config::AuthorityConfig& config) const;
  Result<std::shared_ptr<Key>> find_registrar_key(const config::AuthorityConfig& config) const;
  Status create_registrar_key(const config::AuthorityConfig& config) const;
  Status check_own_registrar(const config::AuthorityConfig& config, ByteView certificate, Key& key) const;
  Result<std::shared_ptr<Key>> find_or_create_key(const config::AuthorityConfig& config) const;
  Result<std::shared_ptr<Key>> import_key(const config::AuthorityConfig& config,
                                          const crypto::SoftKey& soft) const;
  std::shared_ptr<issuance::SerialSource> serials(const config::AuthorityConfig& config) const;
  Result<issuance::StatusPlan> status_plan(const std::string& name) const;
  Status adopt(const config::AuthorityConfig& config, const AuthorityRow& row);
  Result<Outcome> init_one(const config::AuthorityConfig& config);
  Result<Outcome> issue(const config::AuthorityConfig& config, Key& key, const issuance::Authority* issuer);
  Result<Outcome> request(const config::AuthorityConfig& config, Key& key);
  Status check_own_key(const config::AuthorityConfig& config, ByteView spki) const;
  Result<std::optional<AuthorityRow>> row_of(const std::string& name) const;
  Status store(Write& write);
  std::string fingerprint_of(const std::string& name) const;
  // Those above it, as far as each is signed by the next; a self-signed one is the last.
  Result<std::vector<Bytes>> check_certificate(const config::AuthorityConfig& config,
                                               const std::vector<Bytes>& certificates, ByteView spki) const;
  Result<Outcome> add_above(const std::vector<Bytes>& certificates);

  const config::Model& model_;
  Shared& shared_;
  const FindKeys find_keys_;
  const StatusPlans& status_plans_;
  OutsideIssuers outside_;
  std::map<std::string, std::shared_ptr<issuance::Authority>> authorities_;
};

}  // namespace hanaper
