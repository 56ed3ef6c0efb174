// Files that are read only with a passphrase, and that nobody changes, cuts or extends unseen.
#pragma once

#include <hanaper/values.hpp>

namespace hanaper::crypto {

// 130 random bits in groups of letters and digits that are not mistaken for each other.
std::string make_passphrase();

// Whether the file begins as a sealed one does; false when it cannot be read.
bool is_sealed_file(const std::string& path);

// What it costs to try a passphrase: scrypt's N is two to the power of that, r is 8; from 14 to 18. That of
// 17 takes 128 MiB of memory for a moment.
inline constexpr std::uint8_t sealing_cost = 17;

// [worker] Writes `from` under the passphrase into the new file `to`, mode 0600, and syncs it. Of any size:
// 64 KiB at a time, each with AES-256-GCM under a key that scrypt makes. conflict when `to` exists;
// not_found; unavailable; and then there is no new `to`.
Status seal_file(const std::string& from, const std::string& to, const Secret& passphrase,
                 std::uint8_t cost = sealing_cost);

// [worker] The reverse. malformed for what is no sealed file; forbidden for another passphrase, or a file
// that was changed or cut; conflict; unavailable. There is no `to` then.
Status open_sealed_file(const std::string& from, const std::string& to, const Secret& passphrase);

}  // namespace hanaper::crypto
