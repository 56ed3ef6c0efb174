// The octets of a batch. Each struct names its fields once, for both directions: a Writer appends what it is
// shown, a Reader fills it in.
#pragma once

#include <hanaper/storage.hpp>

#include <type_traits>

namespace codec {

class Writer {
 public:
  void number(std::uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) octets.push_back(static_cast<std::uint8_t>(value >> shift));
  }
  void text(hanaper::ByteView value) {
    number(value.size());
    octets.insert(octets.end(), value.begin(), value.end());
  }
  hanaper::Bytes octets;
};

// What is read from octets that end too early, or claim more than there is, is `wrong` and then nothing but
// zeroes.
class Reader {
 public:
  explicit Reader(hanaper::ByteView octets) : left_(octets) {}
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (std::uint8_t octet : take(8)) value = value << 8 | octet;
    return value;
  }
  hanaper::ByteView text() { return take(number()); }
  bool wrong() const noexcept { return wrong_; }
  std::size_t left() const noexcept { return left_.size(); }

 private:
  hanaper::ByteView take(std::uint64_t size) {
    if (wrong_ || size > left_.size()) {
      wrong_ = true;
      return {};
    }
    const hanaper::ByteView taken = left_.first(size);
    left_ = left_.subspan(size);
    return taken;
  }
  hanaper::ByteView left_;
  bool wrong_ = false;
};

// Everything below is fields(coder, value) for one type after the other.
template <class T>
requires(std::is_integral_v<T> || std::is_enum_v<T>) void fields(Writer& out, T& value) {
  out.number(static_cast<std::uint64_t>(value));
}
template <class T>
requires(std::is_integral_v<T> || std::is_enum_v<T>) void fields(Reader& in, T& value) {
  value = static_cast<T>(in.number());
}

inline void fields(Writer& out, hanaper::ByteView& value) { out.text(value); }
inline void fields(Reader& in, hanaper::ByteView& value) { value = in.text(); }  // a view into what is read
inline void fields(Writer& out, hanaper::Bytes& value) { out.text(value); }
inline void fields(Reader& in, hanaper::Bytes& value) { value = hanaper::to_bytes(in.text()); }
inline void fields(Writer& out, std::string_view& value) { out.text(hanaper::as_bytes(value)); }
inline void fields(Reader& in, std::string_view& value) { value = hanaper::as_text(in.text()); }
inline void fields(Writer& out, std::string& value) { out.text(hanaper::as_bytes(value)); }
inline void fields(Reader& in, std::string& value) { value = hanaper::as_text(in.text()); }

template <std::size_t size>
void fields(Writer& out, std::array<std::uint8_t, size>& value) {
  out.text(value);
}
template <std::size_t size>
void fields(Reader& in, std::array<std::uint8_t, size>& value) {
  const hanaper::ByteView octets = in.text();
  if (octets.size() == value.size()) std::ranges::copy(octets, value.begin());
}
inline void fields(Writer& out, hanaper::Serial& value) { out.text(value.octets()); }
inline void fields(Reader& in, hanaper::Serial& value) {
  value = hanaper::Serial::from_der(in.text()).value_or({});
}
inline void fields(Writer& out, hanaper::Time& value) {
  out.number(static_cast<std::uint64_t>(value.time_since_epoch().count()));
}
inline void fields(Reader& in, hanaper::Time& value) {
  value = hanaper::Time{std::chrono::milliseconds{static_cast<std::int64_t>(in.number())}};
}

template <class Coder, class T>
void fields(Coder& coder, std::optional<T>& value) {
  bool there = value.has_value();
  fields(coder, there);
  if (there && !value) value.emplace();
  if (there) fields(coder, *value);
}

template <class T>
void fields(Writer& out, std::vector<T>& values) {
  out.number(values.size());
  for (T& value : values) fields(out, value);
}
template <class T>
void fields(Reader& in, std::vector<T>& values) {
  for (std::uint64_t count = in.number(); count > 0 && !in.wrong(); --count)
    fields(in, values.emplace_back());
}

template <class Coder, class... T>
void each(Coder& coder, T&... values) {
  (fields(coder, values), ...);
}

template <class Coder>
void fields(Coder& coder, hanaper::RecordIndex& v) {
  each(coder, v.field, v.value);
}
template <class Coder>
void fields(Coder& coder, hanaper::RecordWrite& v) {
  each(coder, v.collection, v.key, v.expected, v.erase, v.expires, v.indexes, v.data);
}
template <class Coder>
void fields(Coder& coder, hanaper::AuthorityRow& v) {
  each(coder, v.id, v.name, v.key, v.certificate, v.chain);
}
template <class Coder>
void fields(Coder& coder, hanaper::Reservation& v) {
  each(coder, v.authority, v.serial, v.profile, v.requester, v.not_before, v.not_after, v.shard, v.tbs,
       v.pipeline);
}
template <class Coder>
void fields(Coder& coder, hanaper::Recording& v) {
  each(coder, v.authority, v.serial, v.signature, v.at);
}
template <class Coder>
void fields(Coder& coder, hanaper::Revocation& v) {
  each(coder, v.authority, v.serial, v.shard, v.reason, v.at, v.invalidity, v.not_after, v.block_key);
}
template <class Coder>
void fields(Coder& coder, hanaper::NameRow& v) {
  each(coder, v.name, v.authority, v.serial);
}
// Without fence: a lease ends with the process that held it, and what is in the journal has passed it.
template <class Coder>
void fields(Coder& coder, hanaper::Write& v) {
  each(coder, v.records, v.authority, v.reservation, v.recording, v.revocation, v.names, v.purge, v.audit);
}
template <class Coder>
void fields(Coder& coder, hanaper::AuditPage& v) {
  each(coder, v.sequence, v.at, v.text, v.previous, v.hash);
}
template <class Coder>
void fields(Coder& coder, hanaper::ExpiryChange& v) {
  each(coder, v.day, v.change);
}
// Without its writes, which a batch only points to.
template <class Coder>
void fields(Coder& coder, hanaper::Batch& v) {
  each(coder, v.node, v.number, v.token, v.audit, v.expiries);
}

}  // namespace codec
