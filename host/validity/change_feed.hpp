// Who wants to know of revocations hears of them: of this node's at once, of other nodes' within a second.
#pragma once

#include <hanaper/validity.hpp>

#include <mutex>

namespace hanaper::validity {

// Thread-safe once everybody has subscribed.
class ChangeFeed {
 public:
  // [main] Before anything is published.
  void subscribe(StatusAuthority::Watcher watcher) { watchers_.push_back(std::move(watcher)); }

  // [worker]
  void publish(const RevocationRow& row) const {
    for (const StatusAuthority::Watcher& watcher : watchers_) watcher(row);
  }

  // [worker] Publishes what the ledger has got since the last time. The first time, which must be before
  // anybody knows anything, only finds out where the ledger stands.
  Status poll(Ledger& ledger);

 private:
  static constexpr std::uint32_t page = 1000;

  std::vector<StatusAuthority::Watcher> watchers_;  // constant once published to
  std::mutex mutex_;
  std::optional<std::string> cursor_;  // guarded by mutex_
};

inline Status ChangeFeed::poll(Ledger& ledger) {
  const std::lock_guard lock(mutex_);
  if (!cursor_) {
    HANAPER_TRY(cursor_, ledger.feed_cursor());
    return {};
  }
  for (;;) {
    HANAPER_TRY(const std::vector<RevocationRow> rows, ledger.revoked_since(*cursor_, page));
    for (const RevocationRow& row : rows) publish(row);
    if (rows.size() < page) return {};
  }
}

}  // namespace hanaper::validity
