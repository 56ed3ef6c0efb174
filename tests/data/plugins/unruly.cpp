// Stages and protocols that break their promises.
#include "unruly.hpp"

#include <hanaper/status_urls.hpp>

#include <algorithm>

namespace {

class UnrulyAuthenticator final : public Unruly<Authenticator> {
 public:
  Result<Identity> authenticate(const Request&, Call&) override {
    act("authenticate");
    return Identity{"unruly:" + std::to_string(number_), {}};
  }
  std::string challenge() const override {
    act("challenge");
    return "Unruly";
  }
};
class UnrulyPolicy final : public Unruly<Policy> {
 public:
  Status decide(Draft&, Call&) override {
    act("decide");
    return {};
  }
};
class UnrulyValidator final : public Unruly<Validator> {
 public:
  Status validate(const Draft&, Call&) override {
    act("validate");
    return {};
  }
};
class UnrulyPublisher final : public Unruly<Publisher> {
 public:
  Status publish(const Event&, Call&) override {
    act("publish");
    return {};
  }
};
class UnrulyNotifier final : public Unruly<Notifier> {
 public:
  Status notify(const Event&, Call&) override {
    act("notify");
    return {};
  }
};
class UnrulyProtocol final : public Unruly<Protocol>, public StatusService, public Adjustable {
 public:
  Status configure(const Settings& settings, Host& host) override {
    authorities_ = settings.texts("authorities");
    claim_ = settings.text("claim");
    return Unruly::configure(settings, host);
  }
  void* ability(std::string_view id) override {
    act("ability");
    if (id == Adjustable::ability_id) return static_cast<Adjustable*>(this);
    return id == StatusService::ability_id ? static_cast<StatusService*>(this) : nullptr;
  }
  Result<std::unique_ptr<Change>> prepare(const Settings& settings) override {
    act("prepare");
    if (settings.text("configure") == "fail") return settings.error("configure", "fails as it was told");
    if (settings.text("start") == "fail") return unsupported("with another start");
    return std::unique_ptr<Change>(std::make_unique<Other>(*this, settings.integer("number")));
  }
  std::optional<CrlPlan> crl_plan(std::string_view authority) const override {
    act("crl_plan");
    if (!serves(authority)) return {};
    CrlPlan plan{std::string(authority), 0, false};
    if (claim_ == "foreign-signer") plan.signer = "nobody";
    if (claim_ == "indirect") plan.signer = authorities_.front();
    if (claim_ == "shards") plan.shards = 2;
    if (claim_ == "many-shards") plan.shards = 4'000'000'000;
    if (claim_ == "split-alone") plan.split = true;
    return plan;
  }
  StatusUrls status_urls(std::string_view authority, std::uint32_t shard) const override {
    act("status_urls");
    if (!serves(authority)) return {};
    const std::string base = "http://status.example.test/" + std::string(authority);
    StatusUrls urls{{base + "/ask"}, {base + "/itself"}, {base + "/list/" + std::to_string(shard)}, {}};
    if (claim_ == "relative-url") urls.crl = {"/list"};
    if (claim_ == "empty-url") urls.ocsp = {""};
    if (claim_ == "odd-url") urls.issuer = {"http://status.example.test/\xc3\xa4"};
    if (claim_ == "long-url") urls.delta_crl = {base + std::string(2000, 'x')};
    return urls;
  }
  ByteCount body_limit() const override {
    act("body_limit");
    return ByteCount{1024};
  }
  Response handle(const Request&, Call&) override {
    act("handle");
    return {200, {{"Content-Type", "text/plain"}}, "number " + std::to_string(number_) + "\n"};
  }
  bool answer_fast(const Request&, FastReply&) override {
    act("answer_fast");
    return false;
  }

 private:
  class Other final : public Change {
   public:
    Other(UnrulyProtocol& plugin, std::int64_t number) : plugin_(plugin), number_(number) {}
    ~Other() override { plugin_.host_->log().info("change dropped", {{"number", std::to_string(number_)}}); }
    void commit() noexcept override {
      plugin_.host_->log().info("change committed", {{"number", std::to_string(number_)}});
      plugin_.number_ = number_;
    }

   private:
    UnrulyProtocol& plugin_;
    const std::int64_t number_;
  };
  bool serves(std::string_view authority) const {
    return std::find(authorities_.begin(), authorities_.end(), authority) != authorities_.end();
  }
  std::vector<std::string> authorities_;
  std::string claim_;
};

}  // namespace

UNRULY_PLUGIN(UNRULY_KIND, UNRULY_CLASS);
