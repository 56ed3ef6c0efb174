// Which nodes work on one storage, and which of them live.
//
// Each node has a document of its own, which it writes once a second: a beat. No clock decides who lives: a
// peer is late when this node has committed three beats since the peer's last one, so that a stall of the
// whole cluster makes nobody look dead. Clocks are compared with each beat that comes: certificates and CRLs
// bear their times.
#pragma once

#include "roles.hpp"
#include "writer.hpp"

namespace hanaper::services {

// What a node says of itself.
struct NodeSaid {
  std::string name;                // as configured, unique among those of one storage
  std::string state;               // the id of its state folder
  std::string boot;                // of this run; empty: it has stopped
  std::string version;             // of the program
  std::vector<std::string> urls;   // of its listeners
  std::vector<std::string> roles;  // that it holds
  Time clock;                      // when it wrote that
  bool in_step = false;            // whether its kernel's clock is kept in step with others
  std::uint64_t beat = 0;          // one more each time

  std::string text() const;
  static Result<NodeSaid> read(std::string_view text);
};

// The nodes of one storage, as this one sees them. Thread-safe.
class Nodes {
 public:
  static constexpr std::chrono::seconds beats_every{1};
  // So many committed beats of ours without one of a peer, and it is late.
  static constexpr std::uint64_t late_after = 3;
  // How long somebody under our name is watched before we take it.
  static constexpr std::chrono::seconds watched_for{3};
  // Clocks farther apart are told of; and one that nobody keeps in step has to give way to one that is.
  static constexpr std::chrono::seconds told_beyond{2}, yields_beyond{30};

  struct Means {
    Storage& storage;
    Writer& writer;
    Roles& roles;
    const Clock& clock;
    Log& log;
    // [worker] Whether the kernel's clock is kept in step.
    std::function<bool()> in_step;
  };
  Nodes(Means means, Holder self, std::vector<std::string> urls);
  ~Nodes() { stop(); }

  // [main] Whether the name is ours to write under. conflict while a node with another state folder lives
  // under it, which is watched for up to 3 s by `pause`; unavailable.
  Status claim(const std::function<void(std::chrono::milliseconds)>& pause);

  // [writer] conflict when another node has written under the name since we claimed it; unavailable.
  Status name_is_ours() const;

  // [main] Beats from now on, on a thread of its own. `displaced` is called there, once, when somebody else
  // has written under our name: this node must end, and not take it back. stop says that we are gone.
  void start(std::function<void(Error)> displaced);
  void stop();

  // [worker] What the thread does every second: a beat, a look at the others, and what was asked of roles.
  // conflict when somebody else has our name.
  Status tend();

  // [worker] A look alone: who is there, and nothing of who lives.
  Status look();

  struct Peer {
    NodeSaid said;
    bool lives = false;
    // How far its clock is before ours, give or take half a second; nothing for ourselves.
    std::optional<std::chrono::milliseconds> ahead = std::nullopt;
  };
  // [any] All that were there at the last look, by name.
  std::vector<Peer> peers() const;

  // [any] Whether that run, as Holder::text has it, is over or its node late; false for nodes never seen.
  bool is_over(std::string_view holder) const;

  // [any] Why this node must not issue: its clock is far from another's, and nobody keeps it in step.
  Status yields() const;
  // [any] Whether all clocks are near each other.
  Status clocks() const;

  // [worker] Has the role given to that node, for which its holder and that node have half a minute.
  Status ask_to_move(const std::string& role, const std::string& to, const std::string& by,
                     Deadline deadline);

 private:
  struct Seen {
    NodeSaid said;
    std::uint64_t at = 0;                            // how many beats of ours were committed then
    std::optional<std::chrono::milliseconds> ahead;  // the most of the last few, whose way was the shortest
    std::vector<std::chrono::milliseconds> last;
  };
  struct Clocks {
    Status near, in_step, behind;  // all of them; ours, where another is far; ours, of two that are as good
  };

  Status beat(bool leaving);
  void set_version(std::uint64_t version);
  Status follow_moves();
  void see(NodeSaid said) HANAPER_REQUIRES(mutex_);
  bool lives(const Seen& seen) const HANAPER_REQUIRES(mutex_);
  Clocks judge() const HANAPER_REQUIRES(mutex_);

  const Means means_;
  const Holder self_;
  const std::vector<std::string> urls_;

  std::uint64_t beat_ = 0;  // the beating thread's own

  mutable Mutex mutex_;
  std::uint64_t version_ HANAPER_GUARDED_BY(mutex_) = 0;  // of our row, as we took or wrote it
  std::map<std::string, Seen, std::less<>> seen_ HANAPER_GUARDED_BY(mutex_);
  std::uint64_t committed_ HANAPER_GUARDED_BY(mutex_) = 0;
  Clocks clocks_ HANAPER_GUARDED_BY(mutex_);
  bool quit_ HANAPER_GUARDED_BY(mutex_) = false;
  Condition changed_;
  std::thread thread_;
};

}  // namespace hanaper::services
