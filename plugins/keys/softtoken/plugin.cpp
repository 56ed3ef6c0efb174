// The door of keys/softtoken: a folder of encrypted keys.
#include <hanaper/host.hpp>
#include <hanaper/inspectable.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/mutex.hpp>
#include <hanaper/toolkit/soft_key.hpp>
#include <hanaper/toolkit/swapped.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace hanaper::softtoken {
namespace {

using crypto::SoftKey;

namespace fs = std::filesystem;

constexpr SettingKey setting_keys[] = {
    {"folder", SettingType::path, "keys", nullptr, "where the key files are; created with mode 0700"},
    {"pin", SettingType::secret, nullptr, nullptr, "what encrypts the key files"},
};

constexpr std::string_view suffix = ".pem";
constexpr std::size_t least_pin = 8;

class SoftToken final : public Keys,
                        public Archivable,
                        public Inspectable,
                        public Adjustable,
                        public Repinning {
 public:
  Status configure(const Settings& settings, Host&) override {
    folder_ = settings.text("folder");
    HANAPER_TRY(std::shared_ptr<const Secret> pin, read_pin(settings));
    pin_.store(std::move(pin));
    return {};
  }

  // Another PIN must open every key that is there: they are encrypted anew before it is told.
  Result<std::unique_ptr<Change>> prepare(const Settings& settings) override {
    if (settings.text("folder") != folder_) return unsupported("with another folder");
    HANAPER_TRY(std::shared_ptr<const Secret> pin, read_pin(settings));
    HANAPER_TRY(const std::vector<std::string> labels, stored_labels());
    for (const std::string& label : labels)
      if (const auto key = open(label, *pin); !key) return settings.error("pin", key.error().detail);
    return std::unique_ptr<Change>(std::make_unique<Swap<const Secret>>(pin_, std::move(pin)));
  }

  Status start() override {
    HANAPER_CHECK(files::create_folder(folder_));
    // A wrong PIN shows now, not at the first signature.
    HANAPER_TRY(const std::vector<std::string> labels, stored_labels());
    HANAPER_CHECK(judge(labels));
    if (!labels.empty()) HANAPER_CHECK(find(labels.front()));
    return {};
  }

  Result<std::string> inspect() override {
    if (!fs::exists(folder_)) return folder_.string() + " does not exist and would be made";
    HANAPER_TRY(const std::vector<std::string> labels, stored_labels());
    HANAPER_CHECK(judge(labels));
    return std::string();
  }

  Result<std::shared_ptr<Key>> find(std::string_view label) override {
    const Lock lock(mutex_);
    HANAPER_TRY(std::shared_ptr<SoftKey> key, opened(label));
    return std::shared_ptr<Key>(std::move(key));
  }

  Result<std::shared_ptr<Key>> create(std::string_view label, KeySpec spec) override {
    HANAPER_TRY(std::shared_ptr<SoftKey> key, SoftKey::generate(spec));
    return store(label, std::move(key));
  }

  Result<std::shared_ptr<Key>> import(std::string_view label, const Secret& pkcs8) override {
    HANAPER_TRY(std::shared_ptr<SoftKey> key, SoftKey::from_pkcs8(pkcs8));
    return store(label, std::move(key));
  }

  Status remove(std::string_view label) override {
    if (!is_key_label(label)) return malformed("\"" + std::string(label) + "\" is no key label");
    const Lock lock(mutex_);
    std::error_code error;
    if (!fs::remove(path_of(label), error) && !error)
      return not_found("no key \"" + std::string(label) + "\" in " + folder_.string());
    if (error) return unavailable(path_of(label).string() + ": " + error.message());
    if (const auto opened = opened_.find(label); opened != opened_.end()) opened_.erase(opened);
    return {};
  }

  Result<std::vector<KeyInfo>> list() override {
    HANAPER_TRY(const std::vector<std::string> labels, stored_labels());
    std::vector<KeyInfo> infos;
    for (const std::string& label : labels) {
      HANAPER_TRY(const std::shared_ptr<Key> key, find(label));
      infos.push_back({label, key->spec()});
    }
    return infos;
  }

  Status health() override {
    std::error_code error;
    if (!fs::is_directory(folder_, error)) return unavailable(folder_.string() + " is gone");
    return {};
  }

  void* ability(std::string_view id) override {
    if (id == Adjustable::ability_id) return static_cast<Adjustable*>(this);
    if (id == Inspectable::ability_id) return static_cast<Inspectable*>(this);
    if (id == Repinning::ability_id) return static_cast<Repinning*>(this);
    return id == Archivable::ability_id ? static_cast<Archivable*>(this) : nullptr;
  }

  // Beside, then exchanged for the old folder in one step: whenever it is cut off, one pin opens all keys.
  Result<std::size_t> repin(const Secret& pin) override {
    if (pin.reveal().size() < least_pin) return malformed("the new pin is shorter than 8 characters");
    const Lock lock(mutex_);
    const fs::path beside = folder_.string() + ".new";
    std::error_code error;
    fs::remove_all(beside, error);
    HANAPER_CHECK(files::create_folder(beside));
    HANAPER_TRY(const std::vector<std::string> labels, stored_labels());
    for (const std::string& label : labels) {
      HANAPER_TRY(const std::shared_ptr<SoftKey> key, opened(label));
      HANAPER_TRY(const std::string pem, key->to_encrypted_pem(pin));
      HANAPER_CHECK(files::create(beside / path_of(label).filename(), pem, 0600));
    }
    if (::renameat2(AT_FDCWD, beside.c_str(), AT_FDCWD, folder_.c_str(), RENAME_EXCHANGE) != 0)
      return unavailable(folder_.string() + ": cannot be exchanged for " + beside.string() + ": " +
                         std::strerror(errno));
    pin_.store(std::make_shared<const Secret>(pin.clone()));
    // What is no key stays; the keys under the old pin go.
    for (const auto& entry : fs::directory_iterator(beside, error))
      if (!fs::exists(folder_ / entry.path().filename(), error))
        fs::rename(entry.path(), folder_ / entry.path().filename(), error);
    fs::remove_all(beside, error);
    const int parent = ::open(folder_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool synced = parent >= 0 && ::fsync(parent) == 0;
    if (parent >= 0) ::close(parent);
    if (!synced) return unavailable(folder_.parent_path().string() + ": cannot be synced");
    return labels.size();
  }

  Status save(Archive& archive) override {
    HANAPER_TRY(const std::vector<std::string> labels, stored_labels());
    for (const std::string& label : labels)
      HANAPER_CHECK(archive.add_file(label + std::string(suffix), path_of(label)));
    return {};
  }

  Status load(const ArchiveSource& source) override {
    HANAPER_CHECK(files::create_folder(folder_));
    for (const std::string& name : source.names()) {
      if (!std::string_view(name).ends_with(suffix) || !is_key_label(name))
        return malformed("\"" + name + "\" is no key file");
      HANAPER_CHECK(source.extract(name, folder_ / name));
    }
    return {};
  }

 private:
  static Result<std::shared_ptr<const Secret>> read_pin(const Settings& settings) {
    if (settings.secret("pin").reveal().size() < least_pin)
      return settings.error("pin", "shorter than 8 characters");
    return std::make_shared<const Secret>(settings.secret("pin").clone());
  }

  // Who may change a key file chooses who signs: each is judged at start, not when it is first asked for.
  Status judge(const std::vector<std::string>& labels) const {
    for (const std::string& label : labels) HANAPER_CHECK(files::open_trusted(path_of(label)));
    return {};
  }

  Result<std::shared_ptr<SoftKey>> opened(std::string_view label) HANAPER_REQUIRES(mutex_) {
    if (const auto found = opened_.find(label); found != opened_.end()) return found->second;
    if (!is_key_label(label)) return malformed("\"" + std::string(label) + "\" is no key label");
    HANAPER_TRY(std::shared_ptr<SoftKey> key, open(label, *pin_.load()));
    opened_.emplace(label, key);
    return key;
  }

  Result<std::shared_ptr<SoftKey>> open(std::string_view label, const Secret& pin) const {
    const fs::path path = path_of(label);
    auto text = files::read_trusted(path, 64 * 1024);
    if (!text && text.error().code == Code::not_found)
      return not_found("no key \"" + std::string(label) + "\" in " + folder_.string());
    if (!text) return std::move(text).error();
    auto key = SoftKey::from_pem(Secret(*std::move(text)), pin);
    if (!key) return std::move(key).error().within(path.string());
    return key;
  }

  fs::path path_of(std::string_view label) const {
    return folder_ / (std::string(label) + std::string(suffix));
  }

  Result<std::vector<std::string>> stored_labels() const {
    std::vector<std::string> labels;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder_, error)) {
      const std::string name = entry.path().filename();
      if (name.ends_with(suffix) && is_key_label(name))
        labels.push_back(name.substr(0, name.size() - suffix.size()));
    }
    if (error) return unavailable(folder_.string() + ": " + error.message());
    std::ranges::sort(labels);
    return labels;
  }

