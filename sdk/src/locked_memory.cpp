#include <hanaper/toolkit/locked_memory.hpp>

#include <openssl/crypto.h>

namespace hanaper::crypto {

// Pages are locked when they are first used, so most of it costs nothing. A key of RSA 4096 takes 4 KiB.
bool lock_keys_in_memory() noexcept {
  constexpr std::size_t heap = 4 * 1024 * 1024, smallest = 32;
  return CRYPTO_secure_malloc_init(heap, smallest) == 1;
}

}  // namespace hanaper::crypto
