#!/bin/bash
# mutex_test.sh SOURCE: clang refuses each wrong use of hanaper/toolkit/mutex.hpp, and takes the right ones.
set -u
source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "${0%/*}/../checks.sh"
clang=$(command -v clang++-19 || command -v clang++) || { skip clang "nobody looked at wrong uses of mutexes"; end; }

# program BODY: members that are guarded, and one function that uses them.
program() {
  cat > "$work/program.cpp" <<CPP
#include <hanaper/toolkit/mutex.hpp>
#include <chrono>
class Counter {
 public:
  void function(std::chrono::steady_clock::time_point soon) { static_cast<void>(soon); $1 }
  void add_locked() HANAPER_REQUIRES(mutex_) { ++count_; }

 private:
  hanaper::Mutex mutex_;
  hanaper::Condition changed_;
  int count_ HANAPER_GUARDED_BY(mutex_) = 0;
  hanaper::SharedMutex shared_;
  int shown_ HANAPER_GUARDED_BY(shared_) = 0;
};
int main() { Counter().function({}); }
CPP
}
compiles() {
  program "$1"
  "$clang" -std=c++20 -fsyntax-only -Wall -Wextra -Werror -Wthread-safety -Wno-unused-private-field -I"$source/sdk/include" "$work/program.cpp"
}
is_refused() {  # WHY BODY
  ! compiles "$2" > "$work/out" 2>&1 && grep -qF -- "$1" "$work/out" || { cat "$work/out"; return 1; }
}

while IFS='|' read -r sentence body; do
  check "$sentence" compiles "$body"
done <<'RIGHT'
what is locked may be used|const hanaper::Lock lock(mutex_); ++count_; add_locked();
a lock may be let go and taken again|hanaper::Lock lock(mutex_); ++count_; lock.unlock(); lock.lock(); ++count_;
whoever waits looks under the lock|hanaper::Lock lock(mutex_); changed_.wait(lock, [&]() HANAPER_REQUIRES(mutex_) { return count_ == 2; });
waiting may have an end|hanaper::Lock lock(mutex_); if (changed_.wait_until(lock, soon, [&]() HANAPER_REQUIRES(mutex_) { return count_ == 2; })) --count_;
a mutex that was free is had|if (mutex_.try_lock()) { const hanaper::Lock lock(mutex_, std::adopt_lock); ++count_; }
readers read|const hanaper::ReadLock lock(shared_); const int seen = shown_; static_cast<void>(seen);
readers take what is free|if (shared_.try_lock_shared()) { const hanaper::ReadLock lock(shared_, std::adopt_lock); const int seen = shown_; static_cast<void>(seen); }
writers write|const hanaper::WriteLock lock(shared_); ++shown_;
RIGHT

while IFS='|' read -r sentence why body; do
  check "$sentence" is_refused "$why" "$body"
done <<'WRONG'
nothing is written without its mutex|writing variable 'count_' requires holding mutex 'mutex_'|++count_;
nor called|calling function 'add_locked' requires holding mutex 'mutex_'|add_locked();
nor used once the lock is let go|writing variable 'count_' requires holding mutex 'mutex_'|hanaper::Lock lock(mutex_); lock.unlock(); ++count_;
nor under another mutex|writing variable 'count_' requires holding mutex 'mutex_'|const hanaper::WriteLock lock(shared_); ++count_;
no lambda looks without saying what it needs|reading variable 'count_' requires holding mutex 'mutex_'|hanaper::Lock lock(mutex_); changed_.wait(lock, [&] { return count_ == 2; });
no mutex is taken twice|acquiring mutex 'mutex_' that is already held|const hanaper::Lock lock(mutex_); const hanaper::Lock again(mutex_);
a mutex that may not be free is asked first|requires holding mutex 'mutex_'|static_cast<void>(mutex_.try_lock()); const hanaper::Lock lock(mutex_, std::adopt_lock);
readers write nothing|writing variable 'shown_' requires holding mutex 'shared_' exclusively|const hanaper::ReadLock lock(shared_); ++shown_;
WRONG
end
