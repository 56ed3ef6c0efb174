// DER (ITU-T X.690): a strict reader of spans and a writer that works from back to front.
//
// The reader accepts one encoding of every value and nothing else: definite minimal lengths, low tag
// numbers, minimal integers, canonical booleans. It never copies and never looks beyond its input. The
// writer starts with the last octet, so that every length is known when it is written and nothing is ever
// moved. Neither holds state beyond its object: use one per thread.
#pragma once

#include <hanaper/values.hpp>

#include <concepts>
#include <memory>

namespace hanaper::der {

enum Tag : std::uint8_t {
  boolean = 0x01,
  integer = 0x02,
  bit_string = 0x03,
  octet_string = 0x04,
  null = 0x05,
  object_identifier = 0x06,
  enumerated = 0x0a,
  utf8_string = 0x0c,
  sequence = 0x30,
  set = 0x31,
  numeric_string = 0x12,
  printable_string = 0x13,
  teletex_string = 0x14,
  ia5_string = 0x16,
  utc_time = 0x17,
  generalized_time = 0x18,
  visible_string = 0x1a,
  universal_string = 0x1c,
  bmp_string = 0x1e,
};

// Context-specific tags: [n] constructed (explicit, or implicit SEQUENCE) and [n] primitive (implicit).
constexpr std::uint8_t context(std::uint8_t n) noexcept { return static_cast<std::uint8_t>(0xa0 | n); }
constexpr std::uint8_t context_primitive(std::uint8_t n) noexcept {
  return static_cast<std::uint8_t>(0x80 | n);
}

struct Element {
  std::uint8_t tag = 0;
  ByteView content;
  ByteView whole;  // header and content
};

// Reads the elements of one constructed value, one after the other. Failures are malformed and say at which
// octet of this reader's input they happened.
class Reader {
 public:
  explicit Reader(ByteView input) noexcept : input_(input), rest_(input) {}

  bool at_end() const noexcept { return rest_.empty(); }
  std::uint8_t peek() const noexcept { return rest_.empty() ? 0 : rest_[0]; }  // next tag; 0 at the end
  ByteView rest() const noexcept { return rest_; }

  Result<Element> next();
  Result<Element> expect(std::uint8_t tag);
  // The next element's content, one level down.
  Result<Reader> enter(std::uint8_t tag);
  // The next element if it has that tag; consumed only then.
  Result<std::optional<Element>> maybe(std::uint8_t tag);

  Result<bool> read_boolean();
  Result<ByteView> read_integer();        // content octets, minimal
  Result<std::uint64_t> read_unsigned();  // an INTEGER of 0 to 2^63-1
  Result<ByteView> read_oid();            // content octets, every arc minimal
  Result<ByteView> read_octets();         // OCTET STRING
  Result<ByteView> read_bits();           // BIT STRING without unused bits, its octets
  Status read_null();
  Result<Time> read_time();  // UTCTime or GeneralizedTime as RFC 5280 4.1.2.5 wants them
  Status finish() const;     // malformed unless everything was read

 private:
  Error error(std::string_view what) const;

  ByteView input_;
  ByteView rest_;
};

// The single element that `input` consists of; malformed when octets follow it.
Result<Element> only(ByteView input, std::uint8_t tag);
Result<Reader> open(ByteView input, std::uint8_t tag);

// Whether content octets are a minimal INTEGER, a well-formed OBJECT IDENTIFIER.
bool is_integer(ByteView content) noexcept;
bool is_oid(ByteView content) noexcept;

// Time of UTCTime or GeneralizedTime content octets: seconds, Zulu, no fractions (RFC 5280 4.1.2.5.1, .2).
Result<Time> parse_time(std::uint8_t tag, ByteView content);

// Writes values last to first:
//   writer.sequence([&] {
//     writer.octets(value);  // second
//     writer.oid(id);        // first
//   });
class Writer {
 public:
  explicit Writer(std::size_t capacity = 512);

  std::size_t size() const noexcept { return capacity_ - front_; }
  ByteView view() const noexcept { return {buffer_.get() + front_, size()}; }
  Bytes bytes() const { return to_bytes(view()); }
  void clear() noexcept { front_ = capacity_; }

  void raw(ByteView octets);
  void octet(std::uint8_t value);
  void header(std::uint8_t tag, std::size_t length);

  void primitive(std::uint8_t tag, ByteView content) {
    raw(content);
    header(tag, content.size());
  }
  template <std::invocable Body>
  void constructed(std::uint8_t tag, Body&& body) {
    const std::size_t before = size();
    body();
    header(tag, size() - before);
  }
  template <std::invocable Body>
  void sequence(Body&& body) {
    constructed(Tag::sequence, std::forward<Body>(body));
  }

  void boolean(bool value);
  void integer(std::uint64_t value);
  void integer(ByteView content) { primitive(Tag::integer, content); }  // DER content octets
  void unsigned_integer(ByteView magnitude);                            // any big-endian magnitude
  void oid(ByteView content) { primitive(Tag::object_identifier, content); }
  void octets(ByteView content) { primitive(Tag::octet_string, content); }
  void bits(ByteView content, std::uint8_t unused = 0);
  void null() { header(Tag::null, 0); }
  void text(std::uint8_t tag, std::string_view value) { primitive(tag, as_bytes(value)); }
  void time(Time value);              // UTCTime to 2049, GeneralizedTime from 2050 (RFC 5280 4.1.2.5)
  void generalized_time(Time value);  // always GeneralizedTime (OCSP)

 private:
  void reserve(std::size_t octets) {
    if (octets > front_) grow(octets);
  }
  void grow(std::size_t octets);

  std::unique_ptr<std::uint8_t[]> buffer_;
  std::size_t capacity_;
  std::size_t front_;
};

// An object identifier known at compile time: "2.5.29.17"_oid.
struct Oid {
  std::array<std::uint8_t, 23> octets{};
  std::uint8_t size = 0;

  constexpr operator ByteView() const noexcept { return {octets.data(), size}; }
  constexpr bool operator==(const Oid&) const = default;
};
inline bool operator==(const Oid& a, ByteView b) noexcept { return equal(ByteView(a), b); }

// Content octets of a dotted text; malformed when it is no object identifier or needs more than 64 octets.
Result<Bytes> oid_from_text(std::string_view dotted);
// Dotted text of content octets that is_oid accepts.
std::string oid_to_text(ByteView content);

inline namespace literals {
consteval Oid operator""_oid(const char* text, std::size_t length) {
  Oid oid;
  std::uint64_t arc = 0;
  std::uint64_t first = 0;
  int position = 0;
  for (std::size_t i = 0; i <= length; ++i) {
    if (i < length && text[i] != '.') {
      arc = arc * 10 + static_cast<std::uint64_t>(text[i] - '0');
      continue;
    }
    if (position == 0) first = arc;
    if (position > 0) {
      const std::uint64_t value = position == 1 ? first * 40 + arc : arc;
      int groups = 1;
      for (std::uint64_t rest = value >> 7; rest != 0; rest >>= 7) ++groups;
      for (int group = groups - 1; group >= 0; --group)
        oid.octets[oid.size++] =
            static_cast<std::uint8_t>((value >> (7 * group) & 0x7f) | (group > 0 ? 0x80 : 0));
    }
    ++position;
    arc = 0;
  }
  return oid;
}
}  // namespace literals

}  // namespace hanaper::der
