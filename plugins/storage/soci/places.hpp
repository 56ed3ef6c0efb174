// Which of several servers is asked.
#pragma once

#include "server.hpp"
#include "watchdog.hpp"

#include <atomic>
#include <memory>
#include <set>

namespace hanaper::sql {

// The places where a database answers, in the order of preference, and which of them do. Where there are
// several, each is asked four times a second by a connection of its own, which waits for no other member of a
// cluster: one that stands still or takes no writes is left at once, with all connections to it, and comes
// back once it has answered for five seconds. Thread-safe.
class Places {
 public:
  static constexpr std::chrono::milliseconds asked_every{250}, answers_within{1000};
  static constexpr int answers_until_back = 20;

  // `open` connects to a place; it throws Failure, and is called on threads of the host, which end before
  // this. So is `dialect`, which owns this, to probe.
  using Open = std::function<std::unique_ptr<Connection>(const Place&)>;
  Places(std::vector<Place> places, Host& host, const Dialect& dialect, Open open);

  // Starts to ask, where there are several.
  void watch();

  // A connection by `connect` to the first place that answers and lets us in. Throws a Failure that says of
  // each why not.
  std::unique_ptr<Connection> connect(const Open& connect);

  // How often a place was left.
  std::uint64_t times_left() const noexcept { return left_; }

 private:
  // A connection as long as it lives: whether a better place has come up, and how it is cut.
  struct Entry final : Connection::Seat {
    Entry(Places& places, std::size_t place, int socket);
    ~Entry() override;
    bool is_best() const override {
      const std::size_t best = places.best_;
      return best == place || best == places.places_.size();
    }
    void cut() const;
    Places& places;
    const std::size_t place;
    const int socket;  // a duplicate: the library may close its own before we know
  };
  struct State {
    bool answers = true;
    int answered = 0;  // since it was left
  };

  std::vector<std::size_t> order() const;
  void ask(Connection& connection) const;
  void keep_asking(std::size_t place, const std::stop_token& stop);
  void answered(std::size_t place);
  void let_in(std::size_t place);
  enum class Connections { stay, are_cut };
  void leave(std::size_t place, const std::string& why, Connections connections);
  void choose() HANAPER_REQUIRES(mutex_);

  const std::vector<Place> places_;
  Host& host_;
  const Dialect& dialect_;
  const Open open_;
  Watchdog watchdog_;

  mutable Mutex mutex_;
  Condition ended_;
  std::vector<State> states_ HANAPER_GUARDED_BY(mutex_);
  std::set<const Entry*> entries_ HANAPER_GUARDED_BY(mutex_);
  std::atomic<std::size_t> best_{0};
  std::atomic<std::uint64_t> left_{0};
  bool watches_ = false;
};

}  // namespace hanaper::sql
