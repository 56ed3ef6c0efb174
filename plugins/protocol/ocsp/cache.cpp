#include "cache.hpp"

namespace hanaper::ocsp {

Cache::Key Cache::key_of(AuthorityId authority, ByteView serial) {
  Key key;
  for (std::size_t i = 0; i < 4; ++i) key.octets[i] = static_cast<std::uint8_t>(authority >> (8 * i));
  const std::size_t size = std::min(serial.size(), key.octets.size() - 5);
  key.octets[4] = static_cast<std::uint8_t>(serial.size());
  std::ranges::copy(serial.first(size), key.octets.begin() + 5);
  return key;
}

AnswerPointer Cache::find(AuthorityId authority, ByteView serial, ByteView id, Wait wait) const {
  const Key key = key_of(authority, serial);
  const Segment& place = segment(key);
  if (wait == Wait::shortly) {
    const ReadLock lock(place.mutex);
    return find_in(place, key, id);
  }
  if (!place.mutex.try_lock_shared()) return nullptr;
  const ReadLock lock(place.mutex, std::adopt_lock);
  return find_in(place, key, id);
}

AnswerPointer Cache::find_in(const Segment& place, const Key& key, ByteView id) {
  const auto found = place.answers.find(key);
  if (found == place.answers.end()) return nullptr;
  for (const Entry& entry : found->second)
    if (entry.id == as_text(id)) return entry.answer;
  return nullptr;
}

std::uint64_t Cache::version(AuthorityId authority, ByteView serial) const {
  const Segment& place = segment(key_of(authority, serial));
  const ReadLock lock(place.mutex);
  return place.version;
}

void Cache::keep(AuthorityId authority, ByteView serial, ByteView id, std::uint64_t version,
                 AnswerPointer answer) {
  if (capacity_of_segment_ == 0) return;
  const Key key = key_of(authority, serial);
  Segment& place = segment(key);
  const WriteLock lock(place.mutex);
  if (place.version != version) return;
  std::vector<Entry>& entries = place.answers[key];
  for (Entry& entry : entries)
    if (entry.id == as_text(id)) {
      entry.answer = std::move(answer);
      return;
    }
  if (entries.empty()) place.order.push_back(key);
  if (entries.size() == spellings) entries.erase(entries.begin());
  entries.push_back({std::string(as_text(id)), std::move(answer)});
  while (place.answers.size() > capacity_of_segment_ || place.order.size() > 2 * capacity_of_segment_) {
    place.answers.erase(place.order.front());
    place.order.pop_front();
  }
}

void Cache::forget(AuthorityId authority, ByteView serial) {
  const Key key = key_of(authority, serial);
  Segment& place = segment(key);
  const WriteLock lock(place.mutex);
  ++place.version;
  place.answers.erase(key);
}

std::size_t Cache::size() const {
  std::size_t size = 0;
  for (const Segment& place : all_) {
    const ReadLock lock(place.mutex);
    size += place.answers.size();
  }
  return size;
}

}  // namespace hanaper::ocsp
