// A plugin of any kind that breaks its promises when it is told to, for tests of whoever calls it.
//
// Told (told.hpp) says what happens in which function while the program runs: "decide=std" throws a standard
// exception there, "int" another one, "block" keeps the thread until it says something else.
#pragma once

#include "told.hpp"

#include <hanaper/host.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <thread>

namespace {

using namespace hanaper;

Told& told() {
  static Told nothing;
  static Told* const the_only = [] {
    const char* address = std::getenv("HANAPER_UNRULY");
    return address ? reinterpret_cast<Told*>(std::strtoull(address, nullptr, 16)) : &nothing;
  }();
  return *the_only;
}

bool is_told(std::string_view entry, std::string_view how) {
  return told().what.load() == std::string(entry) + "=" + std::string(how);
}

void act(std::string_view entry) {
  if (is_told(entry, "std")) throw std::runtime_error("a bug of the plugin");
  if (is_told(entry, "int")) throw 7;
  if (!is_told(entry, "block")) return;
  ++told().blocked;
  while (is_told(entry, "block")) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  --told().blocked;
}

constexpr SettingKey keys[] = {
    {"number", SettingType::integer, "1", "1..1000000", "which one"},
    {"configure", SettingType::text, "ok", "ok|fail", "how its configure ends"},
    {"start", SettingType::text, "ok", "ok|fail", "how its start ends"},
    {"file", SettingType::path, "", nullptr, "something that it reads"},
    {"secret", SettingType::secret, "", nullptr, "something that it keeps"},
    {"authorities", SettingType::references, "[]", "authority", "whose status it serves, as a protocol"},
    {"claim", SettingType::text, "good",
     "good|foreign-signer|many-shards|shards|split-alone|relative-url|empty-url|odd-url|long-url|indirect",
     "what it says of that status"},
};

template <class Kind>
class Unruly : public Kind {
 public:
  ~Unruly() override {
    if (host_ != nullptr) host_->log().info("destroyed", {{"number", std::to_string(number_)}});
  }
  Status configure(const Settings& settings, Host& host) override {
    host_ = &host;
    number_ = settings.integer("number");
    fail_ = settings.text("start") == "fail";
    act("configure");
    host.health().check(
        "even",
        [this]() -> Status {
          act("health");
          if (number_ % 2 != 0) return unavailable("number " + std::to_string(number_) + " is odd");
          return {};
        },
        Purpose::node);
    if (settings.text("configure") == "fail") return settings.error("configure", "fails as it was told");
    return {};
  }
  Status start() override {
    host_->log().info("started", {{"number", std::to_string(number_)}});
    act("start");
    host_->scheduler().every("beat", std::chrono::milliseconds{5}, [this](Call&) -> Status {
      act("job");
      host_->log().debug("beat", {{"number", std::to_string(number_)}});
      return {};
    });
    host_->thread("unruly", [](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        act("thread");
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
      }
    });
    static_cast<void>(host_->scheduler().soon("once", [this](Call&) -> Status {
      host_->log().info("done once", {{"number", std::to_string(number_)}});
      return {};
    }));
    if (fail_) return unavailable("fails as it was told");
    return {};
  }
  void stop(Deadline) override {
    host_->log().info("stopped", {{"number", std::to_string(number_)}});
    act("stop");
  }
  void* ability(std::string_view) override {
    act("ability");
    return nullptr;
  }

 protected:
  Host* host_ = nullptr;
  std::atomic<std::int64_t> number_{0};  // a change of settings comes while jobs run
  bool fail_ = false;
};

}  // namespace

#define UNRULY_PLUGIN(KIND, CLASS)                                                            \
  HANAPER_PLUGIN(.kind = KIND, .name = "unruly", .version = "1.2.3", .licence = "Apache-2.0", \
                 .summary = "breaks its promises when it is told to", .keys = keys,           \
                 .key_count = std::size(keys), .create = hanaper::create_plugin<CLASS>)
