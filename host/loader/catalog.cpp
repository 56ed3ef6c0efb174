// The only home of Boost.DLL.
#include "catalog.hpp"

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/library_info.hpp>
#include <boost/dll/shared_library.hpp>

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

namespace hanaper::loader {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view tag_prefix = "hanaper_abi_";
constexpr std::size_t max_library = 512u * 1024 * 1024;

// Whoever may add a file to the folder chooses what is loaded: there the sticky bit does not help.
Status check_folder(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return not_found(path.string() + ": " + std::strerror(errno));
  if (!S_ISDIR(status.st_mode)) return forbidden(path.string() + ": is no folder");
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) == 0) return {};
  return forbidden(path.string() + ": others may write it; take that right away (chmod go-w)");
}

// The file that was judged, by a name that means it whatever becomes of its path. The process's number
// instead of "self", so that a debugger finds it as well.
fs::path path_of(const files::Descriptor& file) {
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(file.handle());
}

// "epoch1_gxx1017_cxx111_debug0_plain_openssl3" in words, for a message.
std::string in_words(std::string_view tag) {
  tag.remove_prefix(std::min(tag_prefix.size(), tag.size()));
  std::string text(tag);
  std::ranges::replace(text, '_', ' ');
  return text;
}

// Reads the file's symbol table; nothing is mapped for execution.
Status check_tag(const fs::path& path, const files::Descriptor& file) {
  std::vector<std::string> tags;
  try {
    boost::dll::library_info info(path_of(file));
    for (const std::string& symbol : info.symbols())
      if (symbol.starts_with(tag_prefix)) tags.push_back(symbol);
  } catch (const std::exception&) {
    return unsupported(path.string() + ": not a shared object of this machine");
  }
  if (tags.empty()) return unsupported(path.string() + ": carries no ABI tag; it is no hanaper plugin");
  if (tags.size() > 1)
    return unsupported(path.string() + ": carries " + std::to_string(tags.size()) +
                       " ABI tags; a plugin has one");
  if (tags[0] == host_abi()) return {};
  return unsupported(path.string() + ": built for \"" + in_words(tags[0]) + "\", this host wants \"" +
                     in_words(host_abi()) + "\"; build it with this host's SDK");
}

Result<Fingerprint> digest_of(const fs::path& path, const files::Descriptor& file) {
  HANAPER_TRY(const std::string content, files::read(file, path.string(), max_library));
  return crypto::sha256(as_bytes(content));
}

// Of "…failed (dlerror system message: ./x.so: undefined symbol: f): Bad file descriptor" the middle.
std::string loader_message(const std::exception& error) {
  std::string text = error.what();
  const std::string_view marker = "dlerror system message: ";
  if (const std::size_t start = text.find(marker); start != std::string::npos) {
    text.erase(0, start + marker.size());
    if (const std::size_t end = text.rfind(')'); end != std::string::npos) text.resize(end);
  }
  return text;
}

}  // namespace

std::string_view host_abi() { return HANAPER_TEXT(HANAPER_ABI_SYMBOL); }

struct Catalog::Loaded {
  // Kept open: the loader of the system goes by names, and this one must not come to mean another file.
  files::Descriptor file;
  boost::dll::shared_library library;
  const Manifest* manifest = nullptr;
  Fingerprint digest{};
};

Catalog::Catalog(std::string folder) : folder_(std::move(folder)) {}

// Nothing is ever unloaded: threads and objects of a plugin may outlive the catalog, code must too.
Catalog::~Catalog() {
  static Mutex mutex;
  static auto& kept = *new std::vector<std::unique_ptr<Loaded>>;
  const Lock lock(mutex);
  for (auto& [file, loaded] : loaded_) kept.push_back(std::move(loaded));
}

Result<const Manifest*> Catalog::find(std::string_view kind, std::string_view name) {
  const std::string file = std::string(kind) + "-" + std::string(name) + ".so";
  const Lock lock(mutex_);
  if (const auto found = loaded_.find(file); found != loaded_.end()) return found->second->manifest;
  const fs::path path = fs::path(folder_) / file;
  if (!fs::exists(path)) {
    std::string known;
    for (const std::string& other : names(kind)) known += (known.empty() ? "; there are " : ", ") + other;
    return not_found("no " + std::string(kind) + " plugin \"" + std::string(name) + "\" in " + folder_ +
                     known);
  }
  return load(path, kind, name);
}

