// The door of keys/pkcs11: keys on a token, or on several that hold the same.
#include "token_key.hpp"

#include <hanaper/toolkit/mutex.hpp>

#include <filesystem>
#include <set>

namespace hanaper::pkcs11 {
namespace {

constexpr SettingKey setting_keys[] = {
    {"module", SettingType::path, nullptr, nullptr, "the vendor's PKCS#11 module, a shared object"},
    {"options", SettingType::text, "", nullptr, "what the module wants to be told when it is initialised"},
    {"tokens", SettingType::texts, nullptr, nullptr,
     "tokens that hold the same keys, by label, \"serial:...\" or \"slot:...\"; the first is the reference"},
    {"pin", SettingType::secret, nullptr, nullptr, "the user PIN of every one of them"},
    {"sessions", SettingType::integer, "8", "1..256", "how many operations each token may have at once"},
    {"timeout", SettingType::duration, "10s", "100ms..5m",
     "after which a token that does not answer is left alone"},
    {"wrappable", SettingType::boolean, "false", nullptr,
     "let new keys leave their token wrapped, so that they can be replicated"},
};

class Pkcs11 final : public Keys, public Replication, public Adjustable {
 public:
  ~Pkcs11() override {
    keys_.clear();
    tokens_.clear();
  }

  Status configure(const Settings& settings, Host& host) override {
    host_ = &host;
    given_ = settings.without_secrets();
    path_ = settings.text("module");
    std::error_code ec;
    if (!std::filesystem::is_regular_file(path_, ec)) return settings.error("module", "no file " + path_);
    options_ = settings.text_or("options", "");
    wrappable_ = settings.boolean("wrappable");
    const std::vector<std::string> names = settings.texts("tokens");
    if (names.empty()) return settings.error("tokens", "names no token");
    if (std::set<std::string>(names.begin(), names.end()).size() != names.size())
      return settings.error("tokens", "names a token twice");
    if (settings.secret("pin").empty()) return settings.error("pin", "is empty");
    for (const std::string& name : names) {
      TokenOptions& token = token_options_.emplace_back();
      token.name.text = name;
      token.pin = settings.secret("pin").clone();
      token.sessions = static_cast<std::size_t>(settings.integer("sessions"));
      token.timeout = settings.duration("timeout");
      token.refused_pin_file = host.state_folder() + "/" + settings.table() + "." +
                               std::to_string(token_options_.size()) + ".refused-pin";
    }
    host.health().check(
        "tokens", [this] { return whole(); }, Purpose::node);
    return {};
  }

  // The PIN alone. It is not tried before a token wants it: too many wrong ones lock a token.
  Result<std::unique_ptr<Change>> prepare(const Settings& settings) override {
    const auto same = [&](auto read) { return read(settings) == read(given_); };
    const std::pair<const char*, bool> rest[] = {
        {"module", same([](const Settings& s) { return s.text("module"); })},
        {"options", same([](const Settings& s) { return s.text_or("options", ""); })},
        {"tokens", same([](const Settings& s) { return s.texts("tokens"); })},
        {"sessions", same([](const Settings& s) { return s.integer("sessions"); })},
        {"timeout", same([](const Settings& s) { return s.duration("timeout"); })},
        {"wrappable", same([](const Settings& s) { return s.boolean("wrappable"); })}};
    for (const auto& [key, unchanged] : rest)
      if (!unchanged) return unsupported("with another " + std::string(key));
    if (settings.secret("pin").empty()) return settings.error("pin", "is empty");
    return std::unique_ptr<Change>(std::make_unique<OtherPin>(*this, settings.secret("pin").clone()));
  }

  // One token must answer; the others may come later.
  Status start() override {
    HANAPER_TRY(std::shared_ptr<Module> module, Module::open(path_, options_));
    Status last;
    bool any = false;
    for (TokenOptions& options : token_options_) {
      tokens_.push_back(std::make_unique<Token>(module, std::move(options), host_->log(), host_->metrics()));
      if (Status connected = tokens_.back()->connect(); connected)
        any = true;
      else
        last = std::move(connected);
    }
    token_options_.clear();
    if (!any) return last;
    host_->scheduler().every("tokens", std::chrono::seconds{10}, [this](Call&) { return reconnect(); });
    host_->scheduler().every("key-check", std::chrono::minutes{1}, [this](Call&) { return check_keys(); });
    return {};
  }

