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
  const auto [at, is_new] = accounts_.try_emplace(name);
  Account& account = at->second;
  if (is_new) {
    account.client = validation.client.empty() ? name : validation.client;
    ++clients_[account.client].accounts;
  }
  if (account.waiting.size() >= most_waiting) return;
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

void ValidationQueue::done(const Validation& validation) {
  const Lock lock(mutex_);
  known_.erase(validation.authorization);
  --running_;
  const auto account = accounts_.find(validation.account);
  const auto client = clients_.find(account->second.client);
  --account->second.running;
  --client->second.running;
  line_up(account->first, account->second);
  line_up(client->first, client->second);
  if (account->second.running != 0 || !account->second.waiting.empty()) return;
  accounts_.erase(account);
  if (--client->second.accounts == 0) clients_.erase(client);
}

}  // namespace hanaper::acme
