// A storage and a key provider that break their promises. What they keep, every instance of the process has.
#include "unruly.hpp"

#include <hanaper/testing/memory_storage.hpp>
#include <hanaper/toolkit/soft_key.hpp>

#include <map>
#include <mutex>

namespace {

class UnrulyStorage final : public Unruly<Storage> {
 public:
  Ledger& ledger() override { return memory(); }
  Records& records() override { return memory(); }
  Leases& leases() override { return memory(); }
  Status commit(Batch& batch) override {
    act("commit");
    return memory().commit(batch);
  }
  Status health() override { return {}; }

 private:
  struct Wall final : Clock {
    Time now() const noexcept override {
      return std::chrono::time_point_cast<Time::duration>(std::chrono::system_clock::now());
    }
  };
  static fakes::MemoryStorage& memory() {
    static const Wall clock;
    static fakes::MemoryStorage the_only(clock);
    return the_only;
  }
};

class UnrulyKey final : public Key {
 public:
  explicit UnrulyKey(std::shared_ptr<Key> key) : key_(std::move(key)) {}
  KeySpec spec() const noexcept override { return key_->spec(); }
  ByteView spki() const noexcept override { return key_->spki(); }
  Result<Bytes> sign(SignatureScheme scheme, ByteView message) override {
    act("sign");
    return key_->sign(scheme, message);
  }
  Result<Bytes> sign_digest(SignatureScheme scheme, ByteView digest) override {
    return key_->sign_digest(scheme, digest);
  }
  Result<Secret> decrypt(ByteView ciphertext) override { return key_->decrypt(ciphertext); }

 private:
  const std::shared_ptr<Key> key_;
};

class UnrulyKeys final : public Unruly<Keys> {
 public:
  using Found = Result<std::shared_ptr<Key>>;
  Found find(std::string_view label) override {
    const std::lock_guard lock(mutex());
    const auto found = all().find(std::string(label));
    if (found == all().end()) return not_found("no key " + std::string(label));
    return found->second;
  }
  Found create(std::string_view label, KeySpec spec) override {
    HANAPER_TRY(auto key, crypto::SoftKey::generate(spec));
    const std::lock_guard lock(mutex());
    return all().emplace(label, std::make_shared<UnrulyKey>(std::move(key))).first->second;
  }
  Found import(std::string_view, const Secret&) override { return unsupported("not here"); }
  Status remove(std::string_view) override { return unsupported("not here"); }
  Result<std::vector<KeyInfo>> list() override { return std::vector<KeyInfo>{}; }
  Status health() override { return {}; }

 private:
  static std::mutex& mutex() {
    static std::mutex the_only;
    return the_only;
  }
  static std::map<std::string, std::shared_ptr<Key>>& all() {
    static std::map<std::string, std::shared_ptr<Key>> the_only;
    return the_only;
  }
};

}  // namespace

UNRULY_PLUGIN(UNRULY_KIND, UNRULY_CLASS);
