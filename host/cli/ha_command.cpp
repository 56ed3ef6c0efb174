// ha templates: the files of two sites and an arbiter, out of their addresses.
#include "print.hpp"
#include "skeleton.hpp"

#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/identifiers.hpp>

#include <arpa/inet.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

namespace hanaper::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_interface = 15;  // IFNAMSIZ - 1

using Words = std::vector<std::pair<std::string, std::string>>;  // @word@ and what stands for it

// One pass from the left: what is filled in is not searched again.
std::string fill(std::string_view text, const Words& words) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const auto found = std::ranges::find_if(
        words, [&](const auto& word) { return text.substr(at).starts_with("@" + word.first + "@"); });
    if (found == words.end()) {
      result.push_back(text[at++]);
      continue;
    }
    result += found->second;
    at += found->first.size() + 2;
  }
  return result;
}

Status check_address(const std::string& option, const std::string& text) {
  in_addr address{};
  if (::inet_pton(AF_INET, text.c_str(), &address) != 1)
    return malformed(option + ": \"" + text + "\" is no IPv4 address");
  const std::uint32_t number = ntohl(address.s_addr);
  if (number >> 24 == 0 || number >> 24 == 127 || number >> 28 >= 14)
    return malformed(option + ": " + text + " is no address of one machine in a network");
  return {};
}

bool is_interface(std::string_view name) {
  return !name.empty() && name.size() <= max_interface && name != "." && name != ".." &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                  c == '_' || c == '-';
         });
}

Result<Words> read_words(const CommandLine& line) {
  Words words;
  for (const std::string name : {"a", "b", "c", "issue", "status", "back"}) {
    const std::string option = "--" + name, address = line.text(option);
    if (address.empty()) return malformed(option + " is missing");
    HANAPER_CHECK(check_address(option, address));
    for (const auto& [other, taken] : words)
      if (taken == address)
        return malformed(option + " and --" + other + " are both " + address +
                         "; each machine and each floating address has its own");
    words.emplace_back(name, address);
  }
  const std::string interface = line.text("--interface", "eth0");
  if (!is_interface(interface)) return malformed("--interface: \"" + interface + "\" is no interface name");
  const std::string given = line.text("--domain");
  std::string domain;
  if (!given.empty()) {
    const auto normal = x509::normal_dns_name(given, false);
    if (!normal) return malformed("--domain: \"" + given + "\" is no domain name");
    domain = *normal;
  }
  const Words addresses = words;
  for (const auto& [name, address] : addresses)
    words.emplace_back(name + "_host", domain.empty() ? address : name + "." + domain);
  const std::string issue = line.text("--issue");
  words.emplace_back("issue_names",
                     (domain.empty() ? "" : "\"issue." + domain + "\", ") + "\"" + issue + "\"");
  words.emplace_back("interface", interface);
  return words;
}

Words with(Words words, const std::string& name, const std::string& peer, const std::string& priority) {
  const auto address = [&](const std::string& of) {
    return std::ranges::find(words, of, &Words::value_type::first)->second;
  };
  const std::string own = address(name), other = address(peer);
  words.insert(words.end(), {{"name", name}, {"own", own}, {"peer", other}, {"priority", priority}});
  return words;
}

}  // namespace

Result<std::vector<NewFile>> ha_files(const CommandLine& line) {
  HANAPER_TRY(const Words words, read_words(line));
  const std::pair<std::string_view, Words> machines[] = {{"site/", with(words, "a", "b", "150")},
                                                         {"site/", with(words, "b", "a", "100")},
                                                         {"arbiter/", with(words, "c", "a", "0")}};
  std::vector<NewFile> files;
  for (const Template& text : ha_templates()) {
    if (text.name.find('/') == std::string_view::npos)
      files.push_back({std::string(text.name), fill(text.text, words)});
    for (const auto& [folder, own] : machines)
      if (text.name.starts_with(folder))
        files.push_back(
            {fill("@name@/", own) + std::string(text.name.substr(folder.size())), fill(text.text, own)});
  }
  std::ranges::sort(files, {}, &NewFile::name);
  return files;
}

int run_ha_templates(Session& session) {
  const CommandLine& line = session.line();
  const std::string out = line.text("--out");
  if (out.empty()) session.misuse("--out is missing");
  const auto files = ha_files(line);
  if (!files) session.misuse(files.error().detail);
  std::error_code error;
  if (fs::exists(fs::symlink_status(out, error)))
    fail(conflict(out + ": exists already; name another folder with --out"));
  const bool as_json = line.has("--json");
  json::Array paths;
  for (const NewFile& file : *files) {
    const fs::path path = fs::path(out) / file.name;
    fs::create_directories(path.parent_path(), error);
    if (error) fail(unavailable(path.parent_path().string() + ": " + error.message()));
    if (Status made = files::create(path, file.text, 0644); !made) fail(made.error());
    paths.emplace_back(path.string());
    if (!as_json) std::cout << path.string() << "\n";
  }
  // No secrets; other users of the machines read them there, whatever the umask of this program.
  fs::permissions(out, fs::perms(0755), error);
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(out))
    fs::permissions(entry.path(), fs::perms(entry.is_directory() ? 0755 : 0644), error);
  if (as_json) print_items(std::move(paths));
  return 0;
}

}  // namespace hanaper::cli
