#include "subject.hpp"

#include <hanaper/toolkit/time_text.hpp>

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace hanaper::kit {
namespace {

[[noreturn]] void give_up(const std::string& line) {
  std::fprintf(stderr, "hanaper-kit: %s\n", line.c_str());
  std::exit(2);
}

std::vector<std::string> split(std::string_view text, char separator = ',') {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return parts;
}

std::string place_of(std::string_view key) {
  return std::string(manifest().kind) + ".kit." + std::string(key);
}

[[noreturn]] void wrong_value(const SettingKey& key, const std::string& text, std::string_view wanted) {
  give_up(place_of(key.name) + ": \"" + text + "\" is not " + std::string(wanted));
}

template <class T>
T must(const SettingKey& key, const std::string& text, Result<T> parsed, std::string_view wanted) {
  if (!parsed) wrong_value(key, text, wanted);
  return *std::move(parsed);
}

bool has_tables_above(std::span<const SettingKey> keys, std::string_view name) {
  return std::ranges::any_of(keys, [&](const SettingKey& key) {
    return key.type == SettingType::tables && name.starts_with(std::string(key.name) + ".");
  });
}

using Given = std::vector<std::pair<std::string, std::string>>;

// "a=1,b=2" as names and texts.
Given pairs_of(const SettingKey& key, const std::string& text) {
  Given pairs;
  for (const std::string& part : split(text)) {
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos) wrong_value(key, text, "NAME=VALUE,...");
    pairs.emplace_back(part.substr(0, equals), part.substr(equals + 1));
  }
  return pairs;
}

Settings settings_of(const std::string& table, std::span<const SettingKey> keys, const Given& given,
                     const std::filesystem::path& folder);

// A value of the command line, or a default, as the setting's type. Tables are written "a=1,b=2;a=3,b=4".
Settings::Value typed(const SettingKey& key, const std::string& text, const std::string& table,
                      std::span<const SettingKey> keys, const std::filesystem::path& folder) {
  switch (key.type) {
    case SettingType::integer: {
      char* end = nullptr;
      const std::int64_t number = std::strtoll(text.c_str(), &end, 10);
      if (text.empty() || *end != '\0') wrong_value(key, text, "a whole number");
      return number;
    }
    case SettingType::boolean:
      if (text != "true" && text != "false") wrong_value(key, text, "true or false");
      return text == "true";
    case SettingType::duration:
      return must(key, text, parse_duration(text), "a duration like 90d");
    case SettingType::size:
      return must(key, text, parse_size(text), "a size like 64KiB");
    case SettingType::secret:
      return Secret(text);
    case SettingType::texts:
    case SettingType::references: {
      if (!text.starts_with('[')) return split(text);
      std::vector<std::string> list;  // the form of defaults: ["a", "b"]
      for (std::size_t at = text.find('"'); at != std::string::npos;) {
        const std::size_t end = text.find('"', at + 1);
        list.push_back(text.substr(at + 1, end - at - 1));
        at = end == std::string::npos ? end : text.find('"', end + 1);
      }
      return list;
    }
    case SettingType::path:
      return text.starts_with('/') ? text : (folder / text).string();
    case SettingType::text:
    case SettingType::reference:
      return text;
    case SettingType::map: {
      std::map<std::string, std::string> map;
      for (auto& [name, value] : pairs_of(key, text)) map.emplace(name, value);
      return map;
    }
    case SettingType::tables: {
      const std::string prefix = std::string(key.name) + ".";
      std::vector<SettingKey> below;
      for (SettingKey each : keys)
        if (std::string_view(each.name).starts_with(prefix)) {
          each.name += prefix.size();
          below.push_back(each);
        }
      std::vector<Settings> tables;
      for (const std::string& one : split(text == "[]" ? "" : text, ';'))
        tables.push_back(settings_of(table + "." + key.name + "[" + std::to_string(tables.size() + 1) + "]",
                                     below, pairs_of(key, one), folder));
      return tables;
    }
  }
  return std::monostate{};
}

// What the host's reader does for configurations: every key is there, and what must be given is.
Settings settings_of(const std::string& table, std::span<const SettingKey> keys, const Given& given,
                     const std::filesystem::path& folder) {
  Settings settings(table, "command line");
  for (const auto& [name, value] : given)
    if (has_tables_above(keys, name) ||
        std::ranges::none_of(keys, [&](const SettingKey& key) { return key.name == name; }))
      give_up(table + "." + name + ": the plugin declares no such setting");
  for (const SettingKey& key : keys) {
    if (has_tables_above(keys, key.name)) continue;
    std::optional<std::string> text;
    if (key.fallback != nullptr && *key.fallback != '\0') text = key.fallback;
    for (const auto& [name, value] : given)
      if (name == key.name) text = value;
    if (!text && key.fallback == nullptr)
      give_up(table + "." + key.name + ": must be given: " + key.doc + "; add " + key.name + "=VALUE");
    Settings::Entry entry{{}, "command line"};
    if (text) {
      for (std::size_t at = text->find("{folder}"); at != std::string::npos; at = text->find("{folder}"))
        text->replace(at, 8, folder.string());
      entry.value = typed(key, *text, table, keys, folder);
    }
    settings.set(key.name, std::move(entry));
  }
  return settings;
}

std::filesystem::path make_folder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "hanaper-kit-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) give_up(pattern + " cannot be created");
  return pattern;
}

}  // namespace

