// What every target shares: its input, and a way to say that something that must hold does not.
#pragma once

#include <hanaper/values.hpp>

#include <cstdint>
#include <cstdlib>

namespace hanaper::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// libFuzzer keeps the input that led to an abort.
inline void require(bool holds) {
  if (!holds) std::abort();
}

// The value of what must succeed.
template <class T>
T must(Result<T> result) {
  require(result.has_value());
  return std::move(*result);
}

}  // namespace hanaper::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
