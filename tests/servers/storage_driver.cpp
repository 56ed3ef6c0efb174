// A storage plugin at the end of a pipe: a test that breaks servers and networks tells it what to do.
//
//   storage_driver PLUGIN.so [KEY=VALUE]...
//
// Reads commands by line and answers each with one line: "ok", "ok VALUE", or "CODE: DETAIL". While `load`
// runs there are lines "ack KEY" and "failed KEY: DETAIL" in between.
#include "../../sdk/testing/kit/subject.hpp"

#include <hanaper/toolkit/crypto.hpp>

#include <cstdio>
#include <iostream>
#include <mutex>
#include <sstream>
#include <thread>

namespace {

using namespace hanaper;

class Driver {
 public:
  Driver() : storage_(dynamic_cast<Storage&>(subject_.plugin())) { subject_.host().run_threads(); }
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;
  ~Driver() { end_load(); }

  void run() {
    say(text(subject_.status()));
    for (std::string line; std::getline(std::cin, line);) say(obey(line));
  }

 private:
  static std::string text(const Status& status) {
    if (status) return "ok";
    return std::string(to_string(status.error().code)) + ": " + status.error().detail;
  }

  void say(const std::string& line) {
    const std::lock_guard lock(mutex_);
    std::cout << line << std::endl;
  }

  // As the host's writer does: counts its own batches, and asks where it stands when one has failed.
  Status put(const std::string& key, const std::string& value, std::uint64_t expected) {
    if (!known_) {
      const auto state = storage_.ledger().writer("driver");
      if (!state) return state.error();
      number_ = state->number;
      known_ = true;
    }
    Write write;
    write.records.push_back({"driver", key, expected, false, {}, {{"kind", "test"}}, value});
    Write* writes[] = {&write};
    Batch batch;
    batch.node = "driver";
    batch.number = number_ + 1;
    crypto::random(batch.token);
    batch.writes = writes;
    Status committed = storage_.commit(batch);
    if (committed)
      ++number_;
    else
      known_ = false;
    return committed;
  }

  std::string obey(const std::string& line) {
    std::istringstream words(line);
    std::string command, key, value;
    std::uint64_t expected = 0;
    words >> command >> key >> value >> expected;
    if (command == "put") return text(put(key, value, expected));
    if (command == "get") {
      const auto record = storage_.records().get("driver", key);
      return record ? "ok " + record->data : text(record.error());
    }
    if (command == "health") return text(storage_.health());
    if (command == "probe") {
      Call call = fakes::test_call();
      return text(subject_.host().fake_scheduler.recurring.at("probe")(call));
    }
    if (command == "probe-aside") {
      aside_ = std::jthread([this] { obey("probe"); });
      return "ok";
    }
    if (command == "lease") {
      const auto fence = fakes::take_lease(storage_.leases(), key, value);
      return fence ? "ok " + std::to_string(fence->epoch) : text(fence.error());
    }
    if (command == "load") {
      load_ = std::jthread([this](const std::stop_token& stop) { load(stop); });
      return "ok";
    }
    if (command == "end") {
      end_load();
      return "ok";
    }
    return "malformed: no command \"" + command + "\"";
  }

  void load(const std::stop_token& stop) {
    for (int i = 0; !stop.stop_requested(); ++i) {
      const std::string key = "load-" + std::to_string(i);
      const Status written = put(key, key, 0);
      say(written ? "ack " + key : "failed " + key + ": " + written.error().detail);
      if (!written) std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
  }

  void end_load() {
    load_.request_stop();
    if (load_.joinable()) load_.join();
  }

  kit::Subject subject_;
  Storage& storage_;
  std::mutex mutex_;  // of standard output
  std::uint64_t number_ = 0;
  bool known_ = false;
  std::jthread load_, aside_;
};

}  // namespace

int main(int count, char** words) {
  if (count < 2) return 2;
  hanaper::kit::target().file = words[1];
  for (int i = 2; i < count; ++i) {
    const std::string word = words[i];
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) return 2;
    hanaper::kit::target().settings.emplace_back(word.substr(0, equals), word.substr(equals + 1));
  }
  Driver().run();
}
