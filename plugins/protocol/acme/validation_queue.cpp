#include "validation_queue.hpp"

namespace hanaper::acme {
namespace {

constexpr std::size_t most_waiting = 200;  // of one account: two orders of a hundred names

}  // namespace

bool ValidationQueue::has_room(const std::string& account) const {
  const Lock lock(mutex_);
  const auto found = accounts_.find(account);
  return found == accounts_.end() || found->second.waiting.size() < most_waiting;
}

bool ValidationQueue::has(const std::string& authorization) const {
  const Lock lock(mutex_);
  return known_.contains(authorization);
}

void ValidationQueue::add(Validation validation) {
  const Lock lock(mutex_);
  if (known_.contains(validation.authorization)) return;
  const std::string name = validation.account;
  Account& account = accounts_[name];
  if (account.waiting.size() >= most_waiting) return;
  known_.insert(validation.authorization);
  account.waiting.push_back(std::move(validation));
  line_up(name, account);
}

void ValidationQueue::line_up(const std::string& name, Account& account) {
  if (account.is_due || account.waiting.empty() || account.running >= of_one_account_) return;
  account.is_due = true;
  due_.push_back(name);
}

std::optional<ValidationQueue::Validation> ValidationQueue::next() {
  const Lock lock(mutex_);
  if (due_.empty() || running_ >= at_once_) return std::nullopt;
  const std::string name = std::move(due_.front());
  due_.pop_front();
  Account& account = accounts_.at(name);
  account.is_due = false;
  Validation validation = std::move(account.waiting.front());
  account.waiting.pop_front();
  ++account.running;
  ++running_;
  line_up(name, account);
  return validation;
}

void ValidationQueue::done(const Validation& validation) {
  const Lock lock(mutex_);
  known_.erase(validation.authorization);
  --running_;
  const auto found = accounts_.find(validation.account);
  --found->second.running;
  line_up(found->first, found->second);
  if (found->second.running == 0 && found->second.waiting.empty()) accounts_.erase(found);
}

}  // namespace hanaper::acme