  Result<std::shared_ptr<Key>> find(std::string_view label) override {
    if (!is_key_label(label)) return malformed("\"" + std::string(label) + "\" is no key label");
    if (std::shared_ptr<GroupKey> key = known(label)) return std::shared_ptr<Key>(std::move(key));
    const Lock alone(alone_);
    if (std::shared_ptr<GroupKey> key = known(label)) return std::shared_ptr<Key>(std::move(key));
    HANAPER_TRY(KeyObject object, reference(label));
    // One name for one key: the group looks on every token under the name that was asked for.
    object.label = label;
    auto key = std::make_shared<GroupKey>(tokens_, std::move(object), host_->log(), host_->metrics());
    key->check();
    const Lock lock(mutex_);
    keys_.emplace(label, key);
    return std::shared_ptr<Key>(std::move(key));
  }

  Result<std::shared_ptr<Key>> create(std::string_view label, KeySpec spec) override {
    return make(label, [&](Token& first) { return generate_key(first, {label, spec, wrappable_}); });
  }

  Result<std::shared_ptr<Key>> import(std::string_view label, const Secret& pkcs8) override {
    return make(label, [&](Token& first) { return import_key(first, {label, {}, wrappable_}, pkcs8); });
  }

  Status remove(std::string_view label) override {
    if (!is_key_label(label)) return malformed("\"" + std::string(label) + "\" is no key label");
    const Lock alone(alone_);
    bool found = false;
    for (const std::unique_ptr<Token>& token : tokens_) {
      Status deleted = delete_key(*token, label);
      if (!deleted && deleted.error().code != Code::not_found) return deleted;
      found = found || deleted;
    }
    const Lock lock(mutex_);
    if (const auto key = keys_.find(label); key != keys_.end()) keys_.erase(key);
    if (!found) return not_found("no key \"" + std::string(label) + "\" on " + names());
    return {};
  }

  Result<std::vector<KeyInfo>> list() override {
    HANAPER_TRY(const std::vector<KeyObject> objects, describe_keys(*first()));
    std::vector<KeyInfo> infos;
    for (const KeyObject& object : objects)
      if (!object.spki.empty()) infos.push_back({object.label, object.spec});
    std::ranges::sort(infos, {}, &KeyInfo::label);
    return infos;
  }

  // As long as one token of the group serves every key.
  Status health() override {
    Status any;
    for (const std::unique_ptr<Token>& token : tokens_)
      if (any = token->health(); any) break;
    HANAPER_CHECK(any);
    const Lock lock(mutex_);
    for (const auto& [label, key] : keys_) HANAPER_CHECK(key->health());
    return {};
  }

  void* ability(std::string_view id) override {
    if (id == Adjustable::ability_id) return static_cast<Adjustable*>(this);
    return id == Replication::ability_id ? static_cast<Replication*>(this) : nullptr;
  }

  Result<std::vector<std::string>> replicate(std::string_view label) override {
    const Lock alone(alone_);
    std::vector<std::string> done;
    for (std::size_t i = 1; i < tokens_.size(); ++i) {
      HANAPER_CHECK(copy_key(*tokens_[0], *tokens_[i], label));
      done.push_back(tokens_[i]->name());
    }
    if (const std::shared_ptr<GroupKey> key = known(label)) key->check();
    return done;
  }

 private:
  Status whole() {
    for (const std::unique_ptr<Token>& token : tokens_) HANAPER_CHECK(token->health());
    const Lock lock(mutex_);
    for (const auto& [label, key] : keys_) HANAPER_CHECK(key->whole());
    return {};
  }

  class OtherPin final : public Change {
   public:
    OtherPin(Pkcs11& plugin, Secret pin) : plugin_(plugin), pin_(std::move(pin)) {}
    void commit() noexcept override {
      for (const std::unique_ptr<Token>& token : plugin_.tokens_) token->change_pin(pin_);
    }

