// Plugins on disk: inspected before a single instruction of them runs, loaded once, never unloaded.
#pragma once

#include <hanaper/plugin.hpp>
#include <hanaper/toolkit/mutex.hpp>

#include <map>
#include <memory>

namespace hanaper::loader {

// The tag this host was built with; a plugin must carry the same.
std::string_view host_abi();

// One file of the plugin folder, as `hanaper plugins` shows it.
struct Found {
  std::string file;
  const Manifest* manifest = nullptr;  // null: refused
  std::string refusal;
};

// The plugins of one folder. A file <kind>-<name>.so is loaded when it is asked for, if
//   - it is a regular file that root or this user owns and nobody else may write, in a folder of the same
//   kind,
//   - its ABI tag, read from the file, equals the host's,
//   - its manifest names the kind and the name that its file name says.
// Loaded code stays until the process ends. Thread-safe.
class Catalog {
 public:
  explicit Catalog(std::string folder);
  ~Catalog();

  // not_found when there is no such file, forbidden when its owner or mode is wrong, unsupported when it does
  // not fit. The manifest lives as long as the process.
  Result<const Manifest*> find(std::string_view kind, std::string_view name);

  // A new instance; the caller owns it. Failures as find.
  Result<std::unique_ptr<Plugin>> create(std::string_view kind, std::string_view name);

  // Every shared object of the folder, by file name.
  std::vector<Found> list();

  // Names of files that were loaded and have another content by now.
  std::vector<std::string> changed_files();

  const std::string& folder() const noexcept { return folder_; }

 private:
  struct Loaded;
  Result<const Manifest*> load(const std::string& path, std::string_view kind, std::string_view name)
      HANAPER_REQUIRES(mutex_);
  std::vector<std::string> names(std::string_view kind) const;

  const std::string folder_;
  Mutex mutex_;
  std::map<std::string, std::unique_ptr<Loaded>, std::less<>> loaded_ HANAPER_GUARDED_BY(mutex_);  // by file
};

// Where plugins are installed relative to the running program: <prefix>/bin/x ->
// <prefix>/lib/hanaper/plugins.
std::string default_plugin_folder();

}  // namespace hanaper::loader
