#include "terminal.hpp"

#include <hanaper/toolkit/unicode.hpp>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace hanaper::cli {

std::string for_eyes(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return unicode::shown(text);
}

std::string table(const std::vector<std::vector<std::string>>& raw) {
  std::vector<std::vector<std::string>> rows = raw;
  for (auto& row : rows)
    for (std::string& cell : row) cell = for_eyes(std::move(cell));
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      std::string cell = row[i];
      if (i + 1 < row.size()) cell.resize(widths[i] + 2, ' ');
      line += cell;
    }
    text += line + "\n";
  }
  return text;
}

Progress::Progress(std::string what, std::function<std::string()> detail)
    : what_(std::move(what)), detail_(std::move(detail)) {
  if (::isatty(STDERR_FILENO) == 1) thread_ = std::thread([this] { show(); });
}

Progress::~Progress() {
  {
    const Lock lock(mutex_);
    done_ = true;
  }
  ended_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Progress::show() {
  const auto start = std::chrono::steady_clock::now();
  Lock lock(mutex_);
  if (ended_.wait_for(lock, std::chrono::seconds{1}, [&]() HANAPER_REQUIRES(mutex_) { return done_; }))
    return;
  for (int turn = 0; !done_; ++turn) {
    constexpr char signs[] = {'-', '\\', '|', '/'};
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - start).count();
    const std::string detail = detail_ ? detail_() : "";
    std::fprintf(stderr, "\r\033[K%c %s%s%s, %lld s", signs[turn % 4], what_.c_str(),
                 detail.empty() ? "" : ", ", detail.c_str(), static_cast<long long>(seconds));
    std::fflush(stderr);
    ended_.wait_for(lock, std::chrono::milliseconds{250}, [&]() HANAPER_REQUIRES(mutex_) { return done_; });
  }
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
}

}  // namespace hanaper::cli