   private:
    Pkcs11& plugin_;
    const Secret pin_;
  };

  // The key that was found before, or null. From memory.
  std::shared_ptr<GroupKey> known(std::string_view label) {
    const Lock lock(mutex_);
    const auto key = keys_.find(label);
    return key == keys_.end() ? nullptr : key->second;
  }

  // The first token that answers.
  Token* first() const {
    for (const std::unique_ptr<Token>& token : tokens_)
      if (token->health()) return token.get();
    return tokens_.front().get();
  }

  std::string names() const {
    std::string text;
    for (const std::unique_ptr<Token>& token : tokens_) text += (text.empty() ? "" : ", ") + token->name();
    return text;
  }

  // What the group takes for the key: what its first token says, or the next one when that is away or has
  // none.
  Result<KeyObject> reference(std::string_view label) {
    Error why = not_found("no key \"" + std::string(label) + "\" on " + names());
    for (const std::unique_ptr<Token>& token : tokens_) {
      auto object = describe_key(*token, label);
      if (object) return object;
      if (object.error().code != Code::not_found) why = std::move(object).error();
    }
    return why;
  }

  template <class Make>
  Result<std::shared_ptr<Key>> make(std::string_view label, Make&& make_on) {
    if (!is_key_label(label))
      return malformed("\"" + std::string(label) + "\" is no key label: 1 to 64 of A-Z a-z 0-9 . _ -");
    if (tokens_.size() > 1 && !wrappable_)
      return unsupported(
          "a group of tokens makes no keys unless wrappable = true lets it copy them; or make them "
          "by the vendor's own tools");
    {
      const Lock alone(alone_);
      for (std::size_t i = 1; i < tokens_.size(); ++i)
        if (const auto there = describe_key(*tokens_[i], label);
            there || there.error().code == Code::conflict)
          return conflict("token " + tokens_[i]->name() + " has a key \"" + std::string(label) +
                          "\" already");
      HANAPER_CHECK(make_on(*tokens_.front()));
      for (std::size_t i = 1; i < tokens_.size(); ++i)
        if (Status copied = copy_key(*tokens_.front(), *tokens_[i], label); !copied)
          host_->log().warning("key is not on every token yet",
                               {{"key", std::string(label)}, {"why", copied.error().detail}});
    }
    return find(label);
  }

  // Tokens that are away are looked for even while nobody wants to sign.
  Status reconnect() {
    Status outcome;
    bool any = false;
    for (const std::unique_ptr<Token>& token : tokens_) {
      if (token->health()) continue;
      if (Status back = token->connect(); back)
        any = true;
      else
        outcome = std::move(back);
    }
    if (any) HANAPER_CHECK(check_keys());
    return outcome;
  }

  Status check_keys() {
    std::vector<std::shared_ptr<GroupKey>> keys;
    {
      const Lock lock(mutex_);
      for (const auto& [label, key] : keys_) keys.push_back(key);
    }
    for (const std::shared_ptr<GroupKey>& key : keys) key->check();
    return {};
  }

  // Constant after start.
  Host* host_ = nullptr;
  Settings given_{"", ""};
  std::string path_, options_;
  bool wrappable_ = false;
  std::vector<TokenOptions> token_options_;
  std::vector<std::unique_ptr<Token>> tokens_;

  Mutex alone_ HANAPER_ACQUIRED_BEFORE(mutex_);  // one key at a time is looked for, made, copied or deleted
  Mutex mutex_;                                  // never held while a token is asked, because health takes it
  std::map<std::string, std::shared_ptr<GroupKey>, std::less<>> keys_ HANAPER_GUARDED_BY(mutex_);
};

}  // namespace
}  // namespace hanaper::pkcs11

HANAPER_PLUGIN(.kind = "keys", .name = "pkcs11", .version = "0.1.0", .licence = "Apache-2.0",
               .summary = "private keys on PKCS#11 tokens, one or a group of them",
               .keys = hanaper::pkcs11::setting_keys, .key_count = std::size(hanaper::pkcs11::setting_keys),
               .create = hanaper::create_plugin<hanaper::pkcs11::Pkcs11>);
