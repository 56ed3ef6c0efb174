// Who waits a moment for the end of a validation.
#pragma once

#include <hanaper/toolkit/mutex.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace hanaper::acme {

// Most validations are over before their client could ask again: whoever has begun one waits for it, and
// learns the verdict without asking. A few wait at once, so that servers that never answer hold no more
// threads than that. Thread-safe.
class Verdicts {
 public:
  // A place among those who wait for one authorization. Taken before its validation begins.
  class Place {
   public:
    Place(Verdicts& verdicts, std::string authorization);
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place();

    // Returns once an attempt has ended, or the time is over; at once when there was no place.
    void wait(std::chrono::milliseconds longest);

   private:
    friend class Verdicts;
    Verdicts& verdicts_;
    const std::string authorization_;
    bool seated_ = false, over_ = false;  // guarded by verdicts_.mutex_
  };

  explicit Verdicts(std::size_t at_once) : at_once_(at_once) {}

  // An attempt has ended.
  void tell(const std::string& authorization);

 private:
  const std::size_t at_once_;
  Mutex mutex_;
  Condition changed_;
  std::vector<Place*> places_ HANAPER_GUARDED_BY(mutex_);
};

}  // namespace hanaper::acme
