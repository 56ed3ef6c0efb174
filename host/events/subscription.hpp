// What one instance is told for one pipeline: where it stands, and the way from there.
#pragma once

#include "outbox.hpp"

#include <hanaper/validity.hpp>

#include <functional>

namespace hanaper::events {

// An authority whose certificate and CRLs a pipeline's instances are told of.
struct ToldAuthority {
  StatusAuthority* authority = nullptr;
  std::vector<std::uint32_t> shards;  // those of which this node publishes CRLs
  bool issues = false;                // the pipeline's own, or one that it has taken over from
  bool first = true;                  // of all subscriptions of its instance the first that is told of it
};

// Whom to tell, and of what.
struct Subscriber {
  std::string pipeline;
  std::string instance;            // "notifier.ops"
  bool publishes = false;          // gets events that have an object, and no others
  bool first = false;              // of all subscribers of its instance: is told what belongs to no pipeline
  bool from_beginning = false;     // of the ledger; else from now
  std::vector<std::string> types;  // empty: all
  std::vector<ToldAuthority> authorities;
  const void* plugin = nullptr;  // which instance it is: a reload may bring another of that name
  // [worker] The instance's publish or notify; what it throws is an error.
  std::function<Status(const Event&, Call&)> deliver;

  std::string name() const { return pipeline + "/" + instance; }
};

// Where one stands: all of it is a document, written with what was done.
struct Position {
  std::string issued, revoked, ordered;        // cursors: everything before them is done
  std::set<std::string> done;                  // ids of what is done behind them
  std::map<std::string, std::string> objects;  // "crl/issuing/0" to the digest that was told last
  std::optional<Time> failing_since;
  std::uint32_t tries = 0;
  Time again_at;
  std::string error;            // of the last try
  std::optional<Time> waiting;  // when the oldest happened that is not done
  std::uint64_t version = 0;

  static Result<Position> read(const Record& record);
  std::string write() const;
};

// The collection of positions, by Subscriber::name.
inline constexpr std::string_view position_collection = ".events.positions";

struct DeadLetter {
  std::string id;
  std::string pipeline, instance;
  std::string error;
  Time at;
  bool whole = true;  // false: its object was too large to be kept
  Event event;
  std::uint64_t version = 0;

  static Result<DeadLetter> read(const Record& record);
};

// Where one subscription stands, for people.
struct Standing {
  std::string pipeline, instance;
  Position position;
};

// [worker] Every subscription that has begun, in the order of their names; some may be configured no more.
Result<std::vector<Standing>> standings(Records& records);
// [worker] Dead letters behind the one with the id `after`, of one subscription ("web/notifier.ops") or, when
// `of` is empty, of all, the oldest first; at most `limit`.
Result<std::vector<DeadLetter>> dead_letters(Records& records, const std::string& of,
                                             const std::string& after, std::uint32_t limit);

// All outlive it.
struct Context {
  Storage& storage;
  services::Writer& writer;
  Outbox& outbox;
  const Clock& clock;
  Log& log;
  Metrics& metrics;
};

// One thread at a time.
class Subscription {
 public:
  // Tried again for so long, and with such pauses.
  static constexpr auto patience = std::chrono::days{3};
  static constexpr std::chrono::seconds first_pause{1}, longest_pause{600}, longest_asked_pause{3600};
  // How long a call may take.
  static constexpr std::chrono::seconds call_time{30};
  static constexpr auto dead_kept_for = std::chrono::days{90};

  Subscription(Subscriber subscriber, Context context);

  // [worker] Tells what there is to tell, until something has to be tried later or `may_go_on` says no;
  // true when there was more than one page. An error is storage's, or conflict: the role is lost.
  Result<bool> step(const Fence& fence, const std::function<bool()>& may_go_on);

  // [worker] Sends one event at once; what comes of it is only said.
  Status send(const Event& event) const;

  // Forgets what it knows of its position; the next step reads it.
  void forget() {
    position_.reset();
    lag_.set(0);
  }

  const Subscriber& subscriber() const noexcept { return subscriber_; }

 private:
  struct Page;
  Status find_position(const Fence& fence);
  Result<Page> page();
  Result<bool> add_objects(Page& page);
  Status add_crl(Page& page, StatusAuthority& authority, std::uint32_t shard);
  Status add_ledger(Page& page);
  bool differs(const std::string& key, const std::string& digest) const;
  bool concerns(const Outbox::Ordered& document) const;
  bool is_wanted(const Event& event) const;
  // False when it has to be tried again.
  bool tell(const Event& event, std::vector<RecordWrite>& dead);
  void put_off(const Error& error, Time now);
  RecordWrite dead_letter(const Event& event, const Error& error) const;
  void show_lag();
  Status remember(const Fence& fence, const Event* waiting, std::vector<RecordWrite>& dead);
  Result<bool> finish(const Fence& fence, Page all, bool changed, std::vector<RecordWrite>& dead);
  Status store(const Fence& fence, std::vector<RecordWrite>& with);
  const ToldAuthority* issuing(AuthorityId id) const;

  const Subscriber subscriber_;
  const Context context_;
  Counter& delivered_;
  Counter& failed_;
  Counter& dead_;
  Gauge& lag_;
  std::optional<Position> position_;
  Time objects_at_;        // when they are looked at again
  std::string too_large_;  // the last of them that could not be told
};

}  // namespace hanaper::events
