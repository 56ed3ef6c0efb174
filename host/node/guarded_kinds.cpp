#include "guarded_kinds.hpp"

namespace hanaper {
namespace {

using services::Guard;

// What the kinds have in common. Nobody starts or stops a plugin by its kind.
template <class Kind>
class Guarded : public Kind {
 public:
  Guarded(Kind& plugin, Guard& guard) : plugin_(plugin), guard_(guard) {}

  Status configure(const Settings& settings, Host& host) final {
    return run("configure", [&] { return plugin_.configure(settings, host); });
  }
  Status start() final {
    return run("start", [&] { return plugin_.start(); });
  }
  void stop(Deadline deadline) final {
    static_cast<void>(run("stop", [&]() -> Status {
      plugin_.stop(deadline);
      return {};
    }));
  }
  void* ability(std::string_view id) final {
    return guard_.run_or<void*>(nullptr, "ability", [&] { return plugin_.ability(id); });
  }

 protected:
  template <class Function>
  auto run(std::string_view entry, Function&& call, const Call* work = nullptr) const {
    return guard_.run(entry, work ? std::string_view(work->id) : std::string_view(), call);
  }

  Kind& plugin_;
  Guard& guard_;
};

class GuardedAuthenticator final : public Guarded<Authenticator> {
 public:
  using Guarded::Guarded;
  Result<Identity> authenticate(const Request& request, Call& call) override {
    return run(
        "authenticate", [&] { return plugin_.authenticate(request, call); }, &call);
  }
  std::string challenge() const override {
    return guard_.run_or<std::string>({}, "challenge", [&] { return plugin_.challenge(); });
  }
};

class GuardedPolicy final : public Guarded<Policy> {
 public:
  using Guarded::Guarded;
  Status decide(Draft& draft, Call& call) override {
    return run(
        "decide", [&] { return plugin_.decide(draft, call); }, &call);
  }
};

class GuardedValidator final : public Guarded<Validator> {
 public:
  using Guarded::Guarded;
  Status validate(const Draft& draft, Call& call) override {
    return run(
        "validate", [&] { return plugin_.validate(draft, call); }, &call);
  }
};

class GuardedPublisher final : public Guarded<Publisher> {
 public:
  using Guarded::Guarded;
  Status publish(const Event& event, Call& call) override {
    return run(
        "publish", [&] { return plugin_.publish(event, call); }, &call);
  }
};

class GuardedNotifier final : public Guarded<Notifier> {
 public:
  using Guarded::Guarded;
  Status notify(const Event& event, Call& call) override {
    return run(
        "notify", [&] { return plugin_.notify(event, call); }, &call);
  }
};

// Outlives its provider's instance no more than any key does.
class GuardedKey final : public Key {
 public:
  GuardedKey(std::shared_ptr<Key> key, Guard& guard)
      : key_(std::move(key)), guard_(guard), spec_(key_->spec()), spki_(to_bytes(key_->spki())) {}

  KeySpec spec() const noexcept override { return spec_; }
  ByteView spki() const noexcept override { return spki_; }
  Result<Bytes> sign(SignatureScheme scheme, ByteView message) override {
    return guard_.run("sign", "", [&] { return key_->sign(scheme, message); });
  }
  Result<Bytes> sign_digest(SignatureScheme scheme, ByteView digest) override {
    return guard_.run("sign_digest", "", [&] { return key_->sign_digest(scheme, digest); });
  }
  Result<Secret> decrypt(ByteView ciphertext) override {
    return guard_.run("decrypt", "", [&] { return key_->decrypt(ciphertext); });
  }