  Result<std::shared_ptr<Key>> store(std::string_view label, std::shared_ptr<SoftKey> key) {
    if (!is_key_label(label))
      return malformed("\"" + std::string(label) + "\" is no key label: 1 to 64 of A-Z a-z 0-9 . _ -");
    const Lock lock(mutex_);
    HANAPER_TRY(const std::string pem, key->to_encrypted_pem(*pin_.load()));
    HANAPER_CHECK(files::create(path_of(label), pem, 0600));
    // In a folder that others may write, the next start would refuse it.
    if (const auto trusted = files::open_trusted(path_of(label)); !trusted) {
      std::error_code error;
      fs::remove(path_of(label), error);
      return trusted.error();
    }
    opened_.emplace(label, key);
    return std::shared_ptr<Key>(std::move(key));
  }

  fs::path folder_;  // constant after configure
  Swapped<const Secret> pin_;

  Mutex mutex_;
  std::map<std::string, std::shared_ptr<SoftKey>, std::less<>> opened_ HANAPER_GUARDED_BY(mutex_);
};

}  // namespace
}  // namespace hanaper::softtoken

HANAPER_PLUGIN(.kind = "keys", .name = "softtoken", .version = "0.1.0", .licence = "Apache-2.0",
               .summary = "private keys in a folder, encrypted at rest",
               .keys = hanaper::softtoken::setting_keys,
               .key_count = std::size(hanaper::softtoken::setting_keys),
               .create = hanaper::create_plugin<hanaper::softtoken::SoftToken>, .takes_any_pin = true);
