// Files that are written from front to back through a small buffer.
#pragma once

#include <hanaper/toolkit/crypto.hpp>

#include <memory>
#include <string>

namespace hanaper::crl {

// A new file that nobody else writes to, removed again unless it was published. Belongs to one thread.
class CrlWriter {
 public:
  static Result<CrlWriter> create(std::string path);
  CrlWriter(CrlWriter&& other) noexcept;
  CrlWriter& operator=(CrlWriter&&) = delete;
  ~CrlWriter();

  // Appends; `hashers` are fed the same octets.
  Status append(ByteView octets, crypto::Hasher* hasher = nullptr);
  // Appends another from `offset` on.
  Status append(CrlWriter& other, std::uint64_t offset, crypto::Hasher* hasher);
  // Feeds what is there from `offset` on.
  Status feed(std::uint64_t offset, crypto::Hasher& hasher);
  // Lays octets over what was written before.
  Status overwrite(std::uint64_t offset, ByteView octets);

  std::uint64_t size() const noexcept { return size_; }

  // SHA-256 of the whole file.
  Result<Fingerprint> sha256();
  // Calls `use` with the whole file from `offset` on, for what must be in memory at once: the kernel reads it
  // in and drops it again as it likes.
  template <class Use>
  auto map(std::uint64_t offset, Use&& use) -> decltype(use(ByteView{})) {
    HANAPER_TRY(const Mapped mapped, map_all());
    return use(ByteView(mapped.get(), static_cast<std::size_t>(size_)).subspan(offset));
  }

  // Synced to disk under its final name.
  Status publish(const std::string& path);

 private:
  CrlWriter(std::string path, int fd) : path_(std::move(path)), fd_(fd) { buffer_.reserve(buffer_size); }
  struct Unmap {
    std::uint64_t size = 0;
    void operator()(const std::uint8_t* octets) const noexcept;
  };
  using Mapped = std::unique_ptr<const std::uint8_t, Unmap>;

  Status flush();
  Result<Mapped> map_all();
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