 private:
  const std::shared_ptr<Key> key_;
  Guard& guard_;
  const KeySpec spec_;
  const Bytes spki_;
};

class GuardedKeys final : public Guarded<Keys> {
 public:
  using Guarded::Guarded;
  Result<std::shared_ptr<Key>> find(std::string_view label) override {
    return key("find", [&] { return plugin_.find(label); });
  }
  Result<std::shared_ptr<Key>> create(std::string_view label, KeySpec spec) override {
    return key("create", [&] { return plugin_.create(label, spec); });
  }
  Result<std::shared_ptr<Key>> import(std::string_view label, const Secret& pkcs8) override {
    return key("import", [&] { return plugin_.import(label, pkcs8); });
  }
  Status remove(std::string_view label) override {
    return run("remove", [&] { return plugin_.remove(label); });
  }
  Result<std::vector<KeyInfo>> list() override {
    return run("list", [&] { return plugin_.list(); });
  }
  Status health() override {
    return run("health", [&] { return plugin_.health(); });
  }

 private:
  template <class Function>
  Result<std::shared_ptr<Key>> key(std::string_view entry, Function&& call) const {
    return run(entry, [&]() -> Result<std::shared_ptr<Key>> {
      HANAPER_TRY(std::shared_ptr<Key> found, call());
      if (!found) return internal(guard_.instance() + " has given no key and no reason");
      return std::shared_ptr<Key>(std::make_shared<GuardedKey>(std::move(found), guard_));
    });
  }
};

class GuardedLedger final : public Ledger {
 public:
  GuardedLedger(Storage& storage, Guard& guard) : storage_(storage), guard_(guard) {}
  Result<std::vector<AuthorityRow>> authorities() override {
    return run("authorities", [&](Ledger& ledger) { return ledger.authorities(); });
  }
  Result<CertificateRow> certificate(AuthorityId authority, const Serial& serial) override {
    return run("certificate", [&](Ledger& ledger) { return ledger.certificate(authority, serial); });
  }
  Result<std::vector<CertificateRow>> search(const CertificateQuery& query) override {
    return run("search", [&](Ledger& ledger) { return ledger.search(query); });
  }
  Result<std::vector<CertificateRow>> issued_since(std::string& cursor, std::uint32_t limit) override {
    return run("issued_since", [&](Ledger& ledger) { return ledger.issued_since(cursor, limit); });
  }
  Result<std::vector<RevocationRow>> revocations(AuthorityId authority, std::uint32_t shard,
                                                 const Serial& after, std::uint32_t limit) override {
    return run("revocations",
               [&](Ledger& ledger) { return ledger.revocations(authority, shard, after, limit); });
  }
  Result<std::vector<RevocationRow>> revoked_since(std::string& cursor, std::uint32_t limit) override {
    return run("revoked_since", [&](Ledger& ledger) { return ledger.revoked_since(cursor, limit); });
  }
  Result<std::string> feed_cursor() override {
    return run("feed_cursor", [&](Ledger& ledger) { return ledger.feed_cursor(); });
  }
  Result<std::vector<CrlRow>> crls(AuthorityId authority, std::uint32_t shard, std::uint32_t limit) override {
    return run("crls", [&](Ledger& ledger) { return ledger.crls(authority, shard, limit); });
  }
  Result<CrlRow> newest_crl(AuthorityId authority, std::uint32_t shard, bool delta) override {
    return run("newest_crl", [&](Ledger& ledger) { return ledger.newest_crl(authority, shard, delta); });
  }
  Result<std::vector<Fingerprint>> blocked_keys(const Fingerprint& after, std::uint32_t limit) override {
    return run("blocked_keys", [&](Ledger& ledger) { return ledger.blocked_keys(after, limit); });
  }
  Result<std::vector<ExpiryChange>> expiries() override {
    return run("expiries", [&](Ledger& ledger) { return ledger.expiries(); });
  }
  Result<WriterState> writer(std::string_view node) override {
    return run("writer", [&](Ledger& ledger) { return ledger.writer(node); });
  }
  Result<std::vector<std::string>> audit_nodes() override {
    return run("audit_nodes", [&](Ledger& ledger) { return ledger.audit_nodes(); });
  }
  Result<std::vector<AuditPage>> audit(std::string_view node, std::uint64_t after,
                                       std::uint32_t limit) override {
    return run("audit", [&](Ledger& ledger) { return ledger.audit(node, after, limit); });
  }

