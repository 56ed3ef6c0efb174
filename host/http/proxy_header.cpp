#include "proxy_header.hpp"

#include "addresses.hpp"

#include <array>
#include <utility>

namespace hanaper::http {
namespace {

constexpr std::string_view text_start = "PROXY ";
constexpr std::string_view signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t fixed_size = 16;  // octets of version 2 before the addresses
constexpr std::string_view no_header = "there is no PROXY header";

std::uint8_t octet_at(std::string_view text, std::size_t at) { return static_cast<std::uint8_t>(text[at]); }

std::size_t number_at(std::string_view text, std::size_t at) {
  return static_cast<std::size_t>(octet_at(text, at) << 8 | octet_at(text, at + 1));
}

// RFC 9260 appendix A: CRC32c, reflected. `hole` has four octets that count as zeros.
std::uint32_t crc32c(std::string_view octets, std::size_t hole) {
  std::uint32_t crc = 0xffffffff;
  for (std::size_t i = 0; i < octets.size(); ++i) {
    crc ^= i >= hole && i < hole + 4 ? 0u : octet_at(octets, i);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
  }
  return ~crc;
}

// Decimal, from 0 to 65535, without zeros in front.
bool is_tcp_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text.front() == '0')) return false;
  unsigned value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value <= 65535;
}

// Up to the next blank, which goes with it; the last field ends with the text.
std::string_view next_field(std::string_view& text) {
  const std::size_t blank = text.find(' ');
  const std::string_view field = text.substr(0, blank);
  text = blank == std::string_view::npos ? std::string_view{} : text.substr(blank + 1);
  return field;
}

// Octets that the addresses of a family have: nothing, IPv4, IPv6, unix sockets.
constexpr std::array<std::size_t, 4> address_sizes = {0, 12, 36, 216};

}  // namespace

std::size_t ProxyHeader::take(std::string_view octets) {
  std::size_t taken = 0;
  while (state_ == State::incomplete && taken < octets.size()) {
    kept_ += octets[taken++];
    look();
  }
  return taken;
}

std::size_t ProxyHeader::wanted() const noexcept {
  if (state_ != State::incomplete) return 0;
  if (size_ != 0) return size_ - kept_.size();
  const bool text = kept_.empty() || kept_.front() == text_start.front();
  return (text ? largest_text : fixed_size) - kept_.size();
}

void ProxyHeader::look() {
  if (kept_.front() == text_start.front()) return look_at_text();
  look_at_binary();
}

void ProxyHeader::look_at_text() {
  const char last = kept_.back();
  if (kept_.size() <= text_start.size()) {
    if (!text_start.starts_with(kept_)) fail(no_header);
    return;
  }
  const bool behind_cr = kept_[kept_.size() - 2] == '\r';
  if (behind_cr != (last == '\n')) return fail("a line of the PROXY header does not end with CRLF");
  if (behind_cr) return read_text();
  if (last != '\r' && (last < ' ' || last > '~')) return fail("the PROXY header has octets of no text");
  if (kept_.size() >= largest_text) fail("the PROXY header is longer than 107 octets");
}

void ProxyHeader::look_at_binary() {
  const std::uint8_t last = octet_at(kept_, kept_.size() - 1);
  if (kept_.size() <= signature.size()) {
    if (!signature.starts_with(kept_)) fail(no_header);
    return;
  }
  if (kept_.size() == 13 && (last >> 4 != 2 || (last & 0xf) > 1))
    return fail("the PROXY header has an unknown version or command");
  // "Other values are unspecified and must not be emitted"
  if (kept_.size() == 14 && (last >> 4 > 3 || (last & 0xf) > 2))
    return fail("the PROXY header has an unknown address family or protocol");
  if (kept_.size() == fixed_size) {
    size_ = fixed_size + number_at(kept_, fixed_size - 2);
    if (size_ > largest) return fail("the PROXY header is longer than 536 octets");
  }
  if (size_ != 0 && kept_.size() == size_) read_binary();
}

void ProxyHeader::read_text() {
  std::string_view rest = std::string_view(kept_).substr(text_start.size());
  rest.remove_suffix(2);
  const std::string_view family = next_field(rest);
  // "the receiver must ignore anything presented before the CRLF"
  if (family == "UNKNOWN") return end({});
  if (family != "TCP4" && family != "TCP6") return fail("the PROXY header has an unknown address family");
  const std::size_t size = family == "TCP4" ? 4 : 16;
  Bytes source;
  for (int i = 0; i < 2; ++i) {
    auto address = x509::ip_octets(next_field(rest));
    if (!address || address->size() != size) return fail("the PROXY header has a wrong address");
    if (i == 0) source = *std::move(address);
  }
  const std::string_view from = next_field(rest);
  if (!is_tcp_port(from) || !is_tcp_port(rest)) return fail("the PROXY header has a wrong port");
  end(source);
}

void ProxyHeader::read_binary() {
  const bool local = (octet_at(kept_, 12) & 0xf) == 0;
  const std::size_t family = octet_at(kept_, 13) >> 4;
  // A LOCAL header's family says nothing, and without a family nobody knows where values would begin.
  if (local || family == 0) return end({});
  const std::size_t values = fixed_size + address_sizes[family];
  if (kept_.size() < values) return fail("the PROXY header is too short for its addresses");
  if (!check_values(values)) return;
  const bool tcp = (octet_at(kept_, 13) & 0xf) == 1;
  const std::size_t address = family == 1 ? 4 : family == 2 ? 16 : 0;
  end(tcp ? as_bytes(std::string_view(kept_).substr(fixed_size, address)) : ByteView{});
}

bool ProxyHeader::check_values(std::size_t at) {
  constexpr std::uint8_t crc_type = 0x03;
  bool checked = false;
  while (at < kept_.size()) {
    if (kept_.size() - at < 3 || kept_.size() - at - 3 < number_at(kept_, at + 1))
      return fail("a value of the PROXY header is longer than the header"), false;
    const std::size_t size = number_at(kept_, at + 1), content = at + 3;
    if (octet_at(kept_, at) == crc_type) {
      if (std::exchange(checked, true) || size != 4)
        return fail("the PROXY header has a wrong checksum"), false;
      const auto given =
          static_cast<std::uint32_t>(number_at(kept_, content) << 16 | number_at(kept_, content + 2));
      if (given != crc32c(kept_, content)) return fail("the PROXY header has a wrong checksum"), false;
    }
    at = content + size;
  }
  return true;
}

void ProxyHeader::end(ByteView client) {
  client_ = to_bytes(plain_address(client));
  state_ = State::complete;
}

void ProxyHeader::fail(std::string_view fault) {
  fault_ = fault;
  state_ = State::malformed;
}

}  // namespace hanaper::http
