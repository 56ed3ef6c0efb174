#include "subject.hpp"

#include <hanaper/toolkit/time_text.hpp>

#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace hanaper::kit {
namespace {

[[noreturn]] void give_up(const std::string& line) {
  std::fprintf(stderr, "hanaper-kit: %s\n", line.c_str());
  std::exit(2);
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    parts.emplace_back(text.substr(0, comma));
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
  }
  return parts;
}

// A value of the command line, or a default, as the setting's type.
Settings::Value typed(const SettingKey& key, const std::string& text) {
  switch (key.type) {
    case SettingType::integer:
      return static_cast<std::int64_t>(std::strtoll(text.c_str(), nullptr, 10));
    case SettingType::boolean:
      return text == "true";
    case SettingType::duration:
      return parse_duration(text).value_or({});
    case SettingType::size:
      return parse_size(text).value_or({});
    case SettingType::secret:
      return Secret(text);
    case SettingType::texts:
    case SettingType::references: {
      if (text.starts_with('[')) {  // the form of defaults: ["a", "b"]
        std::string plain;
        for (char c : text)
          if (std::string_view("[]\" ").find(c) == std::string_view::npos) plain.push_back(c);
        return split(plain);
      }
      return split(text);
    }
    case SettingType::text:
    case SettingType::path:
    case SettingType::reference:
      return text;
  }
  return std::monostate{};
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
  plugin_.reset();
  std::error_code ec;
  std::filesystem::remove_all(folder_, ec);
}

std::unique_ptr<Plugin> Subject::configured(Status& status) { return configured(status, {}); }

std::unique_ptr<Plugin> Subject::configured(Status& status,
                                            const std::vector<std::pair<std::string, std::string>>& instead) {
  Settings settings(std::string(manifest().kind) + ".kit", "command line");
  for (std::uint32_t i = 0; i < manifest().key_count; ++i) {
    const SettingKey& key = manifest().keys[i];
    std::optional<std::string> text;
    if (key.fallback != nullptr && *key.fallback != '\0') text = key.fallback;
    for (const auto* given : {&target().settings, &instead})
      for (const auto& [name, value] : *given)
        if (name == key.name) text = value;
    Settings::Entry entry{{}, "command line"};
    if (text) {
      for (std::size_t at = text->find("{folder}"); at != std::string::npos; at = text->find("{folder}"))
        text->replace(at, 8, folder_.string());
      if (key.type == SettingType::path && !text->starts_with('/')) text = (folder_ / *text).string();
      entry.value = typed(key, *text);
    }
    settings.set(key.name, std::move(entry));
  }
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