 private:
  template <class Function>
  auto run(std::string_view entry, Function&& call) const -> decltype(call(std::declval<Ledger&>())) {
    return guard_.run(entry, "", [&] { return call(storage_.ledger()); });
  }
  Storage& storage_;
  Guard& guard_;
};

class GuardedRecords final : public Records {
 public:
  GuardedRecords(Storage& storage, Guard& guard) : storage_(storage), guard_(guard) {}
  Result<Record> get(std::string_view collection, std::string_view key) override {
    return guard_.run("get", "", [&] { return storage_.records().get(collection, key); });
  }
  Result<std::vector<Record>> find(std::string_view collection, std::string_view field,
                                   std::string_view value, std::string_view after,
                                   std::uint32_t limit) override {
    return guard_.run("find", "",
                      [&] { return storage_.records().find(collection, field, value, after, limit); });
  }

 private:
  Storage& storage_;
  Guard& guard_;
};

class GuardedLeases final : public Leases {
 public:
  GuardedLeases(Storage& storage, Guard& guard) : storage_(storage), guard_(guard) {}
  Result<std::vector<LeaseRow>> all() override {
    return guard_.run("all", "", [&] { return storage_.leases().all(); });
  }
  Result<std::uint64_t> take(const LeaseRow& seen, std::string_view holder) override {
    return guard_.run("take", "", [&] { return storage_.leases().take(seen, holder); });
  }
  Status renew(std::string_view holder) override {
    return guard_.run("renew", "", [&] { return storage_.leases().renew(holder); });
  }
  Status release(std::string_view name, std::string_view holder) override {
    return guard_.run("release", "", [&] { return storage_.leases().release(name, holder); });
  }

 private:
  Storage& storage_;
  Guard& guard_;
};

class GuardedStorage final : public Guarded<Storage> {
 public:
  GuardedStorage(Storage& storage, Guard& guard)
      : Guarded(storage, guard), ledger_(storage, guard), records_(storage, guard), leases_(storage, guard) {}
  Ledger& ledger() override { return ledger_; }
  Records& records() override { return records_; }
  Leases& leases() override { return leases_; }
  Status commit(Batch& batch) override {
    return run("commit", [&] { return plugin_.commit(batch); });
  }
  Status health() override {
    return run("health", [&] { return plugin_.health(); });
  }

 private:
  GuardedLedger ledger_;
  GuardedRecords records_;
  GuardedLeases leases_;
};

template <class Kind, class Wrapper>
std::unique_ptr<Plugin> guarded_as(Plugin& plugin, Guard& guard) {
  auto* kind = dynamic_cast<Kind*>(&plugin);
  return kind ? std::make_unique<Wrapper>(*kind, guard) : nullptr;
}

}  // namespace

std::unique_ptr<Plugin> guarded_kind(std::string_view kind, Plugin& plugin, Guard& guard) {
  if (kind == "authenticator") return guarded_as<Authenticator, GuardedAuthenticator>(plugin, guard);
  if (kind == "policy") return guarded_as<Policy, GuardedPolicy>(plugin, guard);
  if (kind == "validator") return guarded_as<Validator, GuardedValidator>(plugin, guard);
  if (kind == "publisher") return guarded_as<Publisher, GuardedPublisher>(plugin, guard);
  if (kind == "notifier") return guarded_as<Notifier, GuardedNotifier>(plugin, guard);
  if (kind == "keys") return guarded_as<Keys, GuardedKeys>(plugin, guard);
  if (kind == "storage") return guarded_as<Storage, GuardedStorage>(plugin, guard);
  return nullptr;
}

}  // namespace hanaper