Result<const Manifest*> Catalog::load(const std::string& path, std::string_view kind, std::string_view name) {
  std::error_code ec;
  const fs::path real = fs::canonical(path, ec);
  if (ec) return not_found(path + ": " + ec.message());
  auto loaded = std::make_unique<Loaded>();
  HANAPER_TRY(loaded->file, files::open_trusted(fs::absolute(path).string()));
  // Of a link both ends count: who may change the link chooses what is loaded.
  HANAPER_CHECK(check_folder(fs::path(path).parent_path()));
  HANAPER_CHECK(check_folder(real.parent_path()));
  HANAPER_CHECK(check_tag(real, loaded->file));
  HANAPER_TRY(loaded->digest, digest_of(real, loaded->file));
  try {
    using namespace boost::dll;
    loaded->library.load(path_of(loaded->file), load_mode::rtld_now | load_mode::rtld_local);
    loaded->manifest = &loaded->library.get<const Manifest>("hanaper_manifest");
  } catch (const std::exception& error) {
    std::string message = loader_message(error);
    const std::string loaded_as = path_of(loaded->file).string();
    if (message.starts_with(loaded_as)) message.replace(0, loaded_as.size(), real.string());
    return unsupported(message.starts_with(real.string()) ? message : path + ": " + message);
  }
  const Manifest& manifest = *loaded->manifest;
  if (manifest.size < sizeof(Manifest)) return unsupported(path + ": its manifest is of an older form");
  if (manifest.kind != kind || manifest.name != name)
    return unsupported(path + ": is the " + manifest.kind + " plugin \"" + manifest.name +
                       "\"; its file must be called " + manifest.kind + "-" + manifest.name + ".so");
  const Manifest* result = loaded->manifest;
  loaded_.emplace(fs::path(path).filename().string(), std::move(loaded));
  return result;
}

std::vector<std::string> Catalog::changed_files() {
  std::vector<std::string> changed;
  const Lock lock(mutex_);
  for (const auto& [file, loaded] : loaded_) {
    const fs::path path = fs::path(folder_) / file;
    const auto now = files::open_trusted(path.string());
    const auto digest = now ? digest_of(path, *now) : Result<Fingerprint>(now.error());
    if (!digest || *digest != loaded->digest) changed.push_back(file);
  }
  return changed;
}

Result<std::unique_ptr<Plugin>> Catalog::create(std::string_view kind, std::string_view name) {
  HANAPER_TRY(const Manifest* manifest, find(kind, name));
  return std::unique_ptr<Plugin>(manifest->create());
}

std::vector<std::string> Catalog::names(std::string_view kind) const {
  const std::string prefix = std::string(kind) + "-";
  std::vector<std::string> result;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(folder_, ec)) {
    const std::string file = entry.path().filename();
    if (file.starts_with(prefix) && file.ends_with(".so"))
      result.push_back(file.substr(prefix.size(), file.size() - prefix.size() - 3));
  }
  std::ranges::sort(result);
  return result;
}

std::vector<Found> Catalog::list() {
  std::vector<std::string> files;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(folder_, ec))
    if (entry.path().extension() == ".so") files.push_back(entry.path().filename());
  std::ranges::sort(files);
  std::vector<Found> result;
  for (const std::string& file : files) {
    const std::size_t dash = file.find('-');
    Found found{file, nullptr, {}};
    if (dash == std::string::npos) {
      found.refusal = (fs::path(folder_) / file).string() + ": is not called KIND-NAME.so";
    } else if (auto manifest = find(file.substr(0, dash), file.substr(dash + 1, file.size() - dash - 4))) {
      found.manifest = *manifest;
    } else {
      found.refusal = manifest.error().detail;
    }
    result.push_back(std::move(found));
  }
  return result;
}

std::string default_plugin_folder() {
  std::error_code ec;
  const fs::path program = fs::read_symlink("/proc/self/exe", ec);
  return (program.parent_path().parent_path() / "lib" / "hanaper" / "plugins").string();
}

}  // namespace hanaper::loader
