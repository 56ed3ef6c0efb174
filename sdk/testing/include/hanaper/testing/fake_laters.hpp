// Calls that finish later, for tests of plugins: what follows runs at once, in whoever completes.
#pragma once

#include <hanaper/later.hpp>

#include <list>

namespace hanaper::fakes {

// Of one thread.
class FakeLaters final : public Laters {
 public:
  // Ends what waits, as a stop or a deadline does.
  void end(const Error& why) {
    for (const std::weak_ptr<Waiting>& weak : std::list(waiting_))
      if (const auto waiting = weak.lock()) waiting->end(why);
  }

  std::size_t waiting() const {
    std::size_t count = 0;
    for (const std::weak_ptr<Waiting>& weak : waiting_)
      if (const auto waiting = weak.lock()) count += waiting->ran() ? 0 : 1;
    return count;
  }
  std::size_t ignored() const noexcept { return *ignored_; }

 protected:
  std::shared_ptr<Pending> begin(Thread, const Call& call) override {
    auto waiting = std::make_shared<Waiting>(call, ignored_);
    waiting_.push_back(waiting);
    return waiting;
  }

 private:
  class Waiting final : public Pending {
   public:
    Waiting(const Call& call, std::shared_ptr<std::size_t> ignored)
        : call_(call), ignored_(std::move(ignored)) {}
    const Call& call() const noexcept override { return call_; }
    void run(std::function<void(Call&)> then) override {
      ran_ = true;
      Call call = call_;
      then(call);
    }
    void watch(std::function<void(Error)> end) override { end_ = std::move(end); }
    void ignored() noexcept override { ++*ignored_; }
    void end(const Error& why) {
      if (const auto end = std::exchange(end_, {})) end(why);
    }
    bool ran() const noexcept { return ran_; }

   private:
    const Call call_;
    const std::shared_ptr<std::size_t> ignored_;
    std::function<void(Error)> end_;
    bool ran_ = false;
  };

  std::list<std::weak_ptr<Waiting>> waiting_;
  const std::shared_ptr<std::size_t> ignored_ = std::make_shared<std::size_t>(0);
};

}  // namespace hanaper::fakes
