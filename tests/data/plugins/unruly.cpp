// A plugin of any kind that breaks its promises when it is told to, for tests of whoever calls it.
//
// HANAPER_UNRULY is the address of a std::atomic<const char*> that says what happens in which function while
// the program runs: "decide=std" throws a standard exception there, "int" another one, "block" keeps the
// thread until it says something else.
#include <hanaper/host.hpp>
#include <hanaper/status_urls.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <thread>

namespace {

using namespace hanaper;

bool is_told(std::string_view entry, std::string_view how) {
  static const auto* const told = [] {
    const char* address = std::getenv("HANAPER_UNRULY");
    return address ? reinterpret_cast<const std::atomic<const char*>*>(std::strtoull(address, nullptr, 16))
                   : nullptr;
  }();
  return told != nullptr && told->load() == std::string(entry) + "=" + std::string(how);
}

void act(std::string_view entry) {
  if (is_told(entry, "std")) throw std::runtime_error("a bug of the plugin");
  if (is_told(entry, "int")) throw 7;
  while (is_told(entry, "block")) std::this_thread::sleep_for(std::chrono::milliseconds{1});
}

constexpr SettingKey keys[] = {
    {"number", SettingType::integer, "1", "1..1000000", "which one"},
    {"configure", SettingType::text, "ok", "ok|fail", "how its configure ends"},
    {"start", SettingType::text, "ok", "ok|fail", "how its start ends"},
    {"file", SettingType::path, "", nullptr, "something that it reads"},
    {"secret", SettingType::secret, "", nullptr, "something that it keeps"},
    {"authorities", SettingType::references, "[]", "authority", "whose status it serves, as a protocol"},
    {"claim", SettingType::text, "good",
     "good|foreign-signer|many-shards|shards|split-alone|relative-url|empty-url|odd-url|long-url|indirect",
     "what it says of that status"},
};

template <class Kind>
class Unruly : public Kind {
 public:
  ~Unruly() override {
    if (host_ != nullptr) host_->log().info("destroyed", {{"number", std::to_string(number_)}});
  }
  Status configure(const Settings& settings, Host& host) override {
    host_ = &host;
    number_ = settings.integer("number");
    fail_ = settings.text("start") == "fail";
    act("configure");
    host.health().check(
        "even",
        [this]() -> Status {
          act("health");
          if (number_ % 2 != 0) return unavailable("number " + std::to_string(number_) + " is odd");
          return {};
        },
        Purpose::node);
    if (settings.text("configure") == "fail") return settings.error("configure", "fails as it was told");
    return {};
  }
  Status start() override {
    host_->log().info("started", {{"number", std::to_string(number_)}});
    act("start");
    host_->scheduler().every("beat", std::chrono::milliseconds{5}, [this](Call&) -> Status {
      act("job");
      host_->log().debug("beat", {{"number", std::to_string(number_)}});
      return {};
    });
    static_cast<void>(host_->scheduler().soon("once", [this](Call&) -> Status {
      host_->log().info("done once", {{"number", std::to_string(number_)}});
      return {};
    }));
    if (fail_) return unavailable("fails as it was told");
    return {};
  }
  void stop(Deadline) override {
    host_->log().info("stopped", {{"number", std::to_string(number_)}});
    act("stop");
  }
  void* ability(std::string_view) override {
    act("ability");
    return nullptr;
  }

 protected:
  Host* host_ = nullptr;
  std::int64_t number_ = 0;
  bool fail_ = false;
};

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

HANAPER_PLUGIN(.kind = UNRULY_KIND, .name = "unruly", .version = "1.2.3", .licence = "Apache-2.0",
               .summary = "breaks its promises when it is told to", .keys = keys,
               .key_count = std::size(keys), .create = hanaper::create_plugin<UNRULY_CLASS>);
