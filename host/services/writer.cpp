#include "writer.hpp"

#include "audit.hpp"
#include "thread_tag.hpp"
#include "waiting.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <pthread.h>

#include <algorithm>

namespace hanaper::services {
namespace {

constexpr std::size_t max_group = 256;
constexpr std::size_t max_waiting = 4096;
// How often somebody else may have written under the name before a group is given up.
constexpr int most_overtaken = 3;
// What a time service may correct without anybody noticing.
constexpr auto clock_tolerance = std::chrono::seconds{5};

bool is_behind(Time now, const WriterState& state) {
  return state.audit_at && now + clock_tolerance < *state.audit_at;
}

Error clock_error(Time now, const WriterState& state) {
  return unavailable("the clock says " + time_text(now) + ", before the last audit entry of " +
                     time_text(*state.audit_at) +
                     "; set the clock right, or take it as it is: hanaper audit accept-clock");
}

std::vector<ExpiryChange> sum_by_day(const std::vector<Submission*>& group) {
  std::vector<ExpiryChange> changes;
  for (const Submission* submission : group) {
    if (!submission->expiry) continue;
    const auto found = std::ranges::find(changes, submission->expiry->day, &ExpiryChange::day);
    if (found == changes.end())
      changes.push_back(*submission->expiry);
    else
      found->change += submission->expiry->change;
  }
  std::erase_if(changes, [](const ExpiryChange& change) { return change.change == 0; });
  return changes;
}

}  // namespace

void ExpiryCounts::load(const std::vector<ExpiryChange>& days) {
  const Lock lock(mutex_);
  days_.clear();
  for (const ExpiryChange& day : days) days_[day.day] = day.change;
}

void ExpiryCounts::apply(const std::vector<ExpiryChange>& changes) {
  const Lock lock(mutex_);
  for (const ExpiryChange& change : changes) days_[change.day] += change.change;
}

std::vector<ExpiryCounts::Bucket> ExpiryCounts::buckets(Time now) const {
  const std::int64_t today = std::chrono::floor<std::chrono::days>(now).time_since_epoch().count();
  std::vector<Bucket> result = {{"expired"}, {"1d"}, {"7d"}, {"30d"}, {"90d"}, {"365d"}, {"later"}};
  constexpr std::int64_t limits[] = {0, 1, 7, 30, 90, 365};
  const Lock lock(mutex_);
  for (const auto& [day, count] : days_) {
    const auto* limit = std::ranges::upper_bound(limits, day - today);
    result[static_cast<std::size_t>(limit - std::begin(limits))].count += count;
  }
  return result;
}

Writer::Writer(Storage& storage, std::string node, const Clock& clock, Log& log, Metrics& metrics,
               ExpiryCounts& expiries)
    : storage_(storage),
      node_(std::move(node)),
      clock_(clock),
      log_(log),
      expiries_(expiries),
      commit_time_(metrics.histogram("hanaper_commit_seconds", "Time of one group commit.")),
      commits_(metrics.counter("hanaper_commits_total", "Group commits.")),
      writes_(metrics.counter("hanaper_commit_writes_total", "Writes in group commits.")) {}

Writer::~Writer() { stop(); }

void Writer::guard_name(std::function<Status()> name_is_ours) {
  HANAPER_ON(main);
  name_is_ours_ = std::move(name_is_ours);
}

Status Writer::start() {
  HANAPER_ON(main);
  HANAPER_CHECK(refresh());
  HANAPER_TRY(const std::vector<ExpiryChange> days, storage_.ledger().expiries());
  expiries_.load(days);
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "hanaper-writer");
  return {};
}

Status Writer::check_clock() const {
  HANAPER_ON(worker);
  HANAPER_TRY(const WriterState state, storage_.ledger().writer(node_));
  return is_behind(clock_.now(), state) ? clock_error(clock_.now(), state) : Status{};
}

