// Where a body in chunks ends, found while its octets come (RFC 9112 7.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace hanaper::http {

// Looks at each octet once and judges nothing: an odd one counts as the end, and the reader of requests,
// which looks at the whole, says what is wrong. Without this class the whole would be read again whenever
// more of it comes.
class Chunks {
 public:
  // `body` octets in all chunks together and `framing` octets around them are as many as there may be.
  Chunks(std::uint64_t body, std::uint64_t framing) : body_left_(body), framing_left_(framing) {}

  // The next octets of the body. True when the reader should look at the whole.
  bool end_in(std::string_view octets) {
    while (!octets.empty()) {
      if (phase_ == Phase::data) {
        const std::uint64_t taken = octets.size() < size_ ? octets.size() : size_;
        if (taken > body_left_) return true;
        body_left_ -= taken;
        framing_left_ += taken / 16;
        size_ -= taken;
        octets.remove_prefix(static_cast<std::size_t>(taken));
        if (size_ == 0) phase_ = Phase::behind_data;
        continue;
      }
      if (framing_left_ == 0 || !is_framing(octets.front())) return true;
      --framing_left_;
      octets.remove_prefix(1);
    }
    return false;
  }

 private:
  enum class Phase { size, extension, data, behind_data, trailer };

  // False at the end, and for what belongs nowhere.
  bool is_framing(char c) {
    switch (phase_) {
      case Phase::size:
        if (const int digit = digit_of(c); digit >= 0) {
          if (size_ > std::numeric_limits<std::uint64_t>::max() / 16 - 1) return false;
          size_ = size_ * 16 + static_cast<std::uint64_t>(digit);
          return true;
        }
        phase_ = Phase::extension;
        [[fallthrough]];
      case Phase::extension:
        if (c != '\n') return true;
        phase_ = size_ == 0 ? Phase::trailer : Phase::data;
        line_ = 0;
        return true;
      case Phase::behind_data:
        if (c == '\n') phase_ = Phase::size;
        return c == '\n' || c == '\r';
      case Phase::trailer:
        if (c == '\r') return true;
        if (c == '\n' && line_ == 0) return false;
        line_ = c == '\n' ? 0 : line_ + 1;
        return true;
      case Phase::data:
        break;
    }
    return false;
  }
  static int digit_of(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  }

  Phase phase_ = Phase::size;
  std::uint64_t size_ = 0;  // of the chunk, then what is left of it
  std::uint64_t body_left_, framing_left_;
  std::size_t line_ = 0;  // octets of a trailer line so far
};

}  // namespace hanaper::http
