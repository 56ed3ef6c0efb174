// Files that keepalived follows (its track_file): how fit this node is for an address.
//
// A program that dies, is killed or hangs cannot say so any more. So a child of this one waits until its
// parent is gone, or silent for too long, and then writes that into the files.
#pragma once

#include <hanaper/services.hpp>

#include <sys/types.h>

#include <array>
#include <atomic>

namespace hanaper::services {

// One thread at a time.
class TrackFiles {
 public:
  // Weights as keepalived adds them to a priority: with -254 an address leaves whatever others say; with -60
  // it goes to a better node, and stays where there is none.
  struct Paths {
    std::string issue;   // 0 or -254; empty: none
    std::string status;  // 0 or -60; empty: none
  };
  TrackFiles(Paths paths, Log& log) : paths_(std::move(paths)), log_(log) {}
  TrackFiles(const TrackFiles&) = delete;
  ~TrackFiles() { stop(); }

  bool are_any() const { return !paths_.issue.empty() || !paths_.status.empty(); }

  // Writes that the node is unfit, and starts the child. unavailable when a file cannot be written.
  Status start();
  // That this process runs: ten times a second, from start on.
  void beat();
  // Writes what has changed, or what the child has written over, and starts the child again that somebody has
  // ended. A file that cannot be written is told of once.
  void set(bool issue, bool status);
  // Writes that the node is unfit, and ends the child.
  void stop();

 private:
  Status start_child();
  Status write(const std::string& path, int weight);

  const Paths paths_;
  Log& log_;
  std::array<std::optional<bool>, 2> written_;
  bool complained_ = false;
  pid_t child_ = -1;
  int pipe_ = -1;                      // that the child reads; closed with this process
  std::atomic<bool>* hung_ = nullptr;  // shared with the child, which has written that this process does
};

}  // namespace hanaper::services
