#include "blocked_keys.hpp"

#include <hanaper/toolkit/files.hpp>

#include <sstream>

namespace hanaper::issuance {

Result<BlockedKeys::Hashes> BlockedKeys::read(const std::string& file) {
  Hashes hashes;
  if (file.empty()) return hashes;
  constexpr std::size_t max_file = 256 * 1024 * 1024;
  HANAPER_TRY(std::string text, files::read_trusted(file, max_file));
  std::istringstream stream(std::move(text));
  std::string line;
  for (int number = 1; std::getline(stream, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line[0] == '#') continue;
    const auto octets = from_hex(line);
    Fingerprint hash;
    if (!octets || octets->size() != hash.size())
      return malformed(file + ":" + std::to_string(number) + ":1: not a SHA-256 in hexadecimal");
    std::ranges::copy(*octets, hash.begin());
    hashes.insert(hash);
  }
  return hashes;
}

Status BlockedKeys::check(const std::string& file) {
  if (auto hashes = read(file); !hashes) return std::move(hashes).error();
  return {};
}

Status BlockedKeys::load_file(const std::string& file) {
  HANAPER_TRY(Hashes hashes, read(file));
  const WriteLock lock(mutex_);
  listed_ = std::move(hashes);
  return {};
}

Status BlockedKeys::load_ledger(Ledger& ledger) {
  constexpr std::uint32_t page = 1000;
  Fingerprint after{};
  for (;;) {
    HANAPER_TRY(const std::vector<Fingerprint> blocked, ledger.blocked_keys(after, page));
    {
      const WriteLock lock(mutex_);
      compromised_.insert(blocked.begin(), blocked.end());
    }
    if (blocked.size() < page) return {};
    after = blocked.back();
  }
}

}  // namespace hanaper::issuance
