// Tells watchers of revocations: of this node's at once, of other nodes' within a second.
#pragma once

#include <hanaper/toolkit/swapped.hpp>
#include <hanaper/validity.hpp>

#include <atomic>
#include <memory>

namespace hanaper::validity {

// Thread-safe.
class ChangeFeed {
 public:
  // [main] `watcher` does not throw. Returns what ends that.
  [[nodiscard]] std::function<void()> subscribe(StatusAuthority::Watcher watcher);

  // [worker]
  void publish(const RevocationRow& row) const {
    const auto watchers = watchers_.load();
    for (const auto& watcher : *watchers) (*watcher)(row);
  }

  // [worker] Publishes what the ledger has got since the last time. The first time, which must be before
  // anybody knows anything, only finds out where the ledger stands.
  Status poll(Ledger& ledger);

  // [any] How long ago the ledger was last read to its end: what others have revoked since is not known here.
  std::chrono::milliseconds unheard_for() const noexcept {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::steady_clock::now() - heard_.load());
  }

 private:
  static constexpr std::uint32_t page = 1000;
  using Watchers = std::vector<std::shared_ptr<const StatusAuthority::Watcher>>;

  Swapped<const Watchers> watchers_{std::make_shared<const Watchers>()};  // written by [main]
  std::atomic<std::chrono::steady_clock::time_point> heard_{std::chrono::steady_clock::now()};
  Mutex mutex_;
  std::optional<std::string> cursor_ HANAPER_GUARDED_BY(mutex_);
};

inline std::function<void()> ChangeFeed::subscribe(StatusAuthority::Watcher watcher) {
  const auto added = std::make_shared<const StatusAuthority::Watcher>(std::move(watcher));
  Watchers more = *watchers_.load();
  more.push_back(added);
  watchers_.store(std::make_shared<const Watchers>(std::move(more)));
  return [this, added] {
    Watchers fewer = *watchers_.load();
    std::erase(fewer, added);
    watchers_.store(std::make_shared<const Watchers>(std::move(fewer)));
  };
}

inline Status ChangeFeed::poll(Ledger& ledger) {
  const Lock lock(mutex_);
  const auto begun = std::chrono::steady_clock::now();
  if (!cursor_) {
    HANAPER_TRY(cursor_, ledger.feed_cursor());
    heard_ = begun;
    return {};
  }
  for (;;) {
    HANAPER_TRY(const std::vector<RevocationRow> rows, ledger.revoked_since(*cursor_, page));
    for (const RevocationRow& row : rows) publish(row);
    if (rows.size() < page) break;
  }
  heard_ = begun;
  return {};
}

}  // namespace hanaper::validity