void Writer::stop() {
  HANAPER_ON(main);
  {
    const Lock lock(mutex_);
    quit_ = true;
  }
  work_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Status Writer::health() const {
  const Lock lock(mutex_);
  return health_;
}

std::size_t Writer::waiting() const {
  const Lock lock(mutex_);
  return queue_.size();
}

Status Writer::submit(Submission& submission) {
  {
    const Lock lock(mutex_);
    if (quit_) return unavailable("shutting down");
    if (queue_.size() >= max_waiting) return unavailable("too many writes are waiting");
    queue_.push_back(&submission);
    if (queue_.size() > 1) return {};  // it knows already
  }
  work_.notify_one();
  return {};
}

bool Writer::withdraw(Submission& submission) {
  const Lock lock(mutex_);
  return std::erase(queue_, &submission) != 0;
}

Status Writer::commit(Write& write, Deadline deadline, std::optional<ExpiryChange> expiry) {
  HANAPER_ON(worker);
  Waiting waiting;
  waiting.write = std::move(write);
  waiting.expiry = expiry;
  waiting.deadline = deadline;
  HANAPER_CHECK(submit(waiting));
  if (!waiting.done.wait_until(deadline)) {
    if (withdraw(waiting))
      waiting.result = unavailable("storage did not get to this write in time");
    else
      waiting.done.wait();  // its group is being committed: that ends soon, and the outcome matters
  }
  write = std::move(waiting.write);
  return std::move(waiting.result);
}

Status Writer::accept_clock(const std::string& requester, Deadline deadline) {
  HANAPER_ON(worker);
  HANAPER_TRY(const WriterState state, storage_.ledger().writer(node_));
  if (!is_behind(clock_.now(), state))
    return conflict("the clock is not before the last audit entry; there is nothing to accept");
  Waiting waiting;
  waiting.accepts_clock = requester;
  waiting.deadline = deadline;
  HANAPER_CHECK(submit(waiting));
  waiting.done.wait();  // it is not begun after its deadline
  return std::move(waiting.result);
}

void Writer::run() {
  thread_is(ThreadKind::writer);
  Group group;
  Lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [&]() HANAPER_REQUIRES(mutex_) { return quit_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const auto count = static_cast<std::ptrdiff_t>(std::min(queue_.size(), max_group));
    group.assign(queue_.begin(), queue_.begin() + count);
    queue_.erase(queue_.begin(), queue_.begin() + count);
    lock.unlock();
    commit_group(group);
    lock.lock();
  }
}

Status Writer::refresh() {
  auto state = storage_.ledger().writer(node_);
  if (!state) return std::move(state).error();
  state_ = *state;
  state_known_ = true;
  return {};
}

// Who woke up after somebody else took its name must not write once more under it.
Status Writer::check_name() {
  if (Status ours = name_is_ours_(); !ours) {
    if (ours.error().code == Code::conflict) displaced_ = ours;
    return ours;
  }
  return refresh();
}

void Writer::commit_group(Group& group) {
  const Deadline now = std::chrono::steady_clock::now();
  const auto late =
      std::ranges::stable_partition(group, [&](const Submission* each) { return each->deadline > now; });
  for (Submission* submission : late)
    submission->committed(unavailable("storage did not get to this write in time"));
  group.erase(late.begin(), late.end());
  int overtaken = 0;
  while (!group.empty()) {
    if (!displaced_) return fail_all(group, displaced_.error());
    if (!state_known_) {
      if (Status checked = check_name(); !checked) return fail_all(group, checked.error());
    }
    const Status committed = attempt(group);
    if (committed) break;
    state_known_ = false;
    // Those that stood in the way learn so; the rest tries again without them.
    const auto good = [](const Submission* each) { return each->write.outcome.has_value(); };
    const auto refused = std::ranges::stable_partition(group, good);
    if (refused.empty()) {
      if (committed.error().code == Code::conflict && ++overtaken <= most_overtaken) continue;
      return fail_all(group, committed.error());
    }
    for (Submission* submission : refused) submission->committed(submission->write.outcome);
    group.erase(refused.begin(), refused.end());
  }
  {
    const Lock lock(mutex_);
    health_ = {};
  }
  for (Submission* submission : group) submission->committed({});
}

Result<std::optional<AuditPage>> Writer::page_of(const Group& group) {
  std::string lines, accepted_by;
  for (const Submission* submission : group) {
    lines += submission->write.audit;
    if (accepted_by.empty()) accepted_by = submission->accepts_clock;
  }
  Time at = clock_.now();
  const bool behind = is_behind(at, state_);
  if (behind && !accepted_by.empty())
    lines.insert(0, clock_accepted_line(at, *state_.audit_at, accepted_by));
  else if (behind && !lines.empty())
    return clock_error(at, state_);
  else if (state_.audit_at)
    at = std::max(at, *state_.audit_at);
  if (lines.empty()) return std::optional<AuditPage>{};
  return std::optional(next_page(state_, at, std::move(lines)));
}

Status Writer::attempt(const Group& group) {
  Batch batch;
  batch.node = node_;
  batch.number = state_.number + 1;
  crypto::random(batch.token);
  std::vector<Write*> writes;
  for (Submission* submission : group) {
    writes.push_back(&submission->write);
    submission->write.outcome = {};
  }
  batch.writes = writes;
  batch.expiries = sum_by_day(group);
  HANAPER_TRY(batch.audit, page_of(group));
  const auto start = std::chrono::steady_clock::now();
  HANAPER_CHECK(this->write(batch));
  commit_time_.observe(std::chrono::steady_clock::now() - start);
  commits_.add();
  writes_.add(group.size());
  expiries_.apply(batch.expiries);
  state_.number = batch.number;
  state_.token = batch.token;
  if (batch.audit) {
    state_.audit_sequence = batch.audit->sequence;
    state_.audit_hash = batch.audit->hash;
    state_.audit_at = batch.audit->at;
  }
  return {};
}

// An exception of the storage must not take the thread with it that everybody waits for.
Status Writer::write(Batch& batch) {
  try {
    return storage_.commit(batch);
  } catch (const std::exception& error) {
    log_.error("exception left a plugin", {{"plugin", "storage"}, {"exception", error.what()}});
    return internal("the storage has failed; its exception is in the log");
  }
}

void Writer::fail_all(const Group& group, const Error& error) {
  // Whatever it was, to the caller it is a storage that could not take the write.
  const Error seen = unavailable(error.detail);
  bool first = false;
  {
    const Lock lock(mutex_);
    first = health_.has_value();
    health_ = seen;
  }
  if (first) log_.error("writing has failed; issuance stops until it works again", {{"error", error.detail}});
  for (Submission* submission : group) submission->committed(seen);
}

}  // namespace hanaper::services
