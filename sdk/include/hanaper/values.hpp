// The small values that cross the boundary: bytes, times, serial numbers, identifiers.
//
// All are plain values without hidden state: copy them, compare them, use them from any thread as you
// would an int.
#pragma once

#include <hanaper/result.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hanaper {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

inline ByteView as_bytes(std::string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes to_bytes(ByteView view) { return {view.begin(), view.end()}; }
inline bool equal(ByteView a, ByteView b) noexcept { return std::ranges::equal(a, b); }

// Wall-clock time, UTC, to the millisecond. Certificates carry whole seconds: floor before encoding.
using Time = std::chrono::sys_time<std::chrono::milliseconds>;

// When a wait must end. Monotonic, so that a corrected wall clock neither shortens nor stretches it.
using Deadline = std::chrono::steady_clock::time_point;

// A size in octets, so that a limit is never mistaken for a count.
struct ByteCount {
  std::uint64_t value = 0;
  auto operator<=>(const ByteCount&) const = default;
};

// SHA-256 of something, as a key of maps and tables.
using Fingerprint = std::array<std::uint8_t, 32>;

// Lower-case hexadecimal, two digits an octet.
std::string inline to_hex(ByteView bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text(bytes.size() * 2, '0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    text[2 * i] = digits[bytes[i] >> 4];
    text[2 * i + 1] = digits[bytes[i] & 15];
  }
  return text;
}

// The octets of a hexadecimal text of either case; malformed for an odd length or another character.
inline Result<Bytes> from_hex(std::string_view text) {
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  if (text.size() % 2 != 0) return malformed("hexadecimal text has an odd number of digits");
  Bytes bytes(text.size() / 2);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = digit(text[2 * i]);
    const int low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return malformed("not a hexadecimal text");
    bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return bytes;
}

// A certificate serial number: the content octets of a positive DER INTEGER, 1 to 20 of them, sign octet
// included (RFC 5280 4.1.2.2: "Certificate users MUST be able to handle serialNumber values up to 20
// octets").
class Serial {
 public:
  static constexpr std::size_t max_size = 20;

  Serial() = default;

  // Takes DER content octets as they are. malformed if empty, longer than 20, negative, zero, or with a
  // superfluous leading zero.
  static Result<Serial> from_der(ByteView octets) {
    if (octets.empty() || octets.size() > max_size) return malformed("serial number is not 1 to 20 octets");
    if (octets[0] & 0x80) return malformed("serial number is negative");
    if (octets[0] == 0 && (octets.size() == 1 || !(octets[1] & 0x80)))
      return malformed(octets.size() == 1 ? "serial number is zero"
                                          : "serial number has a leading zero octet");
    return Serial(octets);
  }

  // Takes an unsigned big-endian magnitude: strips leading zeros, adds the sign octet where DER needs it.
  static Result<Serial> from_magnitude(ByteView octets) {
    while (!octets.empty() && octets[0] == 0) octets = octets.subspan(1);
    if (octets.empty()) return malformed("serial number is zero");
    const std::size_t sign = octets[0] & 0x80 ? 1 : 0;
    if (octets.size() + sign > max_size) return malformed("serial number is not 1 to 20 octets");
    Serial serial;
    serial.size_ = static_cast<std::uint8_t>(octets.size() + sign);
    std::ranges::copy(octets, serial.octets_.begin() + sign);
    return serial;
  }

  // Reads hexadecimal, with or without "0x" and colons, as operators paste it.
  static Result<Serial> from_text(std::string_view text) {
    std::string digits;
    if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
    for (char c : text)
      if (c != ':') digits.push_back(c);
    if (digits.size() % 2 != 0) digits.insert(digits.begin(), '0');
    HANAPER_TRY(Bytes octets, from_hex(digits));
    return from_magnitude(octets);
  }

  ByteView octets() const noexcept { return {octets_.data(), size_}; }
  std::string hex() const { return to_hex(octets()); }
  bool empty() const noexcept { return size_ == 0; }

  bool operator==(const Serial& other) const noexcept { return equal(octets(), other.octets()); }
  // Numeric order: more octets are a larger number.
  std::strong_ordering operator<=>(const Serial& other) const noexcept {
    if (size_ != other.size_) return size_ <=> other.size_;
    return std::memcmp(octets_.data(), other.octets_.data(), size_) <=> 0;
  }

 private:
  explicit Serial(ByteView octets) : size_(static_cast<std::uint8_t>(octets.size())) {
    std::ranges::copy(octets, octets_.begin());
  }

  std::array<std::uint8_t, max_size> octets_{};
  std::uint8_t size_ = 0;
};

// What a certificate is issued for. dns values are lower-case A-labels, possibly with a leading "*.";
// ip values are in RFC 5952 text form. Devices and their secure processors are named by what their maker
// gave them, octet by octet, and behind a slash who assigns such names, or the type of the hardware, as a
// dotted object identifier: "SERIAL" or "SERIAL/1.2.3" (RFC 4043), "SERIAL/1.2.3" (RFC 4108). Accounts of
// Windows domains are "user@domain" in lower case; mail addresses whose local part is not ASCII (RFC 9598)
// are UTF-8 in front of a domain of A-labels.
struct Identifier {
  enum class Kind : std::uint8_t {
    dns,
    ip,
    email,
    uri,
    permanent_identifier,
    hardware_module,
    user_principal,
    smtp_utf8_mailbox
  };

  Kind kind = Kind::dns;
  std::string value;

  auto operator<=>(const Identifier&) const = default;
};

constexpr std::string_view to_string(Identifier::Kind kind) noexcept {
  constexpr std::string_view names[] = {"dns",
                                        "ip",
                                        "email",
                                        "uri",
                                        "permanent-identifier",
                                        "hardware-module",
                                        "user-principal-name",
                                        "smtp-utf8-mailbox"};
  return names[static_cast<std::size_t>(kind)];
}

// Every kind there is.
inline constexpr Identifier::Kind identifier_kinds[] = {Identifier::Kind::dns,
                                                        Identifier::Kind::ip,
                                                        Identifier::Kind::email,
                                                        Identifier::Kind::uri,
                                                        Identifier::Kind::permanent_identifier,
                                                        Identifier::Kind::hardware_module,
                                                        Identifier::Kind::user_principal,
                                                        Identifier::Kind::smtp_utf8_mailbox};

// Whether it names a device and not a place where it can be reached.
constexpr bool names_device(Identifier::Kind kind) noexcept {
  return kind == Identifier::Kind::permanent_identifier || kind == Identifier::Kind::hardware_module;
}

// RFC 5280 5.3.1, with the numbers of the ASN.1 enumeration. 7 is not used there.
enum class RevocationReason : std::uint8_t {
  unspecified = 0,
  key_compromise = 1,
  ca_compromise = 2,
  affiliation_changed = 3,
  superseded = 4,
  cessation_of_operation = 5,
  certificate_hold = 6,
  remove_from_crl = 8,
  privilege_withdrawn = 9,
  aa_compromise = 10,
};

// The RFC's spelling, e.g. "keyCompromise".
constexpr std::string_view to_string(RevocationReason reason) noexcept {
  constexpr std::string_view names[] = {"unspecified",        "keyCompromise", "cACompromise",
                                        "affiliationChanged", "superseded",    "cessationOfOperation",
                                        "certificateHold",    "unused",        "removeFromCRL",
                                        "privilegeWithdrawn", "aACompromise"};
  return names[static_cast<std::size_t>(reason)];
}

// Text that must not linger: wiped when it goes out of scope, never printed, not copyable.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(Secret&& other) noexcept : text_(other.text_) { other.wipe(); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      wipe();
      text_ = other.text_;
      other.wipe();
    }
    return *this;
  }
  ~Secret() { wipe(); }

  std::string_view reveal() const noexcept { return text_; }
  bool empty() const noexcept { return text_.empty(); }
  Secret clone() const { return Secret(text_); }

 private:
  void wipe() noexcept {
    volatile char* octet = text_.data();
    for (std::size_t i = 0; i < text_.size(); ++i) octet[i] = 0;
    text_.clear();
  }

  std::string text_;
};

}  // namespace hanaper