Target& target() {
  static Target the_target;
  return the_target;
}

const Manifest& manifest() {
  static const Manifest* loaded = [] {
    void* handle = ::dlopen(target().file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) give_up(std::string(::dlerror()));
    if (::dlsym(handle, HANAPER_TEXT(HANAPER_ABI_SYMBOL)) == nullptr)
      give_up(target().file + ": not built for " HANAPER_TEXT(HANAPER_ABI_SYMBOL));
    const auto* found = static_cast<const Manifest*>(::dlsym(handle, "hanaper_manifest"));
    if (found == nullptr) give_up(target().file + ": exports no hanaper_manifest");
    return found;
  }();
  return *loaded;
}

Subject::Subject() : folder_(make_folder()), host_("https://pki.example.test/plugin", folder_.string()) {
  if (!target().before.empty() && std::system(target().before.c_str()) != 0)
    give_up("failed: " + target().before);
  plugin_ = open(status_);
}

Subject::~Subject() {
  if (plugin_) plugin_->stop(std::chrono::steady_clock::now() + std::chrono::seconds{5});
  host_.end_threads();
  plugin_.reset();
  std::error_code ec;
  std::filesystem::remove_all(folder_, ec);
}

std::unique_ptr<Plugin> Subject::configured(Status& status) { return configured(status, {}); }

std::unique_ptr<Plugin> Subject::configured(Status& status, const Given& instead) {
  Given given = target().settings;
  given.insert(given.end(), instead.begin(), instead.end());
  const Settings settings = settings_of(std::string(manifest().kind) + ".kit",
                                        {manifest().keys, manifest().key_count}, given, folder_);
  std::unique_ptr<Plugin> plugin(manifest().create());
  status = plugin->configure(settings, host_);
  return plugin;
}

std::unique_ptr<Plugin> Subject::open(Status& status) {
  std::unique_ptr<Plugin> plugin = configured(status);
  if (status) status = plugin->start();
  return plugin;
}

void Subject::reopen() {
  plugin_->stop(std::chrono::steady_clock::now() + std::chrono::seconds{5});
  plugin_.reset();
  plugin_ = open(status_);
}

std::unique_ptr<Plugin> Subject::second_instance() {
  Status status;
  std::unique_ptr<Plugin> plugin = open(status);
  return status ? std::move(plugin) : nullptr;
}

}  // namespace hanaper::kit
