#include "dispatcher.hpp"

#include "../services/audit.hpp"
#include "../services/thread_tag.hpp"

#include <algorithm>
#include <functional>

namespace hanaper::events {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds tick_every{1}, checks_every{5}, edges_every{60}, complain_every{60};
constexpr std::chrono::seconds write_time{8};

bool same(const Subscriber& a, const Subscriber& b) {
  const auto equal = [](const ToldAuthority& x, const ToldAuthority& y) {
    return x.authority == y.authority && x.shards == y.shards && x.issues == y.issues && x.first == y.first;
  };
  return a.name() == b.name() && a.plugin == b.plugin && a.publishes == b.publishes && a.first == b.first &&
         a.types == b.types && std::ranges::equal(a.authorities, b.authorities, equal);
}

}  // namespace

Dispatcher::Dispatcher(Context context, services::Roles& roles) : context_(context), roles_(roles) {}
Dispatcher::~Dispatcher() {
  stop(steady_clock::now());
  std::vector<std::shared_ptr<Teller>> leaving;
  {
    const Lock lock(mutex_);
    leaving = std::exchange(leaving_, {});
  }
  for (const auto& teller : leaving) teller->thread.join();
}

void Dispatcher::start(std::function<void()> edges, std::function<void()> checks) {
  edges_ = std::move(edges);
  checks_ = std::move(checks);
  ticker_ = std::thread([this] { tick(); });
}

std::optional<Fence> Dispatcher::fence() const {
  {
    const Lock lock(mutex_);
    if (quit_) return std::nullopt;
  }
  return roles_.held(role);
}

void Dispatcher::complain(std::string_view what, const Error& error) {
  {
    const Lock lock(mutex_);
    if (steady_clock::now() < complained_) return;
    complained_ = steady_clock::now() + complain_every;
  }
  context_.log.warning("events wait", {{"what", std::string(what)}, {"error", error.detail}});
}

// What is raised becomes documents, documents get their numbers, and everybody is woken for them.
void Dispatcher::tick() {
  services::thread_is(services::ThreadKind::worker);
  Deadline checked{}, searched{};
  for (;;) {
    const Deadline now = steady_clock::now();
    const bool hears = context_.outbox.hears();
    if (hears && now >= checked + checks_every) {
      checks_();
      checked = now;
    }
    if (!hears) {
      roles_.release(role);  // another node may have somebody to tell
    } else {
      static_cast<void>(roles_.hold(role));  // whose refusal means that another node tells
    }
    if (Status flushed = context_.outbox.flush(now + write_time); !flushed)
      complain("storing", flushed.error());
    if (auto held = fence(); hears && held) {
      if (now >= searched + edges_every) {
        edges_();
        searched = now;
      }
      for (int pages = 0; pages < 10; ++pages) {
        const auto ordered = context_.outbox.order(*held, now + write_time);
        if (!ordered) complain("ordering", ordered.error());
        if (!ordered || !*ordered) break;
      }
    }
    Lock lock(mutex_);
    ++wakes_;
    changed_.notify_all();
    if (changed_.wait_until(lock, now + tick_every, [&]() HANAPER_REQUIRES(mutex_) { return quit_; })) return;
  }
}

void Dispatcher::tell(Teller& teller) {
  services::thread_is(services::ThreadKind::worker);
  const auto quits = [&] {
    const Lock lock(mutex_);
    return quit_ || teller.quit;
  };
  const std::string name = teller.subscription.subscriber().name();
  std::uint64_t seen = 0, epoch = 0;
  bool more = false;
  for (;;) {
    {
      Lock lock(mutex_);
      changed_.wait(lock, [&]() HANAPER_REQUIRES(mutex_) {
        return quit_ || teller.quit || ((more || wakes_ != seen) && is_free(name));
      });
      seen = wakes_;
      if (quit_ || teller.quit) break;
    }
    more = false;
    const auto held = fence();
    if (!held || held->epoch != epoch) teller.subscription.forget();
    epoch = held ? held->epoch : 0;
    if (!held) continue;
    const auto told = teller.subscription.step(
        *held, [&] { return !quits() && fence().value_or(Fence{}).epoch == held->epoch; });
    if (!told) complain(teller.subscription.subscriber().name(), told.error());
    more = told && *told;
  }
  const Lock lock(mutex_);
  teller.finished = true;
  changed_.notify_all();
}

