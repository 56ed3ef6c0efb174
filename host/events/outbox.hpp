// Where happenings wait until somebody is told: documents, put in one order.
//
// What an action causes is a document of the action's own commit (`document`). A state that changes is an
// edge (`raise`): whoever sees it says so, and it becomes one document however often it is said. The holder
// of the role "events" gives them numbers (`order`): behind a number nothing comes later.
#pragma once

#include "../services/writer.hpp"
#include "event.hpp"

#include <hanaper/toolkit/mutex.hpp>

#include <deque>
#include <set>

namespace hanaper::events {

// The collections. No instance has such names.
inline constexpr std::string_view new_collection = ".events.new";
inline constexpr std::string_view edge_collection = ".events.edges";
inline constexpr std::string_view ordered_collection = ".events";
inline constexpr std::string_view state_collection = ".events.state";
inline constexpr std::string_view dead_collection = ".events.dead";

// Delivered or not, so long an event stays; no receiver is waited for longer than three days.
inline constexpr auto kept_for = std::chrono::days{30};

// Thread-safe.
class Outbox {
 public:
  // An edge that was seen while storage is away waits in memory; of more than so many the oldest is lost.
  static constexpr std::size_t memory = 1000;

  Outbox(Storage& storage, services::Writer& writer, const Clock& clock, Log& log, std::string node)
      : storage_(storage), writer_(writer), clock_(clock), log_(log), node_(std::move(node)) {}

  // [main] The pipelines that have somebody to tell. What nobody would hear becomes no document.
  void listen(std::set<std::string> pipelines);
  // [any]
  bool hears(const std::string& pipeline) const;
  bool hears() const;

  // [any] What puts it into the outbox, for the commit of the action that caused it.
  RecordWrite document(const Happening& happening);

  // [any] Quick. Once it is stored, the same edge is never stored again, by whatever node.
  void raise(Edge edge);

  // [worker] Stores what was raised; unavailable while storage is away.
  Status flush(Deadline deadline);

  // [worker] Numbers what is new, as the holder of the role; true when there was something. conflict when
  // the role is lost.
  Result<bool> order(const Fence& fence, Deadline deadline);

  // [worker] The number of the last; "" when there was none.
  Result<std::string> last() const;

  struct Ordered {
    std::string number;
    std::string pipeline, authority;
    Event event;
  };
  // [worker] Those behind `after`, at most `limit`.
  Result<std::vector<Ordered>> since(const std::string& after, std::uint32_t limit) const;

 private:
  struct Raised {
    Happening happening;
    std::string key;
  };
  std::string new_key();

  Storage& storage_;
  services::Writer& writer_;
  const Clock& clock_;
  Log& log_;
  const std::string node_;

  mutable Mutex mutex_;
  std::set<std::string> pipelines_ HANAPER_GUARDED_BY(mutex_);
  std::deque<Raised> raised_ HANAPER_GUARDED_BY(mutex_);
  std::set<std::string> known_ HANAPER_GUARDED_BY(mutex_);  // keys of edges that are stored or wait
  // Of the last document's key, in microseconds.
  std::int64_t last_at_ HANAPER_GUARDED_BY(mutex_) = 0;
};

}  // namespace hanaper::events
