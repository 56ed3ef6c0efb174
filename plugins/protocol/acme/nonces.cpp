#include "nonces.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>

#include <algorithm>

namespace hanaper::acme {
namespace {

constexpr std::size_t number_size = 8;   // behind the time
constexpr std::size_t random_size = 12;  // instead, in shared ones

void put(std::uint8_t* to, std::uint64_t number) {
  for (std::size_t i = 0; i < 8; ++i) to[i] = static_cast<std::uint8_t>(number >> (56 - 8 * i));
}
std::uint64_t number_of(ByteView octets) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < 8; ++i) number = number << 8 | octets[i];
  return number;
}

}  // namespace

Nonces::Nonces(std::size_t runs) : runs_in_part_(std::max<std::size_t>(runs / parts_->size(), 1)) {
  crypto::random(key_);
}

std::string Nonces::sealed(ByteView content, bool shared) const {
  Bytes octets = to_bytes(content);
  const Fingerprint mac = crypto::hmac_sha256(shared ? shared_key_ : key_, content);
  octets.insert(octets.end(), mac.begin(), mac.begin() + mac_size);
  return base64::encode_url(octets);
}

bool Nonces::authentic(ByteView octets, bool shared) const {
  const std::size_t content = 8 + (shared ? random_size : number_size);
  if (octets.size() != content + mac_size) return false;
  const Fingerprint mac = crypto::hmac_sha256(shared ? shared_key_ : key_, octets.first(content));
  return crypto::equal_constant_time(ByteView(mac).first(mac_size), octets.subspan(content));
}

std::string Nonces::issue(Time now) {
  const bool shared = shared_;
  std::array<std::uint8_t, 8 + random_size> octets;
  const std::span<std::uint8_t> content(octets.data(), 8 + (shared ? random_size : number_size));
  put(content.data(), static_cast<std::uint64_t>(now.time_since_epoch().count()));
  if (shared)
    crypto::random(content.subspan(8));
  else
    put(content.data() + 8, next_.fetch_add(1, std::memory_order_relaxed));
  return sealed(content, shared);
}

Nonces::Verdict Nonces::check(std::string_view nonce, Time now) const {
  const bool shared = shared_;
  const auto octets = base64::decode_url(nonce);
  if (!octets) return Verdict::not_a_nonce;
  if (!authentic(*octets, shared)) return Verdict::bad;
  const Time made{std::chrono::milliseconds{static_cast<std::int64_t>(number_of(*octets))}};
  // The clocks of two nodes are never quite the same, and one may be set back.
  const bool fresh = made > now - lifetime && made < now + std::chrono::minutes{5};
  if (!fresh) return Verdict::bad;
  if (shared) return Verdict::good;
  const std::uint64_t number = number_of(ByteView(*octets).subspan(8));
  const Part& part = part_of(number / run_size);
  const Lock lock(part.mutex);
  if (number / run_size < part.given_up) return Verdict::bad;
  const auto run = part.runs.find(number / run_size);
  const std::uint64_t bit = std::uint64_t{1} << number % 64;
  return run != part.runs.end() && (run->second.used[number % run_size / 64] & bit) != 0 ? Verdict::bad
                                                                                         : Verdict::good;
}

bool Nonces::spend(std::string_view nonce, Time now) {
  const auto octets = base64::decode_url(nonce);
  if (!octets || octets->size() < 8 + number_size) return false;
  const Time made{std::chrono::milliseconds{static_cast<std::int64_t>(number_of(*octets))}};
  const std::uint64_t number = number_of(ByteView(*octets).subspan(8));
  Part& part = part_of(number / run_size);
  const Lock lock(part.mutex);
  if (number / run_size < part.given_up) return false;
  Run& run = part.runs[number / run_size];
  std::uint64_t& word = run.used[number % run_size / 64];
  const std::uint64_t bit = std::uint64_t{1} << number % 64;
  if ((word & bit) != 0) return false;
  word |= bit;
  run.latest = std::max(run.latest, made);
  while (part.runs.size() > runs_in_part_ ||
         (part.runs.size() > 1 && part.runs.begin()->second.latest <= now - lifetime)) {
    part.given_up = part.runs.begin()->first + 1;
    part.runs.erase(part.runs.begin());
  }
  return true;
}

}  // namespace hanaper::acme
