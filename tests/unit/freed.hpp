// Objects of OpenSSL that go with their pointers.
#pragma once

#include <memory>

namespace hanaper {

template <auto Free>
struct Freed {
  void operator()(auto* object) const noexcept { Free(object); }
};

}  // namespace hanaper
