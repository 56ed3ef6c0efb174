#include "roles.hpp"

#include "thread_tag.hpp"

#include <pthread.h>

namespace hanaper::services {
namespace {

constexpr std::chrono::seconds tick{1};

bool same(const LeaseRow& a, const LeaseRow& b) {
  return a.holder == b.holder && a.epoch == b.epoch && a.renewals == b.renewals;
}

}  // namespace

std::string_view Holder::node_of(std::string_view text) {
  const std::size_t state = text.find(' ');
  const std::size_t boot = state == std::string_view::npos ? state : text.find(' ', state + 1);
  return boot == std::string_view::npos ? text : text.substr(boot + 1);
}

Roles::Roles(Storage& storage, Holder self, bool alone, Log& log, std::function<Deadline()> clock)
    : storage_(storage), self_(std::move(self)), alone_(alone), log_(log), clock_(std::move(clock)) {}

Roles::~Roles() { stop(); }

void Roles::start() {
  HANAPER_ON(main);
  if (alone_) return;
  thread_ = std::thread([this] {
    thread_is(ThreadKind::worker);
    const auto quits = [&]() HANAPER_REQUIRES(mutex_) { return quit_; };
    for (;;) {
      tend();
      Lock lock(mutex_);
      if (changed_.wait_for(lock, tick, quits)) return;
    }
  });
  pthread_setname_np(thread_.native_handle(), "hanaper-roles");
}

void Roles::stop() {
  HANAPER_ON(main);
  {
    const Lock lock(mutex_);
    quit_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  const Lock looking(looking_);
  give_all_back();
}

void Roles::give_all_back() {
  std::vector<std::string> names;
  {
    const Lock lock(mutex_);
    for (const auto& [name, unused] : mine_) names.push_back(name);
  }
  for (const std::string& name : names) give_back(name);
}

bool Roles::is_good(const Mine& mine) const {
  return mine.good && (alone_ || clock_() < *mine.good + believed_for);
}

std::optional<Fence> Roles::held(std::string_view role) const {
  const Lock lock(mutex_);
  const auto found = mine_.find(role);
  if (found == mine_.end() || !is_good(found->second)) return std::nullopt;
  return Fence{found->first, found->second.epoch};
}

Result<Fence> Roles::hold(std::string_view role) {
  HANAPER_ON(worker);
  if (auto fence = held(role)) return *std::move(fence);
  const Lock looking(looking_);
  if (auto fence = held(role)) return *std::move(fence);  // somebody else was faster
  HANAPER_CHECK(look());
  HANAPER_CHECK(may_have(role, false));
  if (auto fence = held(role)) return *std::move(fence);  // stopped for a while, and not missed
  HANAPER_CHECK(may_have(role, true));
  if (!is_free(role)) return conflict("role " + std::string(role) + " is held by " + holder_of(role));
  HANAPER_CHECK(take(role));
  if (auto fence = held(role)) return *std::move(fence);
  return unavailable("taking the role " + std::string(role) + " has taken too long");
}

std::vector<std::string> Roles::mine() const {
  const Lock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, mine] : mine_)
    if (is_good(mine)) names.push_back(name);
  return names;
}

Status Roles::may_have(std::string_view role, bool take) const {
  const Lock lock(mutex_);
  HANAPER_CHECK(have_);
  if (const auto move = moves_.find(role); move != moves_.end() && move->second != self_.node)
    return conflict("role " + std::string(role) + " is on its way to " + move->second);
  return take ? take_ : Status{};
}

void Roles::limit(Status have, Status take) {
  HANAPER_ON(worker);
  const Lock looking(looking_);
  const bool none = !have;
  {
    const Lock lock(mutex_);
    have_ = std::move(have);
    take_ = std::move(take);
  }
  if (none) give_all_back();
}

void Roles::follow(Moves moves) {
  HANAPER_ON(worker);
  {
    const Lock lock(mutex_);
    moves_ = moves;
  }
  for (const auto& [role, to] : moves)
    if (to != self_.node)
      release(role);
    else if (const auto taken = hold(role); !taken)
      log_.debug("a role has not come yet", {{"role", role}, {"error", taken.error().detail}});
}

void Roles::release(std::string_view role) {
  HANAPER_ON(worker);
  const Lock looking(looking_);
  give_back(role);
}

// Takes the lowest free seat. How many there are below it is this node's index; how many are taken up to the
// next free one is the count. A second seat that this node still holds above is given back.
Result<Share> Roles::share(std::string_view work) {
  HANAPER_ON(worker);
  if (alone_) return Share{0, 1};
  const Lock looking(looking_);
  HANAPER_CHECK(look());
  HANAPER_CHECK(may_have(work, true));
  Share share{0, 0};
  bool seated = false;
  for (std::uint32_t seat = 0; seat < seats; ++seat) {
    const std::string name = std::string(work) + ":" + std::to_string(seat);
    bool ours = held(name).has_value();
    if (ours || is_free(name)) {
      if (seated) {
        if (ours) give_back(name);
        break;
      }
      if (!ours) {
        const Status taken = take(name);
        if (!taken && taken.error().code != Code::conflict) return taken.error();
        ours = taken.has_value();
      }
      if (ours) share.index = share.count;
      seated = seated || ours;
    }
    ++share.count;
  }
  if (!seated)
    return unavailable("more than " + std::to_string(seats) + " nodes take part in " + std::string(work));
  return share;
}

