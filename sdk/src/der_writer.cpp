#include <hanaper/toolkit/der.hpp>

namespace hanaper::der {

Writer::Writer(std::size_t capacity)
    : buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(capacity)),
      capacity_(capacity),
      front_(capacity) {}

void Writer::grow(std::size_t octets) {
  const std::size_t used = size();
  const std::size_t capacity = std::max(capacity_ * 2, used + octets + 64);
  auto buffer = std::make_unique_for_overwrite<std::uint8_t[]>(capacity);
  std::memcpy(buffer.get() + capacity - used, buffer_.get() + front_, used);
  buffer_ = std::move(buffer);
  capacity_ = capacity;
  front_ = capacity - used;
}

void Writer::raw(ByteView octets) {
  if (octets.empty()) return;
  reserve(octets.size());
  front_ -= octets.size();
  std::memcpy(buffer_.get() + front_, octets.data(), octets.size());
}

void Writer::octet(std::uint8_t value) {
  reserve(1);
  buffer_[--front_] = value;
}

void Writer::header(std::uint8_t tag, std::size_t length) {
  reserve(10);
  if (length < 0x80) {
    buffer_[--front_] = static_cast<std::uint8_t>(length);
  } else {
    std::uint8_t count = 0;
    for (std::size_t rest = length; rest != 0; rest >>= 8, ++count)
      buffer_[--front_] = static_cast<std::uint8_t>(rest);
    buffer_[--front_] = static_cast<std::uint8_t>(0x80 | count);
  }
  buffer_[--front_] = tag;
}

void Writer::boolean(bool value) {
  octet(value ? 0xff : 0x00);
  header(Tag::boolean, 1);
}

void Writer::integer(std::uint64_t value) {
  const std::size_t before = size();
  do octet(static_cast<std::uint8_t>(value));
  while ((value >>= 8) != 0);
  if (buffer_[front_] & 0x80) octet(0);
  header(Tag::integer, size() - before);
}

void Writer::unsigned_integer(ByteView magnitude) {
  while (magnitude.size() > 1 && magnitude[0] == 0) magnitude = magnitude.subspan(1);
  const std::size_t before = size();
  raw(magnitude);
  if (magnitude.empty() || (magnitude[0] & 0x80)) octet(0);
  header(Tag::integer, size() - before);
}

void Writer::bits(ByteView content, std::uint8_t unused) {
  raw(content);
  octet(unused);
  header(Tag::bit_string, content.size() + 1);
}

namespace {

// YYYYMMDDHHMMSSZ, 15 octets; a UTCTime is the same without the first two.
std::array<char, 15> zulu(Time value) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(value);
  const auto days = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date{days};
  const std::chrono::hh_mm_ss clock{seconds - days};
  std::array<char, 15> text;
  const auto put = [&](std::size_t at, std::size_t digits, unsigned number) {
    for (std::size_t i = digits; i-- > 0; number /= 10) text[at + i] = static_cast<char>('0' + number % 10);
  };
  put(0, 4, static_cast<unsigned>(static_cast<int>(date.year())));
  put(4, 2, static_cast<unsigned>(date.month()));
  put(6, 2, static_cast<unsigned>(date.day()));
  put(8, 2, static_cast<unsigned>(clock.hours().count()));
  put(10, 2, static_cast<unsigned>(clock.minutes().count()));
  put(12, 2, static_cast<unsigned>(clock.seconds().count()));
  text[14] = 'Z';
  return text;
}

}  // namespace

void Writer::time(Time value) {
  const auto text = zulu(value);
  const std::string_view year(text.data(), 4);
  if (year >= "1950" && year < "2050")
    primitive(utc_time, as_bytes({text.data() + 2, 13}));
  else
    primitive(Tag::generalized_time, as_bytes({text.data(), 15}));
}

void Writer::generalized_time(Time value) {
  const auto text = zulu(value);
  primitive(Tag::generalized_time, as_bytes({text.data(), 15}));
}

Result<Bytes> oid_from_text(std::string_view dotted) {
  const auto bad = [&] { return malformed("\"" + std::string(dotted) + "\" is no object identifier"); };
  std::vector<std::uint64_t> arcs;
  std::uint64_t arc = 0;
  std::size_t digits = 0;
  for (std::size_t i = 0; i <= dotted.size(); ++i) {
    if (i < dotted.size() && dotted[i] != '.') {
      if (dotted[i] < '0' || dotted[i] > '9' || ++digits > 18) return bad();
      if (digits == 2 && arc == 0) return bad();  // a leading zero
      arc = arc * 10 + static_cast<std::uint64_t>(dotted[i] - '0');
      continue;
    }
    if (digits == 0) return bad();
    arcs.push_back(arc);
    arc = digits = 0;
  }
  if (arcs.size() < 2 || arcs[0] > 2 || (arcs[0] < 2 && arcs[1] > 39)) return bad();
  arcs[1] += arcs[0] * 40;
  Writer writer(64);
  for (std::size_t i = arcs.size(); i-- > 1;) {
    std::uint64_t value = arcs[i];
    writer.octet(value & 0x7f);
    while ((value >>= 7) != 0) writer.octet(static_cast<std::uint8_t>(0x80 | (value & 0x7f)));
  }
  if (writer.size() > 64) return bad();
  return writer.bytes();
}

std::string oid_to_text(ByteView content) {
  std::string text;
  std::uint64_t arc = 0;
  for (std::uint8_t octet : content) {
    arc = arc << 7 | (octet & 0x7f);
    if (octet & 0x80) continue;
    if (text.empty()) {
      const std::uint64_t first = std::min<std::uint64_t>(arc / 40, 2);
      text = std::to_string(first) + "." + std::to_string(arc - first * 40);
    } else {
      text += "." + std::to_string(arc);
    }
    arc = 0;
  }
  return text;
}

}  // namespace hanaper::der
