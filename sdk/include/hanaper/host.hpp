// The host as a plugin sees it: everything is reached through the Host given to configure, nothing is global.
#pragma once

#include <hanaper/events.hpp>
#include <hanaper/issuer.hpp>
#include <hanaper/later.hpp>
#include <hanaper/outbound.hpp>
#include <hanaper/services.hpp>
#include <hanaper/trust.hpp>
#include <hanaper/validity.hpp>

#include <functional>
#include <stop_token>

namespace hanaper {

// One for each instance: what it is given knows whose it is, and ends with it. The host lives longer than the
// plugin; what is returned by reference is the host's own and lives as long as the Host.
//
// Names of pipelines and authorities are those of settings of the type `reference`. Any other name is a bug
// and throws std::out_of_range.
class Host {
 public:
  virtual Log& log() = 0;              // [any] lines carry the instance's name
  virtual const Clock& clock() = 0;    // [any]
  virtual Metrics& metrics() = 0;      // [any]
  virtual Scheduler& scheduler() = 0;  // [any]
  virtual Health& health() = 0;        // [main]
  virtual Outbound& outbound() = 0;    // [any]

  // [any] Its calls that finish later (later.hpp).
  virtual Laters& laters() = 0;

  // [any] Runs `body`, which is a [worker], on a thread of the instance's own until it returns. A plugin
  // starts no other threads. `name` is what `ps -L` shows: 15 octets. The body is asked to stop when
  // Plugin::stop has returned; a stop waits for it until its deadline. What it throws is in the log, ends
  // that thread alone, and the node is not well until the next start.
  virtual void thread(std::string_view name, std::function<void(const std::stop_token&)> body) = 0;

  // [main] The instance's documents of that name; the same object each time.
  virtual Collection& collection(std::string_view name) = 0;

  // [worker] Writes documents of several collections, all or none, durable when it returns. `writes` come
  // from Collection::bind. conflict when one of them has moved on; malformed when one is beyond its limits;
  // unavailable.
  virtual Status commit(std::vector<RecordWrite> writes, Call& call) = 0;

  // [main] A pipeline, as those see it who ask for certificates, who tell clients of its authority, and who
  // have to know who asks. Usable from start on.
  virtual Issuer& issuer(std::string_view pipeline) = 0;
  virtual Trust& trust(std::string_view pipeline) = 0;
  virtual Authentication& authentication(std::string_view pipeline) = 0;

  // [main] An authority, for code that publishes what became of its certificates. It has a certificate, if at
  // all, from start on.
  virtual StatusAuthority& authority(std::string_view name) = 0;

  // [any] Every authority of this host. A certificate that names one of them as its issuer is known here, or
  // it is forged.
  virtual std::vector<StatusAuthority*> authorities() = 0;

  // [main] From now on `watcher` hears of every revocation, hold and release of that authority's
  // certificates, until the instance ends. Those of this node come before the one who asked hears of success,
  // those of other nodes within a second; one may come twice. It is called on [worker] and is quick.
  virtual void watch(StatusAuthority& authority, StatusAuthority::Watcher watcher) = 0;

  // [main] From now on `source` is where others get the CRL of that shard, until the instance ends. It is
  // called on [worker].
  virtual void offer_crl(StatusAuthority& authority, std::uint32_t shard,
                         StatusAuthority::CrlSource source) = 0;

  // [any] Where relative paths of this installation start: an absolute path without a final slash.
  virtual const std::string& state_folder() const = 0;

  // [any] How the world reaches this protocol instance, without a final slash:
  // "https://pki.example.test/acme".
  virtual const std::string& public_url() const = 0;

  // [worker] This node's part of `job`. The nodes that have asked divide the work among them; 16 can. Shares
  // change as nodes come and go, and for a moment two nodes may have the same one, or one may have no node:
  // so the work must be such that may be done twice, or late. unavailable.
  virtual Result<Share> share(std::string_view job) = 0;

  // [worker] Adds one line to the audit, durable when it returns; the host adds the instance's name. `event`
  // is constant text. It is for refusals that somebody may have to answer for; they stand whether or not they
  // can be written down, and a line that cannot is in the log. In a minute an instance has 50 lines of each
  // kind, 50 for each client and 500 in all; those beyond are counted in a later line: clients cannot fill
  // the ledger.
  virtual void audit(std::string_view event, std::initializer_list<LogField> fields, Call& call) = 0;

  // [any] A word of at most 200 characters for this run of the daemon, which no other run has: for documents
  // that say who is at work on them.
  virtual std::string run() const = 0;

  // [any] Whether nobody is at work under that word any more: that run has ended, or its node is late. Who is
  // taken for gone may come back: what both may do at once must be settled by the version of a document.
  // False for what is not known.
  virtual bool is_over(std::string_view run) const = 0;

  // [any] Whether no other node is known, living or gone, that works on the same storage. Begins as true, and
  // changes when the first look at it tells otherwise, or another comes.
  virtual bool is_alone() const = 0;

  // [any] For how long this node has not heard of revocations, holds and releases: below a second while it
  // can read the ledger.
  virtual std::chrono::milliseconds unheard_for() const = 0;

 protected:
  ~Host() = default;
};

}  // namespace hanaper
