// The door of authenticator/accounts: passwords and tokens that a file lists.
#include "accounts.hpp"

#include <hanaper/host.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/mutex.hpp>

#include <sys/stat.h>

#include <semaphore>

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
    if (const std::string_view token = parse_bearer(field); !token.empty()) return accounts->by_token(token);
    auto basic = parse_basic(field);
    if (!basic) return Error{Code::unauthenticated, "credentials of another kind"};
    return by_password(accounts, *basic, call);
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
                               Call& call) {
    const Fingerprint digest = remember_as(basic);
    {
      const Lock lock(mutex_);
      if (accounts == accounts_)
        if (const auto known = remembered_.find(digest);
            known != remembered_.end() && host_->clock().now() < known->second.until)
          return known->second.identity;
    }
    auto identity = in_turn(call, [&] { return accounts->by_password(basic.name, basic.password); });
    if (!identity) {
      if (identity.error().code == Code::unauthenticated)
        host_->log().info("wrong password", {{"call", call.id}});
      return identity;
    }
    const Lock lock(mutex_);
    if (remembered_.size() >= remembered_at_most) remembered_.clear();
    if (accounts == accounts_)
      remembered_.insert_or_assign(digest, Remembered{*identity, host_->clock().now() + remembered_for});
    return identity;
  }

  // A request that waits here holds one of the threads that serve everybody. Only few may wait, so that
  // guessing passwords stops no request but those with passwords.
  template <class Hash>
  Result<Identity> in_turn(const Call& call, Hash&& hash) {
    const Error busy = unavailable("too many passwords are being checked", std::chrono::seconds{1});
    if (!queue_.try_acquire()) return busy;
    const bool mine = hashing_.try_acquire_until(call.deadline);
    auto identity = mine ? hash() : Result<Identity>(busy);
    if (mine) hashing_.release();
    queue_.release();
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

  // Each hash takes a core and some megabytes for a while.
  std::counting_semaphore<> hashing_{2}, queue_{6};
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
               .capabilities = "", .create = hanaper::create_plugin<hanaper::accounts::AccountsFile>);
