// Start here. A plugin is one shared object with one class of one kind behind one small door.
//
// The host loads shared objects only when their ABI tag (a symbol whose very name is the stamp) equals its
// own; it reads that tag from the file before any code of the plugin runs. A plugin is trusted code: it runs
// with the daemon's rights. Then, in this order, all on the main thread:
//
//   create      the manifest's factory: only memory, no side effects
//   configure   reads its settings and the files they name, nothing else: `hanaper check` runs it for real
//   start       acquires (opens, connects, registers) what it needs to work
//   ...use...   the calls of its kind, from the threads their tags name
//   stop        drains until the deadline; called after a failed start too, so that it cleans up
//   destroy
//
// Thread tags, asserted by debug builds of the host:
//   [main]    one thread, never concurrently with another [main] call of the same instance
//   [worker]  a thread that may block until the call's deadline; concurrent
//   [io]      a network thread: memory only; never blocks, never waits for a lock a blocking thread can hold
//   [any]     any thread, quick, concurrent
#pragma once

#include <hanaper/values.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// Moves when any boundary header changes in a way a built plugin can notice; sdk/abi.lock holds the hash of
// the headers beside it, and a test fails until both move together.
#define HANAPER_SDK_EPOCH 1

namespace hanaper {

class Host;

// How a setting is written in TOML and checked before a plugin sees it.
enum class SettingType : std::uint32_t {
  text,        // a string; bounds: "a|b|c" limits it to a choice
  texts,       // an array of strings; bounds likewise
  integer,     // bounds: "1..100"
  boolean,     //
  duration,    // "90d", "500ms": a string of number and unit; bounds: "1s..1h"
  size,        // "64KiB": a string of number and unit; bounds: "1KiB..1GiB"
  path,        // a file or folder; relative ones start at the state folder
  secret,      // { file = "..." } or { credential = "..." }
  reference,   // the name of another table; bounds: its kind, e.g. "pipeline"
  references,  // an array of such names
  tables,      // an array of tables, whose keys stand below it: "upstream.url"; bounds: how many, "1..8"
  map,         // a table of strings, whose keys are anybody's: { team = "web" }; bounds likewise
};

// One key of a plugin's table. Declared once: the host checks configurations against it, `hanaper sample`
// prints it, and the reference page is made from it.
struct SettingKey {
  const char* name;      // a dot descends into an inline table: "certificate.issue", or into each of `tables`
  SettingType type;      //
  const char* fallback;  // as it would be written; nullptr: must be given; "": may be left out
  const char* bounds;    // see SettingType; nullptr: none
  const char* doc;       // one sentence without full stop
};

// The settings of one instance: complete, of the right types and within bounds, each with its place in the
// files. Asking for a key that the key table does not declare, or that is not given, is a bug and throws
// std::out_of_range with its name.
class Settings {
 public:
  using Value = std::variant<std::monostate, std::string, std::vector<std::string>, std::int64_t, bool,
                             std::chrono::milliseconds, ByteCount, Secret, std::vector<Settings>,
                             std::map<std::string, std::string>>;
  struct Entry {
    Value value;           // monostate: not given, and no fallback
    std::string position;  // "pki.toml:31:7"; where the table starts when the key is not given
  };

  Settings(std::string table, std::string position)
      : table_(std::move(table)), position_(std::move(position)) {}

  const std::string& table() const noexcept { return table_; }  // "storage.main"

  bool has(std::string_view key) const { return !std::holds_alternative<std::monostate>(entry(key).value); }
  const std::string& text(std::string_view key) const { return get<std::string>(key); }
  std::string text_or(std::string_view key, std::string fallback) const {
    return has(key) ? text(key) : fallback;
  }
  // Empty when the key is not given.
  std::vector<std::string> texts(std::string_view key) const {
    return has(key) ? get<std::vector<std::string>>(key) : std::vector<std::string>{};
  }
  std::int64_t integer(std::string_view key) const { return get<std::int64_t>(key); }
  bool boolean(std::string_view key) const { return get<bool>(key); }
  std::chrono::milliseconds duration(std::string_view key) const {
    return get<std::chrono::milliseconds>(key);
  }
  ByteCount size(std::string_view key) const { return get<ByteCount>(key); }
  const Secret& secret(std::string_view key) const { return get<Secret>(key); }
  // One for each table, in their order: "notifier.web.upstream[1]" with its own place. Empty when not given.
  const std::vector<Settings>& tables(std::string_view key) const {
    static const std::vector<Settings> none;
    return has(key) ? get<std::vector<Settings>>(key) : none;
  }
  std::map<std::string, std::string> map(std::string_view key) const {
    return has(key) ? get<std::map<std::string, std::string>>(key) : std::map<std::string, std::string>{};
  }

