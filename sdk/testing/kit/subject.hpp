// The plugin under test, opened as a host would.
#pragma once

#include <hanaper/testing/fake_host.hpp>

#include <filesystem>
#include <memory>

namespace hanaper::kit {

// What the command line named.
struct Target {
  std::string file;
  std::vector<std::pair<std::string, std::string>>
      settings;        // values may hold {folder}, a fresh one for each test
  std::string before;  // a shell command run before each test: it empties what outlives one
};
Target& target();

// A started instance in a fresh folder; stopped and removed with the object. `reopen` is a restart of the
// process as far as one process can show it.
class Subject {
 public:
  Subject();
  ~Subject();

  // What went wrong, if anything did.
  const Status& status() const noexcept { return status_; }
  fakes::FakeHost& host() noexcept { return host_; }
  Plugin& plugin() noexcept { return *plugin_; }
  const std::filesystem::path& folder() const noexcept { return folder_; }
  void reopen();

  // One that is configured and not started.
  std::unique_ptr<Plugin> configured(Status& status);
  // The same, with other values of some settings.
  std::unique_ptr<Plugin> configured(Status& status,
                                     const std::vector<std::pair<std::string, std::string>>& instead);
  // Another instance over the same folder, as a second node would be.
  std::unique_ptr<Plugin> second_instance();

 private:
  std::unique_ptr<Plugin> open(Status& status);

  const std::filesystem::path folder_;
  fakes::FakeHost host_;
  std::unique_ptr<Plugin> plugin_;
  Status status_;
};

// The manifest of the target; the program ends with a message when it is no plugin that fits.
const Manifest& manifest();

}  // namespace hanaper::kit
