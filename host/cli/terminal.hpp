// What people see: tables, and a sign of life while something takes long.
#pragma once

#include <hanaper/toolkit/mutex.hpp>

#include <string>
#include <vector>

#include <functional>
#include <thread>

namespace hanaper::cli {

// A text as it is shown to who decides by it: what a request wrote is not to look like something else.
std::string for_eyes(std::string text);

// Columns as wide as their widest cell; the first row is the header. Control characters are shown as '?'.
std::string table(const std::vector<std::vector<std::string>>& rows);

// After a second on a terminal, a line on standard error that says what is going on and for how long; gone
// when destroyed. Nothing in a pipe.
class Progress {
 public:
  // `detail` is asked now and then for more to say, like "120 MiB".
  explicit Progress(std::string what, std::function<std::string()> detail = {});
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  void show();
  const std::string what_;
  const std::function<std::string()> detail_;
  Mutex mutex_;
  Condition ended_;
  bool done_ HANAPER_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace hanaper::cli
