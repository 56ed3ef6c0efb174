// One process at a time in a state folder.
#pragma once

#include <hanaper/result.hpp>

namespace hanaper {

// [any] Whether the state folder is the calling user's own; forbidden otherwise. Files that root leaves in
// the folder of a daemon that runs as somebody else would keep that daemon from starting.
Status check_state_owner(const std::string& state_folder);

// [any] What tells this state folder from every other; made where there is none yet. For whoever has the
// folder's lock: all who had it before have ended.
Result<std::string> state_id(const std::string& state_folder);

// Whether anybody else may look into it. `close_state_folder` ends that, and says whether it had to.
bool is_open_to_others(const std::string& state_folder);
Result<bool> close_state_folder(const std::string& state_folder);

// A restore keeps a mark in the state folder until it is done: what it has written by halves must not be
// served.
Status mark_restore(const std::string& state_folder);
void unmark_restore(const std::string& state_folder);
// malformed while there is one.
Status check_restored(const std::string& state_folder);

// Held from take until destruction or the end of the process, however it ends.
class StateLock {
 public:
  StateLock() = default;
  StateLock(const StateLock&) = delete;
  StateLock& operator=(const StateLock&) = delete;
  ~StateLock();

  // conflict, with the holder's process number, when another process has it; unavailable when another user
  // does.
  Status take(const std::string& state_folder);

 private:
  int handle_ = -1;
};

}  // namespace hanaper