// Whether none that was told before under that name is still in a call.
bool Dispatcher::is_free(const std::string& name) const {
  return std::ranges::none_of(leaving_, [&](const auto& teller) {
    return !teller->finished && teller->subscription.subscriber().name() == name;
  });
}

// False when one of them is still in a call at the deadline. Those that have left are freed.
bool Dispatcher::end(std::vector<std::shared_ptr<Teller>> tellers, Deadline deadline) {
  const auto has_left = [](const auto& teller) { return teller->finished; };
  Lock lock(mutex_);
  for (const auto& teller : tellers) teller->quit = true;
  leaving_.insert(leaving_.end(), tellers.begin(), tellers.end());
  changed_.notify_all();
  const bool clean =
      changed_.wait_until(lock, deadline, [&] { return std::ranges::all_of(tellers, has_left); });
  for (const auto& teller : tellers)
    if (!teller->finished)
      context_.log.warning("an instance that is told no more does not come back from a call",
                           {{"instance", teller->subscription.subscriber().instance}});
  const auto left = std::stable_partition(leaving_.begin(), leaving_.end(), std::not_fn(has_left));
  tellers.assign(left, leaving_.end());
  leaving_.erase(left, leaving_.end());
  lock.unlock();
  for (const auto& teller : tellers) teller->thread.join();
  return clean;
}

void Dispatcher::subscribe(std::vector<Subscriber> subscribers, Deadline deadline) {
  std::vector<std::shared_ptr<Teller>> gone, next;
  {
    const Lock lock(mutex_);
    gone = tellers_;
  }
  std::vector<Subscriber> fresh;
  for (Subscriber& subscriber : subscribers) {
    const auto old = std::ranges::find_if(
        gone, [&](const auto& teller) { return same(teller->subscription.subscriber(), subscriber); });
    if (old == gone.end()) {
      fresh.push_back(std::move(subscriber));
      continue;
    }
    next.push_back(*old);
    gone.erase(old);
  }
  end(std::move(gone), deadline);
  for (Subscriber& subscriber : fresh) {
    auto teller = std::make_shared<Teller>(std::move(subscriber), context_);
    teller->thread = std::thread([this, &teller = *teller] { tell(teller); });
    next.push_back(std::move(teller));
  }
  const Lock lock(mutex_);
  tellers_ = std::move(next);
}

bool Dispatcher::stop(Deadline deadline) {
  std::vector<std::shared_ptr<Teller>> all;
  {
    const Lock lock(mutex_);
    quit_ = true;
    all = std::exchange(tellers_, {});
    all.insert(all.end(), leaving_.begin(), leaving_.end());
    leaving_.clear();
  }
  changed_.notify_all();
  if (ticker_.joinable()) ticker_.join();
  const bool clean = end(std::move(all), deadline);
  roles_.release(role);
  return clean;
}

Status Dispatcher::resend(const std::string& id, const std::string& by, const Call& call) {
  auto record = context_.storage.records().get(dead_collection, id);
  if (!record && record.error().code == Code::not_found) return not_found("no dead letter " + id);
  if (!record) return std::move(record).error();
  HANAPER_TRY(const DeadLetter letter, DeadLetter::read(*record));
  if (!letter.whole)
    return unsupported("dead letter " + id +
                       " is of a CRL too large to be kept; the next one is told by itself");
  const std::string name = letter.pipeline + "/" + letter.instance;
  std::shared_ptr<Teller> teller;
  {
    const Lock lock(mutex_);
    for (const auto& one : tellers_)
      if (one->subscription.subscriber().name() == name) teller = one;
  }
  if (!teller)
    return unavailable("pipeline " + letter.pipeline + " does not tell " + letter.instance + " here");
  HANAPER_CHECK(teller->subscription.send(letter.event));
  Write write;
  RecordWrite gone;
  gone.collection = dead_collection;
  gone.key = id;
  gone.expected = letter.version;
  gone.erase = true;
  write.records.push_back(std::move(gone));
  write.audit = services::audit_line(context_.clock.now(), "event.resent",
                                     {{"event", letter.event.id},
                                      {"pipeline", letter.pipeline},
                                      {"instance", letter.instance},
                                      {"by", by},
                                      {"call", call.id}});
  return context_.writer.commit(write, call.deadline);
}

}  // namespace hanaper::events
