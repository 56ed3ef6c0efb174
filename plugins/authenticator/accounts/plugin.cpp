// The door of authenticator/accounts: passwords and tokens that a file lists.
#include "accounts.hpp"
#include "lane.hpp"

#include <hanaper/host.hpp>
#include <hanaper/toolkit/allowances.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/identifiers.hpp>
#include <hanaper/toolkit/mutex.hpp>

#include <sys/stat.h>

namespace hanaper::accounts {
namespace {

constexpr SettingKey keys[] = {
    {"file", SettingType::path, nullptr, nullptr,
     "accounts, one a line: name:secret[:role,role[:name,name]]"},
    {"realm", SettingType::text, "hanaper", nullptr, "what clients show when they ask for a password"},
};

constexpr std::size_t max_file = 16 * 1024 * 1024;
constexpr auto remembered_for = std::chrono::minutes{1};
constexpr std::size_t remembered_at_most = 4096;

// Wrong passwords that are nothing but slips: of one address for one account, and of one address for all
// accounts or of all addresses for one.
constexpr std::int64_t slips = 10, slips_of_all = 100;
constexpr auto slips_within = std::chrono::minutes{10};
constexpr auto known_for = std::chrono::hours{30 * 24};

// Hashing takes a core and some megabytes for a while. Clients that were let in from the same address before
// have a lane of their own, and those that were wrong too often another: guessers keep only each other
// waiting.
constexpr Lane::Form known_lane{2, 4, 4, {}}, open_lane{2, 4, 4, {}},
    slow_lane{1, 11, 12, std::chrono::milliseconds{100}};

// What tells one state of a file from the next.
struct FileState {
  timespec modified{};
  ino_t inode = 0;
  off_t size = 0;
  bool operator==(const FileState& other) const noexcept {
    return modified.tv_sec == other.modified.tv_sec && modified.tv_nsec == other.modified.tv_nsec &&
           inode == other.inode && size == other.size;
  }
};

class AccountsFile final : public Authenticator {
 public:
  Status configure(const Settings& settings, Host& host) override {
    host_ = &host;
    path_ = settings.text("file");
    realm_ = settings.text("realm");
    if (realm_.find_first_of("\"\\\r\n") != std::string::npos)
      return settings.error("realm", "has a quote, a backslash or a line break");
    crypto::random(salt_);
    if (Status loaded = load(); !loaded) return settings.error("file", loaded.error().detail);
    host.health().check("accounts", [this]() -> Status {
      const Lock lock(mutex_);
      return trouble_;
    });
    return {};
  }

  Result<Identity> authenticate(const Request& request, Call& call) override {
    const std::string_view field = request.header("Authorization");
    if (field.empty()) return Error{Code::unauthenticated, "no password and no token"};
    if (request.tls == nullptr)
      return Error{Code::unauthenticated, "passwords and tokens are taken over TLS only"};
    const std::shared_ptr<const Accounts> accounts = current();
    if (const std::string_view token = parse_bearer(field); !token.empty())
      return by_token(*accounts, token, request, call);
    auto basic = parse_basic(field);
    if (!basic) return Error{Code::unauthenticated, "credentials of another kind"};
    return by_password(accounts, *basic, request, call);
  }

  std::string challenge() const override {
    const std::string realm = " realm=\"" + realm_ + "\"";
    const Lock lock(mutex_);
    // Clients without a choice take the first, and few know tokens.
    if (accounts_->has_tokens() && !accounts_->has_passwords()) return "Bearer" + realm;
    return "Basic" + realm + ", charset=\"UTF-8\"" + (accounts_->has_tokens() ? ", Bearer" + realm : "");
  }

 private:
  // Hashing is slow on purpose: what was right is remembered for a moment, under a digest nobody can make.
  Result<Identity> by_password(const std::shared_ptr<const Accounts>& accounts, const BasicCredentials& basic,
                               const Request& request, Call& call) {
    const Fingerprint digest = remember_as(basic);
    {
      const Lock lock(mutex_);
      if (accounts == accounts_)
        if (const auto known = remembered_.find(digest);
            known != remembered_.end() && host_->clock().now() < known->second.until)
          return known->second.identity;
    }
    const Asking asking = asking_of(basic.name, request);
    auto identity = asking.lane.run(asking.client, call.deadline, asking.busy,
                                    [&] { return accounts->by_password(basic.name, basic.password); });
    if (identity)
      was_right(asking, digest, accounts, *identity);
    else if (identity.error().code == Code::unauthenticated)
      was_wrong(asking, accounts->has_password(basic.name), request, call);
    return identity;
  }

