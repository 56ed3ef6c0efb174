#include "validation_queue.hpp"

#include <algorithm>

namespace hanaper::acme {
namespace {

constexpr std::size_t most_waiting = 200;  // of one account: two orders of a hundred names

}  // namespace

bool ValidationQueue::has_room(const std::string& account) const {
  const Lock lock(mutex_);
  const auto found = accounts_.find(account);
  return found == accounts_.end() || found->second.waiting.size() + found->second.parked < most_waiting;
}

bool ValidationQueue::has(const std::string& authorization) const {
  const Lock lock(mutex_);
  return known_.contains(authorization);
}

void ValidationQueue::add(Validation validation) {
  const Lock lock(mutex_);
  if (known_.contains(validation.authorization)) return;
  const std::string name = validation.account;
  const auto [at, is_new] = accounts_.try_emplace(name);
  Account& account = at->second;
  if (is_new) {
    account.client = validation.client.empty() ? name : validation.client;
    ++clients_[account.client].accounts;
  }
  if (account.waiting.size() + account.parked >= most_waiting) return;
  known_.insert(validation.authorization);
  account.waiting.push_back(std::move(validation));
  line_up(name, account);
}

void ValidationQueue::line_up(const std::string& name, Account& account) {
  if (account.is_due || account.waiting.empty() || account.running >= bounds_.of_one_account) return;
  account.is_due = true;
  Client& client = clients_.at(account.client);
  client.due.push_back(name);
  line_up(account.client, client);
}

void ValidationQueue::line_up(const std::string& name, Client& client) {
  if (client.is_due || client.due.empty() || client.running >= bounds_.of_one_client) return;
  client.is_due = true;
  due_.push_back(name);
}

std::optional<ValidationQueue::Validation> ValidationQueue::next() {
  const Lock lock(mutex_);
  if (due_.empty() || running_ >= bounds_.at_once) return std::nullopt;
  const std::string whose = std::move(due_.front());
  due_.pop_front();
  Client& client = clients_.at(whose);
  client.is_due = false;
  const std::string name = std::move(client.due.front());
  client.due.pop_front();
  Account& account = accounts_.at(name);
  account.is_due = false;
  Validation validation = std::move(account.waiting.front());
  account.waiting.pop_front();
  ++account.running;
  ++client.running;
  ++running_;
  line_up(name, account);
  line_up(whose, client);
  return validation;
}

bool ValidationQueue::enter(const Validation& validation, const std::string& target) {
  const Lock lock(mutex_);
  const std::string& who = validation.authorization;
  // Whoever was called here does not pass that on.
  if (const auto visit = visits_.find(who);
      visit != visits_.end() && visit->second.target == target && visit->second.place == Place::called)
    visits_.erase(visit);
  leave(who);
  const auto there = targets_.try_emplace(target).first;
  const bool free = there->second.running < bounds_.at_one_target;
  if (free) ++there->second.running;
  visits_[who] = {target, free ? Place::taken : Place::refused};
  return free;
}

// The place goes to whoever waits for it; so does the call of somebody who made nothing of it.
void ValidationQueue::leave(const std::string& authorization) {
  const auto visit = visits_.extract(authorization);
  if (!visit || visit.mapped().place == Place::refused) return;
  const auto target = targets_.find(visit.mapped().target);
  if (target == targets_.end()) return;
  if (visit.mapped().place == Place::taken) --target->second.running;
  call_next(target->first, target->second);
  if (target->second.running == 0 && target->second.parked.empty()) targets_.erase(target);
}

void ValidationQueue::call(Validation validation, const std::string& target) {
  const auto account = accounts_.find(validation.account);
  visits_[validation.authorization] = {target, Place::called};
  account->second.waiting.push_front(std::move(validation));
  line_up(account->first, account->second);
}

// One of the account whose client has least under way, and among those of the one that has waited longest.
void ValidationQueue::call_next(const std::string& name, Target& target) {
  if (target.parked.empty() || target.running >= bounds_.at_one_target) return;
  const auto chosen =
      std::ranges::min_element(target.parked, {}, [&](const Parked& one) HANAPER_REQUIRES(mutex_) {
        return clients_.at(accounts_.at(one.account).client).running;
      });
  Parked account = std::move(*chosen);
  target.parked.erase(chosen);
  Validation next = std::move(account.waiting.front());
  account.waiting.pop_front();
  --accounts_.at(account.account).parked;
  if (!account.waiting.empty()) target.parked.push_back(std::move(account));
  call(std::move(next), name);
}

void ValidationQueue::end_turn(const std::string& name) {
  Account& account = accounts_.at(name);
  Client& client = clients_.at(account.client);
  --running_;
  --account.running;
  --client.running;
  line_up(name, account);
  line_up(account.client, client);
}

void ValidationQueue::done(const Validation& validation) {
  const Lock lock(mutex_);
  known_.erase(validation.authorization);
  leave(validation.authorization);
  end_turn(validation.account);
  const auto account = accounts_.find(validation.account);
  if (account->second.running != 0 || account->second.parked != 0 || !account->second.waiting.empty()) return;
  const auto client = clients_.find(account->second.client);
  accounts_.erase(account);
  if (--client->second.accounts == 0) clients_.erase(client);
}

void ValidationQueue::put_back(Validation validation) {
  const Lock lock(mutex_);
  const std::string account = validation.account, whither = visits_[validation.authorization].target;
  leave(validation.authorization);
  Target& target = targets_[whither];
  if (target.running < bounds_.at_one_target) {
    call(std::move(validation), whither);  // there is a place by now
  } else {
    ++accounts_.at(account).parked;
    const auto known = std::ranges::find(target.parked, account, &Parked::account);
    Parked& parked = known != target.parked.end() ? *known : target.parked.emplace_back(Parked{account, {}});
    parked.waiting.push_back(std::move(validation));
  }
  end_turn(account);
}

}  // namespace hanaper::acme
