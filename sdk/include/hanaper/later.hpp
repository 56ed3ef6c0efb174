// Answers that come later: a call begins on one thread, and what follows runs on another when the answer is
// there. Nobody waits in between.
//
// Who wants the answer makes a Later and gives it away; who has the answer completes it:
//
//   void Validation::begin(std::shared_ptr<Attempt> attempt, Call& call) {           // [worker]
//     auto answer = laters_.make<HandshakeAnswer, Thread::worker>(
//         call, [this, attempt](Result<HandshakeAnswer> seen, Call& call) {          // [worker], later
//           record(*attempt, judge(seen), call);
//         });
//     connect(attempt->address, std::move(answer));                                  // returns at once
//   }
//
//   void Connection::done() {                                                        // [io], or any other
//     answer_.complete(HandshakeAnswer{...});
//   }
//
// It is completed exactly once, whatever happens: by the first who has an answer; at its deadline, as
// unavailable; when its instance stops, as unavailable; when everybody has let go of it, as internal. The
// host counts further completions and ignores them. A stop and a reload wait until what follows has run.
#pragma once

#include <hanaper/protocol.hpp>

#include <atomic>
#include <functional>
#include <mutex>

namespace hanaper {

// Where runs what follows.
enum class Thread : std::uint8_t {
  worker,   // may block until the deadline of the call
  network,  // memory only: never blocks, never waits for a lock that a blocking thread can hold
};

// What the host keeps of one call that has not finished. Thread-safe.
class Pending {
 public:
  virtual ~Pending() = default;

  virtual const Call& call() const noexcept = 0;  // [any]

  // [any] Runs `then` on a thread of the kind that was asked for, behind the instance's guard. Called once.
  virtual void run(std::function<void(Call&)> then) = 0;

  // [any] `end` is called when the deadline has come or the instance stops; not after `run`. Called once.
  virtual void watch(std::function<void(Error)> end) = 0;

  virtual void ignored() noexcept = 0;  // [any] somebody has completed it once more
};

// The end that is to be completed. Copies are the same one: a timer and a reader may each hold it.
// Thread-safe.
template <class T, Thread where = Thread::worker>
class Later {
 public:
  using Value = T;
  using Then = std::function<void(Result<T>, Call&)>;

  Later(std::shared_ptr<Pending> pending, Then then)
      : state_(std::make_shared<State>(std::move(pending), std::move(then))) {
    // Weakly: only those who could complete it keep it.
    state_->pending->watch([weak = std::weak_ptr<State>(state_)](Error why) {
      if (const auto state = weak.lock()) state->give_up(std::move(why));
    });
  }

  // [any] For whom, and until when. Valid as long as this.
  const Call& call() const noexcept { return state_->pending->call(); }

  // [any] False, and without effect, when it was completed before.
  bool complete(Result<T> result) const { return state_->finish(std::move(result)); }

  // [any] Whether nobody waits any more: who works on the answer may stop.
  bool finished() const noexcept { return state_->done.load(std::memory_order_acquire); }

  // [any] `stop` is called, on whatever thread, when it ends without an answer: to close the socket. At once
  // when it has ended so. It must be quick and must not hold this.
  void when_given_up(std::function<void()> stop) const { state_->when_given_up(std::move(stop)); }

  // [any] For who began it: ends it as unavailable, unless it has been completed. Does not keep it.
  std::function<void()> canceller() const {
    return [weak = std::weak_ptr<State>(state_)] {
      if (const auto state = weak.lock()) state->give_up(unavailable("it was cancelled"));
    };
  }

 private:
  struct State {
    State(std::shared_ptr<Pending> pending_, Then then_)
        : pending(std::move(pending_)), then(std::move(then_)) {}
    ~State() {
      if (!done.load(std::memory_order_acquire))
        finish(internal("nobody has completed it: it was dropped unfinished"));
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    bool finish(Result<T> result) {
      if (done.exchange(true, std::memory_order_acq_rel)) {
        pending->ignored();
        return false;
      }
      hand_over(std::move(result));
      return true;
    }
    void give_up(Error why) {
      if (done.exchange(true, std::memory_order_acq_rel)) return;
      std::function<void()> stop;
      {
        const std::lock_guard lock(mutex);
        given_up = true;
        stop = std::exchange(on_give_up, {});
      }
      if (stop) stop();
      hand_over(std::move(why));
    }
    void when_given_up(std::function<void()> stop) {
      {
        const std::lock_guard lock(mutex);
        if (!given_up) {
          on_give_up = std::move(stop);
          return;
        }
      }
      stop();
    }
    void hand_over(Result<T> result) {
      // Shared, because a std::function is copied and not every answer can be.
      auto answer = std::make_shared<Result<T>>(std::move(result));
      pending->run([then = std::exchange(then, {}), answer = std::move(answer)](Call& call) {
        then(std::move(*answer), call);
      });
    }

    const std::shared_ptr<Pending> pending;
    Then then;  // its only user is who has set `done`
    std::atomic<bool> done{false};
    std::mutex mutex;
    bool given_up = false;             // guarded by mutex
    std::function<void()> on_give_up;  // guarded by mutex
  };

  std::shared_ptr<State> state_;
};

// The calls of one instance that finish later.
class Laters {
 public:
  // [any] What follows `call`'s work, with its id and its deadline.
  template <class T, Thread where = Thread::worker>
  Later<T, where> make(const Call& call, typename Later<T, where>::Then then) {
    return Later<T, where>(begin(where, call), std::move(then));
  }

 protected:
  ~Laters() = default;
  // One that ends at once where the instance has been stopped or too many wait.
  virtual std::shared_ptr<Pending> begin(Thread where, const Call& call) = 0;  // [any]
};

}  // namespace hanaper