  // Who asks, and what is known of him.
  struct Asking {
    std::string client, account, both;
    bool known;  // this account was let in from this address before
    Lane& lane;
    Error busy;
  };
  Asking asking_of(const std::string& account, const Request& request) {
    const Time now = host_->clock().now();
    const std::string client = x509::client_of(request.address), both = client + " " + account;
    const auto waits = [&](const Allowances& wrong, const std::string& key) {
      return wrong.wait(key, now).count() != 0;
    };
    const bool known = waits(known_, both);
    const bool slow = waits(wrong_of_both_, both) ||
                      (!known && (waits(wrong_of_client_, client) || waits(wrong_of_account_, account)));
    if (slow)
      return {
          client, account,
          both,   known,
          slow_,  {Code::rate_limited, "too many wrong passwords; try again later", std::chrono::seconds{5}}};
    return {client,
            account,
            both,
            known,
            known ? let_in_ : open_,
            unavailable("too many passwords are being checked", std::chrono::seconds{1})};
  }

  void was_right(const Asking& asking, const Fingerprint& digest,
                 const std::shared_ptr<const Accounts>& accounts, const Identity& identity) {
    const Time now = host_->clock().now();
    known_.charge(asking.both, now);
    wrong_of_both_.forgive(asking.both);
    const Lock lock(mutex_);
    if (remembered_.size() >= remembered_at_most)
      std::erase_if(remembered_, [&](const auto& one) { return one.second.until <= now; });
    if (remembered_.size() >= remembered_at_most) remembered_.erase(remembered_.begin());
    if (accounts == accounts_)
      remembered_.insert_or_assign(digest, Remembered{identity, now + remembered_for});
  }

  void was_wrong(const Asking& asking, bool exists, const Request& request, const Call& call) {
    const Time now = host_->clock().now();
    wrong_of_both_.charge(asking.both, now);
    if (!asking.known) {
      wrong_of_client_.charge(asking.client, now);
      wrong_of_account_.charge(asking.account, now);
    }
    // What is no account's name may be somebody's password.
    host_->log().info("wrong password", {{"account", exists ? asking.account : "(none of that name)"},
                                         {"address", std::string(request.address)},
                                         {"call", call.id}});
  }

  Result<Identity> by_token(const Accounts& accounts, std::string_view token, const Request& request,
                            const Call& call) {
    auto identity = accounts.by_token(token);
    // Nobody guesses a token: a line now and then is enough to find whoever has an old one.
    if (!identity && told_.take(x509::client_of(request.address), host_->clock().now()).count() == 0)
      host_->log().info("unknown token", {{"address", std::string(request.address)}, {"call", call.id}});
    return identity;
  }

  Fingerprint remember_as(const BasicCredentials& basic) const {
    const Fingerprint name = crypto::hmac_sha256(salt_, as_bytes(basic.name));
    return crypto::hmac_sha256(name, as_bytes(basic.password.reveal()));
  }

  // The file as it is now; as it was when it has become unreadable.
  std::shared_ptr<const Accounts> current() {
    if (state_of_file() != state()) {
      Status loaded = load();
      if (!loaded)
        host_->log().error("accounts cannot be read; the last that could stay in force",
                           {{"error", loaded.error().detail}});
      const Lock lock(mutex_);
      trouble_ = std::move(loaded);
    }
    const Lock lock(mutex_);
    return accounts_;
  }

  Status load() {
    const FileState state = state_of_file();
    const auto text = files::read_trusted(path_, max_file);
    auto parsed = text ? Accounts::parse(*text) : Result<Accounts>(text.error());
    const Lock lock(mutex_);
    state_ = state;
    if (!text) return text.error();
    if (!parsed) return std::move(parsed).error().within(path_);
    accounts_ = std::make_shared<const Accounts>(*std::move(parsed));
    remembered_.clear();
    return {};
  }

  FileState state_of_file() const {
    struct stat found {};
    if (::stat(path_.c_str(), &found) != 0) return {};
    return {found.st_mtim, found.st_ino, found.st_size};
  }
  FileState state() const {
    const Lock lock(mutex_);
    return state_;
  }

  struct Remembered {
    Identity identity;
    Time until;
  };

  // Constant after configure.
  Host* host_ = nullptr;
  std::string path_, realm_;
  Fingerprint salt_{};

  Lane let_in_{known_lane}, open_{open_lane}, slow_{slow_lane};
  Allowances wrong_of_both_{slips, slips_within}, wrong_of_client_{slips_of_all, slips_within},
      wrong_of_account_{slips_of_all, slips_within};
  Allowances known_{1, known_for};  // who was let in, from where: not whole for as long as that
  Allowances told_{10, slips_within};
  mutable Mutex mutex_;
  std::shared_ptr<const Accounts> accounts_ HANAPER_GUARDED_BY(mutex_);
  FileState state_ HANAPER_GUARDED_BY(mutex_);
  Status trouble_ HANAPER_GUARDED_BY(mutex_);
  std::map<Fingerprint, Remembered> remembered_ HANAPER_GUARDED_BY(mutex_);
};

}  // namespace
}  // namespace hanaper::accounts

HANAPER_PLUGIN(.kind = "authenticator", .name = "accounts", .version = "0.1.0", .licence = "Apache-2.0",
               .summary = "passwords (HTTP Basic) and bearer tokens that a file lists",
               .keys = hanaper::accounts::keys, .key_count = std::size(hanaper::accounts::keys),
               .create = hanaper::create_plugin<hanaper::accounts::AccountsFile>);
