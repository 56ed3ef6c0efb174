#include "http/wheel.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

namespace hanaper::http {
namespace {

class Guest final : public Wheel::Waiter {
 public:
  explicit Guest(std::function<void()> on_expired = {}) : on_expired_(std::move(on_expired)) {}
  void expired() override {
    ++expiries;
    if (on_expired_) on_expired_();
  }
  int expiries = 0;

 private:
  std::function<void()> on_expired_;
};

void advance(Wheel& wheel, std::uint64_t ticks) {
  for (; ticks != 0; --ticks) wheel.advance();
}

TEST(Wheel, ExpiresAtTheTickThatWasAskedFor) {
  for (const std::uint64_t ticks : {1u, 2u, 510u, 511u, 512u, 513u, 1023u, 1024u, 5000u}) {
    SCOPED_TRACE(ticks);
    Wheel wheel;
    Guest guest;
    advance(wheel, 77);
    wheel.set(guest, ticks);
    advance(wheel, ticks - 1);
    EXPECT_EQ(guest.expiries, 0);
    advance(wheel, 1);
    EXPECT_EQ(guest.expiries, 1);
    advance(wheel, 2 * Wheel::slots);
    EXPECT_EQ(guest.expiries, 1);
  }
}

TEST(Wheel, TakesNoTicksForOne) {
  Wheel wheel;
  Guest guest;
  wheel.set(guest, 0);
  EXPECT_EQ(guest.expiries, 0);
  advance(wheel, 1);
  EXPECT_EQ(guest.expiries, 1);
}

TEST(Wheel, ForgetsWhoLeaves) {
  Wheel wheel;
  Guest stays;
  wheel.set(stays, 3);
  {
    Guest goes;
    wheel.set(goes, 3);
  }
  Guest removed;
  wheel.set(removed, 3);
  wheel.remove(removed);
  wheel.remove(removed);
  advance(wheel, 10);
  EXPECT_EQ(stays.expiries, 1);
  EXPECT_EQ(removed.expiries, 0);
}

TEST(Wheel, LetsAGuestComeBackFromItsOwnExpiry) {
  Wheel wheel;
  Guest* self = nullptr;
  Guest guest([&] { wheel.set(*self, 5); });
  self = &guest;
  wheel.set(guest, 5);
  advance(wheel, 50);
  EXPECT_EQ(guest.expiries, 10);
}

TEST(Wheel, LetsAGuestPutOffAnotherThatIsDueAtTheSameTick) {
  Wheel wheel;
  Guest second;
  Guest first([&] { wheel.set(second, 10); });
  wheel.set(first, 1);
  wheel.set(second, 1);
  advance(wheel, 10);
  EXPECT_EQ(first.expiries, 1);
  EXPECT_EQ(second.expiries, 0);
  advance(wheel, 1);
  EXPECT_EQ(second.expiries, 1);
}

TEST(Wheel, LetsAGuestRemoveOthersThatAreDueAtTheSameTick) {
  Wheel wheel;
  auto second = std::make_unique<Guest>();
  Guest third;
  Guest first([&] {
    second.reset();
    wheel.remove(third);
  });
  wheel.set(first, 1);
  wheel.set(*second, 1);
  wheel.set(third, 1);
  advance(wheel, 3);
  EXPECT_EQ(first.expiries, 1);
  EXPECT_EQ(third.expiries, 0);
}

// A multimap from deadline to guest is what the wheel stands for; both are driven by the same dice.
TEST(Wheel, BehavesLikeAMultimapOfDeadlines) {
  for (const unsigned seed : {1u, 2u, 3u}) {
    SCOPED_TRACE(seed);
    std::mt19937 dice(seed);
    const auto roll = [&](unsigned sides) {
      return std::uniform_int_distribution<unsigned>(0, sides - 1)(dice);
    };
    Wheel wheel;
    std::vector<std::unique_ptr<Guest>> guests;
    std::multimap<std::uint64_t, std::size_t> model;
    std::set<std::size_t> expired;
    const auto forget = [&](std::size_t index) {
      std::erase_if(model, [&](const auto& entry) { return entry.second == index; });
    };
    for (std::size_t i = 0; i < 40; ++i)
      guests.push_back(std::make_unique<Guest>([&expired, i] { expired.insert(i); }));
    std::uint64_t now = 0;
    for (int step = 0; step < 20'000; ++step) {
      const std::size_t index = roll(40);
      switch (roll(8)) {
        case 0:
        case 1:
        case 2: {
          const std::uint64_t ticks = roll(4) == 0 ? roll(2000) : roll(20);
          wheel.set(*guests[index], ticks);
          forget(index);
          model.emplace(now + std::max<std::uint64_t>(ticks, 1), index);
          break;
        }
        case 3:
          wheel.remove(*guests[index]);
          forget(index);
          break;
        default: {
          wheel.advance();
          ++now;
          std::set<std::size_t> due;
          for (auto at = model.begin(); at != model.end() && at->first <= now; at = model.erase(at))
            due.insert(at->second);
          ASSERT_EQ(expired, due) << "at tick " << now << ", step " << step;
          expired.clear();
        }
      }
    }
  }
}

}  // namespace
}  // namespace hanaper::http
