// One CRL over its life: when it is due, who makes it, and what is served meanwhile.
#pragma once

#include "generator.hpp"
#include "published.hpp"

#include <hanaper/toolkit/mutex.hpp>

#include <algorithm>
#include <atomic>

namespace hanaper::crl {

struct Options {
  std::chrono::milliseconds every{0};    // a new one at the latest
  std::chrono::milliseconds overlap{0};  // how long the one before stays valid beyond that
  std::chrono::milliseconds delta{0};    // a delta at the latest; 0: no deltas
  bool on_revoke = true;
  bool keep_expired = false;
  std::size_t part_size = 700'000;  // octets of one of the documents by which other nodes get a CRL
};

// As people and addresses name it: "3", or "ca" for that of authorities' certificates.
inline std::string shard_name(std::uint32_t shard) {
  return shard == authority_shard ? "ca" : std::to_string(shard);
}

// The complete CRL of one shard, or its deltas. Thread-safe.
class List {
 public:
  struct Place {
    std::string path;                     // of the file
    std::string distribution_point = {};  // written into it, with all that it ever had; empty: none
    std::string freshest = {};            // of a complete one: where its deltas are; empty: none
    std::string issuer_url = {};          // where the issuer's certificate is; empty: nowhere
    // Others than these only with a distribution point.
    Scope scope = Scope::any;
    std::vector<StatusAuthority*> of = {};  // whose certificates are on it; empty: the issuer's
  };
  // `complete` is what the deltas of this one add to, and outlives it; null: this is a complete one.
  List(const Options& options, Host& host, StatusAuthority& issuer, std::uint32_t shard, List* complete,
       Place place);

  // [main] Before anything is served: where it is found is said in it from now on. One that does not say so
  // is made again.
  void set_distribution_point(const std::string& url) { place_.distribution_point = url; }

  // [any] Once started: whether there is nobody yet who could sign it.
  bool waits() const { return issuer_.certificate().empty(); }

  // [io] What is to be served; null when there is none yet.
  std::shared_ptr<const Published> current() const { return current_.load(); }

  // [any] A revocation belongs into the next one.
  void touch() { touched_at_ = host_.clock().now().time_since_epoch().count(); }

  // [worker] The same as octets. not_found when there is none yet; unsupported when it is larger than
  // `limit`; unavailable.
  Result<Bytes> der(ByteCount limit) const;

  // [worker] What this node serves, or will: not_found when there is nothing; unavailable.
  Result<CrlRow> held();

  // [worker] Loads what is on disk or on other nodes, makes a new one if it is time.
  Status tend(Call& call);
  // [worker] Makes one now. conflict while another node has the right to.
  Result<CrlRow> make(Call& call);
  // [worker] Makes one now, or has the node make it that has the right to, and waits until this one has it,
  // for 15 s at the longest.
  Result<CrlRow> make_anywhere(Call& call);
  // Under which the other is asked.
  std::string ask_key() const {
    return issuer_.name() + "." + std::to_string(shard_) + (is_delta() ? ".delta" : ".complete");
  }

  // [any] Why there is no valid one, or the one that is served will not be for long and the next cannot be
  // made. Neither another node's right to make it nor a failure long before its end is a reason.
  Status health() const;

  StatusAuthority& issuer() const { return issuer_; }
  // Whether that authority's certificates are on it.
  bool is_of(const StatusAuthority& authority) const {
    return std::ranges::find(place_.of, &authority) != place_.of.end();
  }
  std::uint32_t shard() const { return shard_; }
  bool is_delta() const { return complete_ != nullptr; }
  const std::string& path() const { return place_.path; }
  bool has_distribution_point() const { return !place_.distribution_point.empty(); }
  // Whether revocations make it due: the deltas, where there are any.
  bool is_told() const { return is_delta() == (options_.delta.count() > 0); }

 private:
  Error lack(Error why);
  Result<CrlRow> make_locked(Call& call) HANAPER_REQUIRES(making_);
  // The newest that was completed, from disk or from the node that made it.
  Status adopt() HANAPER_REQUIRES(making_);
  bool adds_to_served(const CrlRow& row) const;
  bool is_alone(const CrlRow& row) const;
  void say(const CrlRow& row);
  void share(const Published& published, Call& call);
  Status fetch(const CrlRow& row);
  std::string part_key(std::size_t part) const { return ask_key() + "." + std::to_string(part); }
  // Where the certificates say that it is: a client that has one with another address does not take it.
  std::vector<std::string> distribution_points() const;
  // Whether the one that is served lacks one of them.
  void look_at_places() HANAPER_REQUIRES(making_);
  Time due_after(const CrlRow& row) const;
  bool is_due(Time now) const;
  bool ends_soon(Time now) const;
  Result<bool> may_lack_some() const;
  Result<bool> is_outdated(const CrlRow& row) const;
  Status plan(Order& order) const;

  const Options& options_;
  Host& host_;
  StatusAuthority& issuer_;
  const std::uint32_t shard_;
  List* const complete_;
  Place place_;  // constant once anything is served
  Counter& made_;
  Counter& failed_;
  Gauge& entries_;
  Gauge& next_update_;
  Collection& parts_;                        // what nodes give each other
  Collection& asks_;                         // and ask of each other
  std::atomic<std::int64_t> touched_at_{0};  // milliseconds since 1970; 0: not since the last one
  std::atomic<std::shared_ptr<const Published>> current_;
  std::atomic<bool> outdated_{false};
  std::atomic<bool> misplaced_{false};
  Mutex own_making_;
  Mutex& making_;  // one for a list and its deltas, whose numbers are one sequence
  Time not_before_ HANAPER_GUARDED_BY(making_){};       // after a failure
  Time looked_ HANAPER_GUARDED_BY(making_){};           // for what other nodes have made
  bool read_back_ HANAPER_GUARDED_BY(making_) = false;  // for revocations of before the start
  // That the one which is served is known to name; nothing: it was not looked at.
  std::optional<std::vector<std::string>> named_ HANAPER_GUARDED_BY(making_);
  mutable Mutex mutex_;
  // Why the last one could not be made; nothing once one was.
  Status failure_ HANAPER_GUARDED_BY(mutex_);
};

}  // namespace hanaper::crl
