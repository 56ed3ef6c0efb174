// Deadlines for many connections at the cost of one timer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace hanaper::http {

// A ring of 512 slots that turns once a tick. A waiter sits in the slot of its deadline; moving the deadline
// back costs an assignment, because the slot is only left when it comes up. Belongs to one thread.
class Wheel {
 public:
  static constexpr std::size_t slots = 512;

  class Waiter {
   public:
    Waiter() = default;
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    virtual void expired() = 0;  // called from advance; may remove itself or others

   protected:
    virtual ~Waiter() { unlink(); }

   private:
    friend class Wheel;
    void unlink() noexcept {
      if (next_ == nullptr) return;
      previous_->next_ = next_;
      next_->previous_ = previous_;
      next_ = previous_ = nullptr;
    }
    Waiter* next_ = nullptr;
    Waiter* previous_ = nullptr;
    std::uint64_t deadline_ = 0;  // in ticks
    std::uint64_t slot_at_ = 0;   // the tick of the slot it sits in
  };

  Wheel() {
    for (Head& head : heads_) head.close();
  }

  // Expires `ticks` from now; replaces an earlier deadline.
  void set(Waiter& waiter, std::uint64_t ticks) noexcept {
    waiter.deadline_ = now_ + (ticks == 0 ? 1 : ticks);
    if (waiter.next_ != nullptr && waiter.slot_at_ <= waiter.deadline_) return;
    place(waiter);
  }
  void remove(Waiter& waiter) noexcept { waiter.unlink(); }

  void advance() {
    ++now_;
    Head& head = heads_[now_ % slots];
    // Those that come due are taken out first: expired() may do as it likes with the wheel.
    Head due;
    due.close();
    for (Waiter* waiter = head.next_; waiter != &head;) {
      Waiter* next = waiter->next_;
      waiter->unlink();
      if (waiter->deadline_ <= now_)
        due.push(*waiter);
      else
        place(*waiter);
      waiter = next;
    }
    while (due.next_ != &due) {
      Waiter* waiter = due.next_;
      waiter->unlink();
      if (waiter->deadline_ > now_)
        place(*waiter);  // put off by one that was due before it
      else
        waiter->expired();
    }
    due.next_ = due.previous_ = nullptr;
  }

 private:
  struct Head final : Waiter {
    void expired() override {}
    void close() noexcept { next_ = previous_ = this; }
    void push(Waiter& waiter) noexcept {
      waiter.next_ = this;
      waiter.previous_ = previous_;
      previous_->next_ = &waiter;
      previous_ = &waiter;
    }
  };

  void place(Waiter& waiter) noexcept {
    waiter.unlink();
    const std::uint64_t latest = now_ + slots - 1;
    waiter.slot_at_ = waiter.deadline_ < latest ? waiter.deadline_ : latest;
    heads_[waiter.slot_at_ % slots].push(waiter);
  }

  std::array<Head, slots> heads_;
  std::uint64_t now_ = 0;
};

}  // namespace hanaper::http
