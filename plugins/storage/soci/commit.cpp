// The one transaction that writes.
#include "plan.hpp"
#include "schema.hpp"
#include "sql_storage.hpp"

#include <random>
#include <thread>

namespace hanaper::sql {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto retry_budget = std::chrono::milliseconds{2500};
// How long the fate of a commit is asked for when the connection broke in the middle of it.
constexpr auto doubt_budget = std::chrono::milliseconds{6000};

// Waits longer each time, and never twice the same: two nodes that collide shall not collide again.
class Backoff {
 public:
  // The same for the same batch: its token is chance enough.
  explicit Backoff(const BatchToken& token)
      : random_(std::uint32_t{token[0]} << 16 | std::uint32_t{token[1]} << 8 | token[2]) {}

  bool wait(Clock::time_point give_up) {
    std::uniform_int_distribution<std::int64_t> jitter(pause_.count() / 2, pause_.count());
    const std::chrono::microseconds now{jitter(random_)};
    if (Clock::now() + now > give_up) return false;
    std::this_thread::sleep_for(now);
    pause_ = std::min<std::chrono::microseconds>(pause_ * 2, std::chrono::milliseconds{200});
    return true;
  }

 private:
  std::chrono::microseconds pause_{std::chrono::milliseconds{1}};
  std::minstd_rand random_;
};

}  // namespace

// What is known of one batch while it is being committed.
struct SqlStorage::Attempt {
  const Plan& plan;
  const Batch& batch;
  bool in_order;          // row by row, to learn which one stands in the way
  bool doubtful = false;  // a commit was sent and not answered: it may have happened
  // Or it was answered, with this: run again, it would be once more.
  std::optional<Failure> refusal = std::nullopt;
  enum class Phase { connecting, running, committing } phase = Phase::connecting;
};

Status SqlStorage::commit(Batch& batch) {
  HANAPER_CHECK(is_open());
  const Plan plan(batch);
  HANAPER_CHECK(plan.within_limits());
  Attempt attempt{plan, batch, !plan.may_be_grouped()};
  Clock::time_point give_up = Clock::now() + retry_budget;
  for (Backoff backoff(batch.token);;) {
    Failure failure;
    try {
      Result<bool> done = try_commit(attempt);
      if (!done) return std::move(done).error();
      if (*done) {
        set_health({});
        return {};
      }
      continue;
    } catch (const Failure& thrown) {
      failure = thrown;
    } catch (const soci::soci_error&) {
      failure = dialect_->classify();
    }
    const bool conflicted = failure.kind == Failure::Kind::retry;
    // After anything but a conflict the connection may still carry the transaction, whatever it says of
    // itself: it is closed.
    if (writer_ && !(conflicted && writer_->rollback())) writer_.reset();
    if (!conflicted && attempt.phase == Attempt::Phase::committing && !attempt.doubtful) {
      attempt.doubtful = true;
      if (failure.kind == Failure::Kind::refused) attempt.refusal = failure;
      give_up = Clock::now() + doubt_budget;
    }
    const bool nobody_there = attempt.phase == Attempt::Phase::connecting;
    const bool worth_it =
        attempt.doubtful || conflicted || (failure.kind == Failure::Kind::lost && !nobody_there);
    if (!worth_it || !backoff.wait(give_up)) {
      std::string what = dialect_->place() + ": " + failure.what;
      if (attempt.doubtful) what += "; whether the last group was written is not known yet";
      set_health(unavailable(what), failure.kind == Failure::Kind::refused);
      return unavailable(what);
    }
  }
}

// True when the batch is durable, false when it shall be run again in order; an error when something of it
// stands in the way. Throws Failure.
Result<bool> SqlStorage::try_commit(Attempt& attempt) {
  attempt.phase = Attempt::Phase::connecting;
  if (writer_ && !writer_->is_best()) writer_.reset();
  if (!writer_) writer_ = dialect_->connect(true);
  attempt.phase = Attempt::Phase::running;
  const auto guard = writer_->guard();
  writer_->begin();
  // The lock on the writer's row makes a commit that is still under way end first, so the answer is final.
  if (attempt.doubtful && is_stored(attempt.batch)) {
    abandon();
    return true;
  }
  if (attempt.refusal) {
    attempt.doubtful = false;
    throw Failure(*attempt.refusal);
  }
  if (attempt.in_order) {
    if (Status run = attempt.plan.run_in_order(*writer_, dialect_->place()); !run) {
      abandon();
      // A first batch inserts its row: there was none to be locked above.
      if (attempt.doubtful && is_stored(attempt.batch)) return true;
      return std::move(run).error();
    }
  } else {
    bool fits = false;
    try {
      fits = writer_->run_all(attempt.plan.grouped());
    } catch (const Failure& failure) {
      if (failure.kind != Failure::Kind::duplicate && failure.kind != Failure::Kind::invalid) throw;
    }
    if (!fits) {
      abandon();
      attempt.in_order = true;
      return false;
    }
  }
  attempt.phase = Attempt::Phase::committing;
  writer_->commit();
  return true;
}

void SqlStorage::abandon() {
  if (!writer_->rollback()) throw Failure{Failure::Kind::lost, "connection lost"};
}

// Whether it is the last that its node has written; its row is locked from here on. By number and token:
// another process may have written one of the same number under the same name.
bool SqlStorage::is_stored(const Batch& batch) {
  long long number = 0;
  std::string token;
  writer_->session() << "SELECT number, token FROM writer WHERE node = :node" + dialect_->lock_suffix(),
      soci::use(batch.node), soci::into(number), soci::into(token);
  return writer_->session().got_data() && static_cast<std::uint64_t>(number) == batch.number &&
         token == to_hex(batch.token);
}

}  // namespace hanaper::sql