  // An error that names file, line and column of the key: return it from configure.
  Error error(std::string_view key, std::string_view message) const {
    const auto found = entries_.find(key);
    const std::string& where = found == entries_.end() ? position_ : found->second.position;
    return malformed(where + ": " + table_ + "." + std::string(key) + ": " + std::string(message));
  }

  // The same about the table as a whole.
  Error error(std::string_view message) const {
    return malformed(position_ + ": " + table_ + ": " + std::string(message));
  }

  // The same without its secrets.
  Settings without_secrets() const {
    Settings copy(table_, position_);
    for (const auto& [key, entry] : entries_) {
      const auto keep = [&, &key = key, &entry = entry](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, Secret>) {
          copy.set(key, {std::monostate{}, entry.position});
        } else if constexpr (std::is_same_v<T, std::vector<Settings>>) {
          std::vector<Settings> tables;
          for (const Settings& table : value) tables.push_back(table.without_secrets());
          copy.set(key, {std::move(tables), entry.position});
        } else {
          copy.set(key, {value, entry.position});
        }
      };
      std::visit(keep, entry.value);
    }
    return copy;
  }

  // Wipes every secret; the host does so as soon as configure has returned.
  void forget_secrets() {
    for (auto& [key, entry] : entries_) {
      if (std::holds_alternative<Secret>(entry.value)) entry.value = std::monostate{};
      if (auto* tables = std::get_if<std::vector<Settings>>(&entry.value))
        for (Settings& table : *tables) table.forget_secrets();
    }
  }

  void set(std::string key, Entry entry) { entries_.insert_or_assign(std::move(key), std::move(entry)); }

 private:
  const Entry& entry(std::string_view key) const {
    const auto found = entries_.find(key);
    if (found == entries_.end()) throw std::out_of_range(table_ + " declares no key " + std::string(key));
    return found->second;
  }
  template <class T>
  const T& get(std::string_view key) const {
    const T* value = std::get_if<T>(&entry(key).value);
    if (value == nullptr)
      throw std::out_of_range(
          table_ + "." + std::string(key) +
          (has(key) ? ": is declared as another type" : ": is not given; ask `has` first"));
    return *value;
  }

  std::string table_;
  std::string position_;
  std::map<std::string, Entry, std::less<>> entries_;
};

// What every plugin is. The kinds (Protocol, Storage, Keys, Policy, ...) derive from it.
class Plugin {
 public:
  virtual ~Plugin() = default;

  // [main] Reads settings and the files they name. `host` outlives the plugin.
  virtual Status configure(const Settings& settings, Host& host) = 0;

  // [main] Acquires. A failed start is followed by stop and destroy.
  virtual Status start() { return {}; }

  // [main] Stops accepting work, finishes what runs, gives back what start acquired; by `deadline`.
  virtual void stop(Deadline deadline) { (void)deadline; }

  // [any] A small optional interface by its id, e.g. Archivable::ability_id, or null. The plugin owns it.
  virtual void* ability(std::string_view id) {
    (void)id;
    return nullptr;
  }
};

// The optional interface `Ability` of a plugin, or null when the plugin does not offer it.
template <class Ability>
Ability* ability_of(Plugin& plugin) {
  return static_cast<Ability*>(plugin.ability(Ability::ability_id));
}

// Optional: takes other settings while it runs. For protocols and key providers, of which there are never two
// at once; stages are replaced as a whole and need nothing of this.
class Adjustable {
 public:
  static constexpr std::string_view ability_id = "hanaper.adjustable/1";

