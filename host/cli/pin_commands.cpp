// keys repin: the keys and the file that their pin is in change together.
#include "print.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>

namespace hanaper::cli {
namespace {

namespace fs = std::filesystem;

struct PinPlace {
  std::string instance;
  std::string file;  // empty: a credential of systemd's
};

// The key provider that is meant, and where its pin comes from.
PinPlace find_pin(Session& session) {
  config::Messages messages;
  const config::Table root = config::read(session.config_file(), session.line().texts("--set"), messages);
  if (!messages.empty()) throw Failure{2, messages.lines()};
  const std::string state = session.model(false).node.state;
  const config::Entry* group = root.find("keys");
  const config::Table* providers = group != nullptr ? group->value.table() : nullptr;
  std::string wanted = session.line().positional.empty() ? "" : session.line().positional.front(), known;
  const config::Entry* found = nullptr;
  if (providers != nullptr)
    for (const config::Entry& provider : *providers) {
      known += (known.empty() ? "" : ", ") + provider.key;
      if (wanted.empty() ? providers->size() == 1 : provider.key == wanted) found = &provider;
    }
  if (found == nullptr)
    misuse((wanted.empty() ? "name a key provider" : "no keys instance \"" + wanted + "\"") + "; there are " +
           known);
  const config::Table* settings = found->value.table();
  const config::Entry* pin = settings != nullptr ? settings->find("pin") : nullptr;
  const config::Table* source = pin != nullptr ? pin->value.table() : nullptr;
  if (source == nullptr || source->size() != 1 || source->begin()->value.text() == nullptr)
    fail(unsupported("keys." + found->key + " has no pin that could be changed"));
  const bool is_file = source->begin()->key == "file";
  return {found->key,
          is_file ? (fs::path(state) / *source->begin()->value.text()).lexically_normal().string() : ""};
}

}  // namespace

int run_repin(Session& session) {
  const CommandLine& line = session.line();
  const PinPlace place = find_pin(session);
  if (place.file.empty() && !line.has("--new-pin"))
    session.misuse("--new-pin FILE is needed: the pin of keys." + place.instance +
                   " is a credential, which only you can change");
  std::string pin =
      line.has("--new-pin") ? read_input(line.text("--new-pin")) : crypto::random_name(24) + "\n";
  const std::string beside = place.file + ".new";
  if (!place.file.empty()) {
    struct stat old {};
    if (::stat(place.file.c_str(), &old) != 0) fail(not_found(place.file + ": there is no such file"));
    if (fs::exists(beside))
      fail(conflict(beside +
                    " is left from a change that was cut off: if the keys open with it, move it over " +
                    place.file + ", else delete it"));
    if (Status written = files::create(beside, pin, 0600); !written) fail(written.error());
    // Where root does it for the daemon's user.
    if (::geteuid() == 0 && ::chown(beside.c_str(), old.st_uid, old.st_gid) != 0)
      fail(unavailable(beside + ": cannot be given to its owner"));
  }
  json::Value done;
  try {
    done = session.run(
        "keys.repin", json::Object{{"instance", place.instance}, {"new_pin", base64::encode(as_bytes(pin))}});
  } catch (...) {
    if (!place.file.empty()) ::unlink(beside.c_str());
    crypto::wipe({reinterpret_cast<std::uint8_t*>(pin.data()), pin.size()});
    throw;
  }
  crypto::wipe({reinterpret_cast<std::uint8_t*>(pin.data()), pin.size()});
  if (!place.file.empty()) {
    std::error_code ec;
    fs::rename(beside, place.file, ec);
    if (ec)
      fail(unavailable("the keys open with the pin in " + beside + " now; move it over " + place.file + ": " +
                       ec.message()));
  }
  if (line.has("--json")) {
    print_json(done);
    return 0;
  }
  std::cout << "keys." << place.instance << ": " << *done.find("keys")->integer()
            << " keys have a new pin, in "
            << (place.file.empty()
                    ? "the file that you gave: put it where the credential comes from before the next start"
                    : place.file + "; keep a copy of it apart from backups")
            << "\n";
  return 0;
}

}  // namespace hanaper::cli
