// Where private keys are kept while a process has them.
#pragma once

namespace hanaper::crypto {

// [main] Before the first key is read, once in a process: from then on OpenSSL keeps private numbers in
// memory that is never written to swap space, 4 MiB of it. False when the system does not grant that
// (RLIMIT_MEMLOCK); they are kept elsewhere then.
bool lock_keys_in_memory() noexcept;

}  // namespace hanaper::crypto
