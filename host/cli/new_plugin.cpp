// new-plugin: a folder with a plugin that builds, passes its kit, and does next to nothing.
#include "print.hpp"
#include "skeleton.hpp"

#include "../config/model.hpp"

#include <hanaper/toolkit/files.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>

namespace hanaper::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_name = 32;

// What differs between the kinds, besides the code.
struct Kind {
  std::string_view kind;
  std::string_view libraries = "";  // of hanaper_add_plugin
  std::string_view kit = "";        // of hanaper_test_plugin
  std::string_view row;             // of the README's table of keys
  std::string_view settings = "";   // of the README's example
  std::string_view readiness = "Always.";
};

constexpr Kind kind_texts[] = {
    {.kind = "protocol",
     .kit = " pipeline=web",
     .row = "| `pipeline` | reference | | what issues the certificates |",
     .settings = "listener = \"public\"\npath = \"/@name@\"\npipeline = \"web\""},
    {.kind = "storage",
     .libraries = " LIBRARIES HanaperSDK::testing",
     .kit = " --gtest_filter=StorageKit.*:PluginKit.*-StorageKit.RemembersAfterAReopen:StorageKit."
            "KeepsTheTokenOfEachNodesLastBatch",
     .row = "| `file` | path | `@name@.db` | where everything will be |",
     .readiness = "`storage.<instance>`: a commit would succeed."},
    {.kind = "keys",
     .kit = " pin=a-pin-of-some-length",
     .row = "| `folder` | path | `@name@` | where the key files are |\n| `pin` | secret | | what encrypts "
            "the key files |",
     .settings = "pin = { file = \"pin\" }",
     .readiness = "`keys.<instance>`: the folder is there."},
    {.kind = "authenticator",
     .kit = " token=a-token-of-some-length",
     .row = "| `token` | secret | | what a client sends as its bearer token |",
     .settings = "token = { file = \"token\" }"},
    {.kind = "policy", .row = "| `most` | integer | `10` | how many names a certificate may have |"},
    {.kind = "validator", .row = "| `most` | size | `4KiB` | how large a certificate may be |"},
    {.kind = "publisher", .row = "| `folder` | path | `published` | where each event becomes a file |"},
    {.kind = "notifier", .row = "| `level` | text | `warning` | how loud the log is told of events |"},
};

Status check_name(std::string_view name) {
  const bool characters = std::ranges::all_of(
      name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
  if (name.empty() || name.size() > max_name || !characters || name[0] < 'a' || name.ends_with('-') ||
      name.find("--") != std::string_view::npos)
    return malformed("\"" + std::string(name) + "\" is no plugin name: 1 to " + std::to_string(max_name) +
                     " of a-z, 0-9 and single hyphens, a letter first");
  return {};
}

// "at-least" to "AtLeast".
std::string class_name(std::string_view name) {
  std::string result;
  bool upper = true;
  for (char c : name) {
    if (c != '-') result.push_back(upper && c >= 'a' ? static_cast<char>(c - 32) : c);
    upper = c == '-';
  }
  return result;
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

std::string fill(std::string text, const Kind& kind, std::string_view name) {
  std::string underscored(name);
  std::ranges::replace(underscored, '-', '_');
  const std::string settings = kind.settings.empty() ? "" : "\n" + std::string(kind.settings);
  replace_all(text, "@rows@", kind.row);
  replace_all(text, "@example@", "[@kind@.@name@]" + settings);
  replace_all(text, "@readiness@", kind.readiness);
  replace_all(text, "@libraries@", kind.libraries);
  replace_all(text, "@kit@", kind.kit);
  replace_all(text, "@kind@", kind.kind);
  replace_all(text, "@name@", name);
  replace_all(text, "@name_@", underscored);
  replace_all(text, "@Class@", class_name(name));
  return text;
}

}  // namespace

Result<std::vector<NewFile>> skeleton(std::string_view kind, std::string_view name) {
  const auto found = std::ranges::find(kind_texts, kind, &Kind::kind);
  if (found == std::end(kind_texts)) {
    const std::vector<std::string> known(std::begin(config::kinds), std::end(config::kinds));
    std::string hint = config::suggestion(kind, known);
    if (hint.empty())
      for (const std::string& other : known) hint += (hint.empty() ? "; there are " : ", ") + other;
    return malformed("no kind \"" + std::string(kind) + "\"" + hint);
  }
  HANAPER_CHECK(check_name(name));
  std::vector<NewFile> files;
  for (const auto& [file, from] : {std::pair<std::string, std::string>{"CMakeLists.txt", "CMakeLists.txt"},
                                   {"README.md", "README.md"},
                                   {".gitignore", "gitignore"},
                                   {"plugin.cpp", std::string(kind) + ".cpp"}}) {
    const auto text = std::ranges::find(templates(), from, &Template::name);
    if (text == templates().end()) return internal("no template " + from);
    files.push_back({file, fill(std::string(text->text), *found, name)});
  }
  return files;
}

int run_new_plugin(Session& session) {
  const std::string kind = session.line().positional[0], name = session.line().positional[1];
  const auto files = skeleton(kind, name);
  if (!files) misuse(files.error().detail);
  const fs::path folder = session.line().text("--folder", kind + "-" + name);
  std::error_code error;
  if (fs::exists(fs::symlink_status(folder, error)))
    fail(conflict(folder.string() + ": exists already; name another folder with --folder"));
  if (!fs::create_directories(folder, error)) fail(unavailable(folder.string() + ": " + error.message()));
  // A source tree is no secret, whatever the umask of this program.
  fs::permissions(folder, fs::perms(0755), error);
  const bool as_json = session.line().has("--json");
  json::Array paths;
  for (const NewFile& file : *files) {
    const fs::path path = folder / file.name;
    if (Status made = files::create(path, file.text, 0644); !made) fail(made.error());
    fs::permissions(path, fs::perms(0644), error);
    paths.emplace_back(path.string());
    if (!as_json) std::cout << path.string() << "\n";
  }
  if (as_json) {
    print_items(std::move(paths));
    return 0;
  }
  std::cout << "now: cd " << folder.string()
            << " && cmake -B build && cmake --build build && ctest --test-dir build\n";
  return 0;
}

}  // namespace hanaper::cli
