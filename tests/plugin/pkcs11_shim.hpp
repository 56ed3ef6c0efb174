// What a test may let the shim do to calls on their way to the real module.
#pragma once

#include <atomic>
#include <cstdint>

// Shared between the test and the shim, which are in one process.
struct Pkcs11Shim {
  std::atomic<std::uint64_t> signatures{0};
  std::atomic<std::uint64_t> logins{0};
  std::atomic<std::uint64_t> starts{0};
  std::atomic<std::uint64_t> fail_every{0};        // every nth C_Sign fails; 0: none
  std::atomic<unsigned long> fail_with{0x30};      // CKR_DEVICE_ERROR
  std::atomic<unsigned long> failing{~0UL};        // the slot in which each C_Sign fails
  std::atomic<unsigned long> absent{~0UL};         // the slot whose token is taken out
  std::atomic<unsigned long> back_at_start{~0UL};  // the slot whose token is seen again only by a new start
  std::atomic<unsigned long> hanging{~0UL};        // the slot in which C_Sign does not return
  std::atomic<int> hung{0};                        // how many hang
  std::atomic<unsigned long> most_sessions{~0UL};  // a slot has
};

extern "C" Pkcs11Shim* pkcs11_shim();
