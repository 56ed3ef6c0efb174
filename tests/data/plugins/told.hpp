// What a test tells the unruly plugins, which are other shared objects of the same process; HANAPER_UNRULY is
// its address.
#pragma once

#include <atomic>

struct Told {
  // "decide=std" throws there, "decide=int" too, "decide=block" keeps the thread.
  std::atomic<const char*> what{""};
  std::atomic<int> blocked{0};  // threads that are kept now
};
