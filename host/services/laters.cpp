#include "laters.hpp"

namespace hanaper::services {
namespace {

constexpr std::size_t later_threads = 8;
constexpr auto between_attempts = std::chrono::milliseconds{5};

}  // namespace

// One call that has not finished.
class PendingCall final : public Pending, public std::enable_shared_from_this<PendingCall> {
 public:
  PendingCall(LaterTable& table, std::shared_ptr<InstanceLaters::State> state, std::shared_ptr<Guard> guard,
              Thread where, const Call& call)
      : table_(table), state_(std::move(state)), guard_(std::move(guard)), where_(where), call_(call) {}
  ~PendingCall() override { leave(); }

  const Call& call() const noexcept override { return call_; }
  const std::string& instance() const noexcept { return guard_->instance(); }

  // Nobody but this has `then`: the last copy goes before the gate opens.
  void run(std::function<void(Call&)> then) override {
    then_ = std::move(then);
    table_.run(where_, [self = shared_from_this()] { self->follow(); });
  }

  void watch(std::function<void(Error)> end) override {
    Error why;
    {
      const Lock lock(mutex_);
      if (!why_) {
        end_ = std::move(end);
        return;
      }
      why = *why_;
    }
    end(std::move(why));
  }

  void ignored() noexcept override { table_.ignored_.add(); }

  // [any] It is over: whoever has not completed it need not.
  void end(Error why) {
    std::function<void(Error)> end;
    {
      const Lock lock(mutex_);
      if (why_) return;
      why_ = why;
      end = std::exchange(end_, {});
    }
    if (end) end(std::move(why));
  }

 private:
  friend class LaterTable;
  friend class InstanceLaters;

  void follow() {
    static_cast<void>(guard_->run("what follows", call_.id, [&]() -> Status {
      const std::function<void(Call&)> then = std::exchange(then_, {});
      Call call = call_;
      then(call);
      return {};
    }));
    leave();
  }

  void leave() noexcept {
    if (left_.exchange(true)) return;
    if (counted_) table_.leave(*this);
    const Lock lock(state_->mutex);
    state_->calls.erase(place_);
    if (state_->calls.empty()) state_->left.notify_all();
  }

  LaterTable& table_;
  const std::shared_ptr<InstanceLaters::State> state_;
  const std::shared_ptr<Guard> guard_;
  const Thread where_;
  const Call call_;
  std::function<void(Call&)> then_;  // of the thread that runs it
  std::list<std::weak_ptr<PendingCall>>::iterator place_;
  bool counted_ = false;                          // constant once others know it, as is place_
  std::optional<LaterTable::Due::iterator> due_;  // guarded by the table's mutex
  std::atomic<bool> left_{false};
  Mutex mutex_;
  std::optional<Error> why_ HANAPER_GUARDED_BY(mutex_);
  std::function<void(Error)> end_ HANAPER_GUARDED_BY(mutex_);
};

LaterTable::LaterTable(Metrics& metrics)
    : ignored_(metrics.counter("hanaper_later_ignored_total",
                               "Answers to calls that had finished: by their deadline, or twice.")),
      pending_(metrics.gauge("hanaper_later_pending", "Calls whose answer is still to come.")) {}

LaterTable::~LaterTable() {
  std::thread keeper;
  {
    const Lock lock(mutex_);
    quit_ = true;
    keeper = std::move(keeper_);
  }
  changed_.notify_all();
  if (keeper.joinable()) keeper.join();
  std::unique_ptr<WorkerPool> workers;
  {
    const Lock lock(mutex_);
    workers = std::move(workers_);
  }
}

void LaterTable::serve_network(Post post) {
  const Lock lock(mutex_);
  post_ = std::move(post);
}

void LaterTable::start() {
  if (workers_) return;
  workers_ = std::make_unique<WorkerPool>("hanaper-later", later_threads, most);
  keeper_ = std::thread([this] { keep(); });
}

bool LaterTable::enter(PendingCall& call) {
  {
    const Lock lock(mutex_);
    start();
    if (count_ >= most) return false;
    ++count_;
    call.counted_ = true;
    call.due_ = due_.emplace(call.call().deadline, &call);
  }
  pending_.add(1);
  changed_.notify_one();
  return true;
}

void LaterTable::leave(PendingCall& call) {
  pending_.add(-1);
  const Lock lock(mutex_);
  if (call.due_) due_.erase(*call.due_);
  call.due_.reset();
  --count_;
}

void LaterTable::run(Thread where, Task task) {
  Post post;
  {
    const Lock lock(mutex_);
    if (where == Thread::worker) {
      if (workers_->submit(task)) return;
      overflow_.push_back(std::move(task));
      return changed_.notify_one();
    }
    if (!post_) {
      keeper_tasks_.push_back(std::move(task));
      return changed_.notify_one();
    }
    post = post_;
  }
  post(std::move(task));
}

std::vector<LaterTable::Task> LaterTable::take_due() {
  std::vector<Task> tasks(std::make_move_iterator(keeper_tasks_.begin()),
                          std::make_move_iterator(keeper_tasks_.end()));
  keeper_tasks_.clear();
  while (!overflow_.empty() && workers_->submit(overflow_.front())) overflow_.pop_front();
  const auto now = std::chrono::steady_clock::now();
  for (auto first = due_.begin(); first != due_.end() && first->first <= now; first = due_.erase(first)) {
    first->second->due_.reset();
    // Null where it is just leaving.
    if (auto call = first->second->weak_from_this().lock())
      tasks.push_back([call = std::move(call)] { call->end(unavailable("no answer came in time")); });
  }
  return tasks;
}

void LaterTable::keep() {
  thread_is(ThreadKind::io);
  Lock lock(mutex_);
  for (;;) {
    std::vector<Task> tasks = take_due();
    if (!tasks.empty()) {
      lock.unlock();
      for (Task& task : tasks) std::exchange(task, {})();
      lock.lock();
      continue;
    }
    if (!overflow_.empty())
      changed_.wait_until(lock, std::chrono::steady_clock::now() + between_attempts);
    else if (quit_)
      return;
    else if (due_.empty())
      changed_.wait(lock);
    else
      // A copy: calls come meanwhile.
      changed_.wait_until(lock, Deadline(due_.begin()->first));
  }
}

std::shared_ptr<Pending> InstanceLaters::begin(Thread where, const Call& call) {
  auto pending = std::make_shared<PendingCall>(table_, state_, guard_, where, call);
  bool closed = false;
  {
    const Lock lock(state_->mutex);
    closed = state_->closed;
    pending->place_ = state_->calls.insert(state_->calls.end(), pending);
  }
  if (!table_.enter(*pending))
    pending->end(unavailable("too many calls wait for answers"));
  else if (closed)
    pending->end(unavailable(guard_->instance() + " has been stopped"));
  return pending;
}

bool InstanceLaters::withdraw(Deadline deadline) {
  std::vector<std::shared_ptr<PendingCall>> calls;
  {
    const Lock lock(state_->mutex);
    state_->closed = true;
    for (const std::weak_ptr<PendingCall>& weak : state_->calls)
      if (auto call = weak.lock()) calls.push_back(std::move(call));
  }
  for (const auto& call : calls) call->end(unavailable(guard_->instance() + " has been stopped"));
  calls.clear();
  Lock lock(state_->mutex);
  return state_->left.wait_until(lock, deadline,
                                 [&]() HANAPER_REQUIRES(state_->mutex) { return state_->calls.empty(); });
}

}  // namespace hanaper::services
