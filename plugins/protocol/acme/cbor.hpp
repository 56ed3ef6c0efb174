// CBOR (RFC 8949) as WebAuthn allows it: definite lengths, each in its shortest form, no floats.
#pragma once

#include <hanaper/values.hpp>

namespace hanaper::acme::cbor {

// Reads one item after the other; what it gives are views into the input. All failures are malformed. The
// work is bounded by the size of the input, the depth by `deepest`.
class Reader {
 public:
  explicit Reader(ByteView input) noexcept : rest_(input) {}

  Result<std::int64_t> integer();
  Result<ByteView> octets();
  Result<std::string_view> text();
  Result<std::size_t> array();  // how many items follow
  Result<std::size_t> map();    // how many pairs follow
  Status skip() { return skip(deepest); }
  Status finish() const;

 private:
  struct Head {
    unsigned major = 0;
    std::uint64_t argument = 0;
  };
  static constexpr int deepest = 8;

  Result<Head> head();
  Result<std::uint64_t> expect(unsigned major, std::string_view what);
  Result<ByteView> take(std::uint64_t size);
  Result<std::size_t> count(unsigned major, std::string_view what);
  Status skip(int depth);

  ByteView rest_;
};

}  // namespace hanaper::acme::cbor
