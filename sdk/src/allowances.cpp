#include <hanaper/toolkit/allowances.hpp>

#include <hanaper/toolkit/crypto.hpp>

#include <algorithm>
#include <cstring>

namespace hanaper {

Allowances::Allowances(std::int64_t count, std::chrono::milliseconds window)
    : count_(count), window_(window), table_(blocks) {
  crypto::random(secret_);
}

std::uint64_t Allowances::tag_of(std::string_view key) const {
  const Fingerprint mac = crypto::hmac_sha256(secret_, as_bytes(key));
  std::uint64_t tag = 0;
  std::memcpy(&tag, mac.data(), sizeof tag);
  return tag == 0 ? 1 : tag;
}

const Allowances::Cell* Allowances::find(std::uint64_t tag) const {
  const std::unique_ptr<Block>& block = table_[tag % blocks];
  if (!block) return nullptr;
  const Row& row = (*block)[tag / blocks % rows_in_block];
  const auto found = std::ranges::find(row, tag, &Cell::tag);
  return found == row.end() ? nullptr : &*found;
}

Allowances::Cell& Allowances::cell(std::uint64_t tag, Time now) {
  std::unique_ptr<Block>& block = table_[tag % blocks];
  if (!block) block = std::make_unique<Block>();
  Row& row = (*block)[tag / blocks % rows_in_block];
  if (const auto found = std::ranges::find(row, tag, &Cell::tag); found != row.end()) return *found;
  // Whoever has used the least loses the least; a free cell and one that is whole again lose nothing.
  Cell& given = *std::ranges::min_element(
      row, {}, [&](const Cell& one) { return one.tag == 0 ? Time{} : std::max(one.whole_at, now); });
  given = {tag, now};
  return given;
}

// Each one moves the time when the allowance is whole again; it may not be further away than the window.
std::chrono::milliseconds Allowances::wait(Time whole_at, Time now) const {
  const std::chrono::milliseconds each = window_ / count_;
  return std::max(std::max(whole_at, now) + each - now - each * count_, std::chrono::milliseconds{0});
}

std::chrono::milliseconds Allowances::wait(std::string_view key, Time now) const {
  const std::uint64_t tag = tag_of(key);
  const Lock lock(mutex_);
  const Cell* known = find(tag);
  return known == nullptr ? std::chrono::milliseconds{0} : wait(known->whole_at, now);
}

std::chrono::milliseconds Allowances::take(std::string_view key, Time now) {
  const std::uint64_t tag = tag_of(key);
  const Lock lock(mutex_);
  Cell& mine = cell(tag, now);
  const std::chrono::milliseconds left = wait(mine.whole_at, now);
  if (left.count() == 0) mine.whole_at = std::max(mine.whole_at, now) + window_ / count_;
  return left;
}

void Allowances::charge(std::string_view key, Time now) {
  const std::uint64_t tag = tag_of(key);
  const Lock lock(mutex_);
  Cell& mine = cell(tag, now);
  // Not further than twice the window: whoever goes on does not shut itself out for ever.
  mine.whole_at = std::min(std::max(mine.whole_at, now) + window_ / count_, now + 2 * window_);
}

void Allowances::forgive(std::string_view key) {
  const std::uint64_t tag = tag_of(key);
  const Lock lock(mutex_);
  if (find(tag) != nullptr) cell(tag, Time{}).tag = 0;
}

}  // namespace hanaper
