#include "blocked_keys.hpp"

#include <fstream>

namespace hanaper::issuance {

Status BlockedKeys::load(const std::string& file, Ledger& ledger) {
  std::unordered_set<Fingerprint, FirstOctets> hashes;
  if (!file.empty()) {
    std::ifstream stream(file);
    if (!stream) return unavailable(file + ": cannot be read");
    std::string line;
    for (int number = 1; std::getline(stream, line); ++number) {
      if (line.empty() || line[0] == '#') continue;
      const auto octets = from_hex(line);
      Fingerprint hash;
      if (!octets || octets->size() != hash.size())
        return malformed(file + ":" + std::to_string(number) + ":1: not a SHA-256 in hexadecimal");
      std::ranges::copy(*octets, hash.begin());
      hashes.insert(hash);
    }
  }
  constexpr std::uint32_t page = 1000;
  Fingerprint after{};
  for (;;) {
    HANAPER_TRY(const std::vector<Fingerprint> blocked, ledger.blocked_keys(after, page));
    hashes.insert(blocked.begin(), blocked.end());
    if (blocked.size() < page) break;
    after = blocked.back();
  }
  const std::unique_lock lock(mutex_);
  hashes_ = std::move(hashes);
  return {};
}

}  // namespace hanaper::issuance
