// The issuing spine: from a request to a certificate on disk.
#pragma once

#include "blocked_keys.hpp"
#include "issuance_task.hpp"
#include "requests.hpp"
#include "revocation.hpp"

#include <hanaper/issuer.hpp>
#include <hanaper/services.hpp>
#include <hanaper/toolkit/swapped.hpp>
#include <hanaper/trust.hpp>

#include <atomic>

namespace hanaper::issuance {

// What a pipeline needs of the host. All outlive it.
struct Spine {
  Ledger& ledger;
  services::Writer& writer;
  Signers& signers;
  BlockedKeys& blocked;
  Requests& requests;
  const Clock& clock;
  Log& log;
  Metrics& metrics;
  std::function<void(const RevocationRow&)> revoked = {};  // hears of changes that are durable
  std::function<Status()> room = {};                       // whether there is any for more; empty: always
  // This run of the daemon, and whether another is over: who is at work on a request.
  std::function<std::string()> run = [] { return std::string(); };
  std::function<bool(std::string_view)> is_over = [](std::string_view) { return false; };
};

// What the configuration fills in; replaced as a whole by a reload.
struct Wiring {
  std::shared_ptr<const Authority> authority;
  std::vector<Bytes> path;                                // its chain, with the root where this host has it
  std::vector<std::shared_ptr<const Authority>> earlier;  // it has taken over from them
  RollOver roll_over = {};
  std::function<Result<Bytes>()> next_message = {};                             // empty: nobody takes over
  std::function<Result<std::shared_ptr<Registrar>>(Call&)> registrar = {};      // empty: it has none
  std::function<Result<Bytes>(std::uint32_t shard, ByteCount limit)> crl = {};  // as published
  std::vector<std::shared_ptr<const Profile>> profiles;                         // the first is the default
  std::vector<std::pair<std::string, Authenticator*>> authenticators;           // the node's, as all below
  bool authenticate_all = false;
  bool approval = false;
  std::vector<std::pair<std::string, Policy*>> policies;
  std::vector<std::pair<std::string, Validator*>> validators;
  std::vector<std::shared_ptr<const void>> keeps = {};  // whoever owns those
};

// Thread-safe; requests under way keep the wiring they began with.
class Pipeline final : public Issuer, public Trust, public Authentication {
 public:
  Pipeline(std::string name, Spine spine);

  // [main]
  void wire(std::shared_ptr<const Wiring> wiring) { wiring_.store(std::move(wiring)); }
  // Draws up one certificate of each profile, reads it back and runs the validators over it, so that a
  // profile that cannot work is found at start. Nothing can be drawn up under an authority that has expired:
  // success, and the pipeline refuses.
  Status self_test() { return self_test(wiring_.load()); }
  // The same with a wiring that is not its own yet.
  Status self_test(const std::shared_ptr<const Wiring>& wiring);

  Result<Issued> issue(const IssueRequest& request, Call& call) override;
  Status revoke(const CertificateId& id, RevocationReason reason, std::string_view requester, Call& call,
                bool key_proven = true) override;
  // [worker] The same for whoever knows more about it, release from hold included.
  Status revoke(const CertificateRow& row, const RevocationOrder& order, const Call& call);
  // [any] Counts one that was made without asking the pipeline.
  void count_revocation() { revoked_.add(); }
  Result<CertificateStatus> status(const CertificateId& id) override;
  Result<CertificateStatus> identify(ByteView certificate) override;
  Status permits(std::string_view profile, const std::vector<Identifier>& names, std::string_view requester,
                 Call& call) override;
  Result<CertificateId> find(ByteView authority_key, const Serial& serial) override;
  Result<ValidityPeriod> validity(std::string_view profile, std::optional<Time> not_before,
                                  std::optional<Time> not_after) const override;
  std::vector<std::string> profiles() const override;
  Result<RequestForm> request_form(std::string_view profile) const override;

  AuthorityId authority() const override { return signer()->id(); }
  std::vector<Bytes> chain(AuthorityId authority) const override;
  std::vector<Bytes> path() const override;
  RollOver roll_over() const override;
  Result<Bytes> next_message() override;
  Result<std::shared_ptr<Registrar>> registrar(Call& call) override;
  Result<Bytes> crl(const CertificateId& id, ByteCount limit) override;

  Result<Identity> authenticate(const Request& request, Call& call) override;
  std::vector<std::string> challenges() const override;

  const std::string& name() const noexcept { return name_; }
  std::shared_ptr<const Authority> signer() const { return wiring_.load()->authority; }
  // [any] Whether its authority, or one that it has taken over from, issued that; and by one of its profiles.
  bool acts_for(const CertificateRow& row, bool by_profile) const;

 private:
  // The authority, and those it has taken over from.
  std::vector<std::shared_ptr<const Authority>> signers() const;
  Result<Admitted> admit(const IssueRequest& request, Call& call);
  Result<Cleared> clear(Admitted admitted, Call& call);
  Result<Issued> run(const IssueRequest& request, Call& call);
  Result<Issued> run_once(const IssueRequest& request, bool approval, Call& call);
  Result<Issued> step(const IssueRequest& request, const Fingerprint& csr, bool approval, Call& call);
  Status ask_for_approval(const IssueRequest& request, RememberedRequest remembered, Call& call);
  Result<Issued> issued_before(const CertificateId& id, Time now);
  Status draw_up(Work& work, Call& call);
  Result<const Profile*> find_profile(const Wiring& wiring, std::string_view name) const;
  Status run_policies(const Wiring& wiring, Draft& draft, Call& call) const;
  Status run_validators(const Wiring& wiring, const Draft& draft, Call& call) const;

  const std::string name_;
  Spine spine_;
  Swapped<const Wiring> wiring_;
  Counter& issued_;
  Counter& refused_;
  Counter& failed_;
  Counter& revoked_;
  Histogram& time_;
};

}  // namespace hanaper::issuance
