// Files that are written from front to back through a small buffer.
#pragma once

#include <hanaper/toolkit/crypto.hpp>

#include <string>

namespace hanaper::crl {

// A new file, removed again unless it was published. Belongs to one thread.
class Spool {
 public:
  static Result<Spool> create(std::string path);
  Spool(Spool&& other) noexcept;
  Spool& operator=(Spool&&) = delete;
  ~Spool();

  // Appends; `hashers` are fed the same octets.
  Status append(ByteView octets, crypto::Hasher* hasher = nullptr);
  // Appends another from `offset` on.
  Status append(Spool& other, std::uint64_t offset, crypto::Hasher* hasher);
  // Feeds what is there from `offset` on.
  Status feed(std::uint64_t offset, crypto::Hasher& hasher);
  // Lays octets over what was written before.
  Status overwrite(std::uint64_t offset, ByteView octets);

  std::uint64_t size() const noexcept { return size_; }

  // SHA-256 of the whole file.
  Result<Fingerprint> sha256();
  // The whole file; for what must be in memory at once.
  Result<Bytes> read_all();

  // Synced to disk under its final name.
  Status publish(const std::string& path);

 private:
  Spool(std::string path, int fd) : path_(std::move(path)), fd_(fd) { buffer_.reserve(buffer_size); }
  Status flush();
  // Calls `take` with every piece of the file from `offset` on in turn.
  template <class Take>
  Status each(std::uint64_t offset, Take&& take);

  static constexpr std::size_t buffer_size = 64 * 1024;

  std::string path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
  Bytes buffer_;
};

}  // namespace hanaper::crl
