// The one door through which the host calls into plugins.
//
// No exception passes it, and whoever watches the host can see who is inside: a call that does not come back
// is named while it blocks.
#pragma once

#include "thread_tag.hpp"

#include <hanaper/services.hpp>

#include <set>

namespace hanaper::services {

// What one thread does inside of plugins. Written by that thread alone, read by whoever watches.
struct Gate {
  std::atomic<const std::string*> instance{nullptr};  // null: it is in none. Names live for ever
  std::atomic<std::int64_t> since{0};                 // milliseconds of the coarse steady clock
  ThreadKind kind = ThreadKind::main;
};

// Every thread's gate. Thread-safe.
class Gates {
 public:
  // The calling thread's own; it goes with the thread.
  static Gate& mine() {
    if (mine_ == nullptr) mine_ = &enter();
    return *mine_;
  }

  struct Visit {
    std::string instance;
    std::chrono::milliseconds time;  // spent inside so far
    ThreadKind kind;
  };
  // Who is inside of which instance now, for longer than `least`.
  static std::vector<Visit> visits(std::chrono::milliseconds least);

  // A name that outlives every guard of that name.
  static const std::string& keep(const std::string& name);

  // To a few milliseconds, and cheap. [any]
  static std::int64_t now() noexcept;

 private:
  static Gate& enter();
  static inline thread_local Gate* mine_ = nullptr;
};

// The door of one instance and of everything that it registers. Lives as long as any of them. Thread-safe.
class Guard {
 public:
  Guard(const std::string& instance, Log& log, Metrics& metrics);

  const std::string& instance() const noexcept { return instance_; }

  // Runs `call`, which returns a Result. What it throws becomes Code::internal, is in the log, with the
  // instance and the id of the work, and is counted. `entry` is the name of the plugin's function.
  template <class Function>
  auto run(std::string_view entry, std::string_view id, Function&& call) -> decltype(call()) {
    const Inside inside(*this);
    return catching(entry, id, std::forward<Function>(call));
  }

  // The same without a watch over how long it takes: for an instance's own threads.
  template <class Function>
  auto catching(std::string_view entry, std::string_view id, Function&& call) -> decltype(call()) {
    try {
      return call();
    } catch (const std::exception& error) {
      return caught(entry, id, error.what());
    } catch (...) {
      return caught(entry, id, "of no standard type");
    }
  }

  // The same for calls that have no way to say that they have failed: then `otherwise` stands.
  template <class T, class Function>
  T run_or(T otherwise, std::string_view entry, Function&& call) {
    Result<T> result = run(entry, "", [&]() -> Result<T> { return call(); });
    return result ? *std::move(result) : std::move(otherwise);
  }

 private:
  // Calls are nested: a protocol issues, and a policy decides.
  class Inside {
   public:
    explicit Inside(Guard& guard) : guard_(guard), gate_(Gates::mine()) {
      outer_ = gate_.instance.load(std::memory_order_relaxed);
      outer_since_ = gate_.since.load(std::memory_order_relaxed);
      since_ = Gates::now();
      gate_.since.store(since_, std::memory_order_relaxed);
      gate_.instance.store(&guard.instance_, std::memory_order_release);
    }
    ~Inside() {
      gate_.since.store(outer_since_, std::memory_order_relaxed);
      gate_.instance.store(outer_, std::memory_order_release);
      if (gate_.kind == ThreadKind::io && Gates::now() - since_ > io_limit)
        guard_.was_slow(Gates::now() - since_);
    }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

   private:
    Guard& guard_;
    Gate& gate_;
    const std::string* outer_;
    std::int64_t outer_since_, since_;
  };
  // A network thread has other connections that wait meanwhile.
  static constexpr std::int64_t io_limit = 50;

  Error caught(std::string_view entry, std::string_view id, std::string_view what);
  void was_slow(std::int64_t milliseconds);

  const std::string& instance_;
  Log& log_;
  Counter& exceptions_;
  std::atomic<std::int64_t> told_{0};  // when a slow call was logged last
};

// [any] unavailable, with the plugin's name, while one keeps a network thread for more than 50 ms or another
// thread for more than 30 s.
Status blocked_threads();

}  // namespace hanaper::services