  // Settings that were read and found good. Whoever drops it uncommitted has changed nothing.
  class Change {
   public:
    virtual ~Change() = default;
    // [main] From now on they hold; calls under way may end by the old ones.
    virtual void commit() noexcept = 0;
  };

  // [main] Reads the settings as configure does, and refuses what configure would. unsupported, with the
  // name of the setting, where the plugin would have to start anew; the host then says so and goes on.
  virtual Result<std::unique_ptr<Change>> prepare(const Settings& settings) = 0;

 protected:
  ~Adjustable() = default;
};

// The plain description behind the door; read after the ABI tag fits, before anything is created.
// Strings are UTF-8 and static.
struct Manifest {
  std::uint32_t size = sizeof(Manifest);  // so that later fields can be told from absent ones
  const char* kind;                       // "storage"
  const char* name;                       // "sqlite"
  const char* version;
  const char* licence;  // SPDX expression
  const char* summary;  // one line
  const SettingKey* keys;
  std::uint32_t key_count;
  Plugin* (*create)();  // the caller owns the result
  // What has to be known before there is an instance; whatever else a plugin can do, its abilities say.
  bool clusterable = false;  // storages: several nodes may work on the same one
  bool takes_any_pin =
      false;  // keys: the pin is what the first start is given, so `hanaper init` may choose it
};

template <class T>
Plugin* create_plugin() {
  return new T;
}

}  // namespace hanaper

// The stamp. Every part changes layout or symbol names for C++ callers across a shared-object boundary.
#if defined(__SANITIZE_ADDRESS__)
#define HANAPER_ABI_SANITIZER asan
#elif defined(__SANITIZE_THREAD__)
#define HANAPER_ABI_SANITIZER tsan
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HANAPER_ABI_SANITIZER asan
#elif __has_feature(thread_sanitizer)
#define HANAPER_ABI_SANITIZER tsan
#else
#define HANAPER_ABI_SANITIZER plain
#endif
#else
#define HANAPER_ABI_SANITIZER plain
#endif

#ifdef _GLIBCXX_DEBUG
#define HANAPER_ABI_DEBUG 1
#else
#define HANAPER_ABI_DEBUG 0
#endif

// Set by the HanaperSDK package from the OpenSSL it was built with.
#ifndef HANAPER_OPENSSL_MAJOR
#define HANAPER_OPENSSL_MAJOR 0
#endif

#define HANAPER_ABI_NAME_(epoch, gxx, cxx11, debug, sanitizer, openssl) \
  hanaper_abi_epoch##epoch##_gxx##gxx##_cxx11##cxx11##_debug##debug##_##sanitizer##_openssl##openssl
#define HANAPER_ABI_NAME(epoch, gxx, cxx11, debug, sanitizer, openssl) \
  HANAPER_ABI_NAME_(epoch, gxx, cxx11, debug, sanitizer, openssl)
#define HANAPER_ABI_SYMBOL                                                                          \
  HANAPER_ABI_NAME(HANAPER_SDK_EPOCH, __GXX_ABI_VERSION, _GLIBCXX_USE_CXX11_ABI, HANAPER_ABI_DEBUG, \
                   HANAPER_ABI_SANITIZER, HANAPER_OPENSSL_MAJOR)
#define HANAPER_TEXT_(x) #x
#define HANAPER_TEXT(x) HANAPER_TEXT_(x)

// The door: HANAPER_PLUGIN(.kind = "policy", .name = "names", ..., .create = hanaper::create_plugin<Names>);
// once per shared object, at namespace scope.
#define HANAPER_PLUGIN(...)                                                                     \
  extern "C" __attribute__((visibility("default"))) const char HANAPER_ABI_SYMBOL[];            \
  __attribute__((used, section(".hanaper_abi"))) const char HANAPER_ABI_SYMBOL[] =              \
      HANAPER_TEXT(HANAPER_ABI_SYMBOL);                                                         \
  extern "C" __attribute__((visibility("default"))) const ::hanaper::Manifest hanaper_manifest; \
  __attribute__((used))                                                                         \
  const ::hanaper::Manifest hanaper_manifest = {.size = sizeof(::hanaper::Manifest), __VA_ARGS__}
