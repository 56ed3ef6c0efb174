// Signed responses, kept until they are half as old as they may get or their certificate's state changes.
//
// Network threads read it: they never wait for a lock, but decline when somebody holds it. Thread-safe.
#pragma once

#include <hanaper/storage.hpp>
#include <hanaper/toolkit/mutex.hpp>

#include <array>
#include <deque>
#include <memory>
#include <unordered_map>

namespace hanaper::ocsp {

// A response to one certificate's request, and what HTTP says about it.
struct Answer {
  Bytes body;
  std::string head;  // serialised, without Cache-Control
  std::string etag;
  Time this_update;
  Time refresh_at;  // from then on another is signed
  Time next_update;
  bool good = false;      // says so of any
  bool unissued = false;  // about a number that is none of a certificate yet: never kept
};
using AnswerPointer = std::shared_ptr<const Answer>;  // owned by the cache and by who sends it

class Cache {
 public:
  explicit Cache(std::size_t capacity) : capacity_of_segment_(capacity / segments) {}

  enum class Wait : std::uint8_t { never, shortly };

  // `id` is the DER CertID. [io] with Wait::never, [worker] else. Null when there is none.
  AnswerPointer find(AuthorityId authority, ByteView serial, ByteView id, Wait wait) const;

  // [worker] The state of the certificate's responses; taken before the ledger is asked.
  std::uint64_t version(AuthorityId authority, ByteView serial) const;

  // [worker] Keeps it, unless something has changed since `version`: what was signed then may be wrong.
  void keep(AuthorityId authority, ByteView serial, ByteView id, std::uint64_t version, AnswerPointer answer);

  // [worker] Forgets every response about that certificate.
  void forget(AuthorityId authority, ByteView serial);

  std::size_t size() const;

 private:
  static constexpr std::size_t segments = 64;
  // Spellings of one CertID that are kept: digests, with and without parameters.
  static constexpr std::size_t spellings = 8;

  // Authority and serial number; made for each request, so it stays off the heap. Serial numbers that are
  // longer than any certificate's share what their beginning has.
  struct Key {
    std::array<std::uint8_t, 28> octets{};
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept {
      return std::hash<std::string_view>{}(as_text(key.octets));
    }
  };
  struct Entry {
    std::string id;
    AnswerPointer answer;
  };
  struct Segment {
    mutable SharedMutex mutex;
    std::unordered_map<Key, std::vector<Entry>, KeyHash> answers HANAPER_GUARDED_BY(mutex);
    std::deque<Key> order HANAPER_GUARDED_BY(mutex);  // the oldest first
    std::uint64_t version HANAPER_GUARDED_BY(mutex) = 0;
  };

  static Key key_of(AuthorityId authority, ByteView serial);
  static AnswerPointer find_in(const Segment& place, const Key& key, ByteView id)
      HANAPER_REQUIRES_SHARED(place.mutex);
  const Segment& segment(const Key& key) const { return all_[KeyHash{}(key) % segments]; }
  Segment& segment(const Key& key) { return all_[KeyHash{}(key) % segments]; }

  const std::size_t capacity_of_segment_;
  std::array<Segment, segments> all_;
};

}  // namespace hanaper::ocsp