void Roles::tend() {
  const Lock looking(looking_);
  Status looked = look();
  const Lock lock(mutex_);
  const bool first = !looked && !complained_ && !mine_.empty();
  complained_ = !looked && (complained_ || first);
  if (first) log_.warning("roles cannot be renewed", {{"error", looked.error().detail}});
}

bool Roles::renewal_is_due(Deadline now) const {
  const Lock lock(mutex_);
  for (const auto& [name, mine] : mine_)
    if (!mine.good || now >= *mine.good + renewed_every) return true;
  return false;
}

// Renews first: what is read then shows whether that was in time. A renewal whose answer is lost counts for
// the others, and not for us.
Status Roles::look() {
  std::optional<Deadline> renewed;
  if (const Deadline begun = clock_(); !alone_ && renewal_is_due(begun)) {
    HANAPER_CHECK(storage_.leases().renew(self_.text()));
    renewed = begun;
  }
  HANAPER_TRY(std::vector<LeaseRow> rows, storage_.leases().all());
  for (const std::string& stray : watch(std::move(rows), renewed))
    HANAPER_CHECK(storage_.leases().release(stray, self_.text()));
  return {};
}

// What is ours by its row alone: the answer to its release, or to its taking, was lost. Nobody acts for it,
// and renewals would keep it from the others.
std::vector<std::string> Roles::watch(std::vector<LeaseRow> rows, std::optional<Deadline> renewed) {
  const Deadline now = clock_();
  const std::string self = self_.text();
  const Lock lock(mutex_);
  decltype(seen_) seen;
  for (LeaseRow& row : rows) {
    const auto before = seen_.find(row.name);
    const bool stands = before != seen_.end() && same(before->second.row, row);
    const Deadline since = stands ? before->second.since : now;
    std::string name = row.name;
    seen.emplace(std::move(name), Seen{std::move(row), since});
  }
  seen_ = std::move(seen);
  for (auto mine = mine_.begin(); mine != mine_.end();) {
    const auto found = seen_.find(mine->first);
    const std::string holder = found == seen_.end() ? "" : found->second.row.holder;
    if (holder == self && found->second.row.epoch == mine->second.epoch) {
      if (renewed) mine->second.good = renewed;
      ++mine;
      continue;
    }
    log_.warning("another node has taken over",
                 {{"role", mine->first}, {"node", std::string(Holder::node_of(holder))}});
    mine = mine_.erase(mine);
  }
  std::vector<std::string> strays;
  for (const auto& [name, lease] : seen_)
    if (lease.row.holder == self && !mine_.contains(name)) strays.push_back(name);
  return strays;
}

bool Roles::is_free(std::string_view role) const {
  const Lock lock(mutex_);
  const auto found = seen_.find(role);
  if (found == seen_.end()) return true;
  const auto& [row, since] = found->second;
  return row.holder.empty() || alone_ || self_.was(row.holder) || clock_() >= since + watched_for;
}

std::string Roles::holder_of(std::string_view role) const {
  const Lock lock(mutex_);
  const auto found = seen_.find(role);
  return found == seen_.end() ? "" : std::string(Holder::node_of(found->second.row.holder));
}

// From the very row that was watched: what has changed since is a conflict.
Status Roles::take(std::string_view role) {
  LeaseRow row;
  row.name = role;
  {
    const Lock lock(mutex_);
    if (const auto found = seen_.find(role); found != seen_.end()) row = found->second.row;
  }
  const Deadline begun = clock_();
  HANAPER_TRY(const std::uint64_t epoch, storage_.leases().take(row, self_.text()));
  const Lock lock(mutex_);
  if (!row.holder.empty() && !self_.was(row.holder))
    log_.info("role taken over", {{"role", row.name}, {"from", std::string(Holder::node_of(row.holder))}});
  mine_.insert_or_assign(std::string(role), Mine{epoch, begun});
  seen_.insert_or_assign(std::string(role),
                         Seen{{row.name, self_.text(), epoch, row.renewals + 1}, clock_()});
  return {};
}

void Roles::give_back(std::string_view role) {
  {
    const Lock lock(mutex_);
    const auto found = mine_.find(role);
    if (found == mine_.end()) return;
    mine_.erase(found);
  }
  if (const Status released = storage_.leases().release(role, self_.text()); !released)
    log_.debug("a role is not given back", {{"role", std::string(role)}, {"error", released.error().detail}});
}

}  // namespace hanaper::services
