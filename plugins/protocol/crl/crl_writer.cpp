#include "crl_writer.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

namespace hanaper::crl {
namespace {

Error failed(const std::string& path, const char* what) {
  return unavailable(path + ": " + what + ": " + std::strerror(errno));
}

Status write_at(int fd, const std::string& path, ByteView octets, std::uint64_t offset) {
  while (!octets.empty()) {
    const ssize_t written = ::pwrite(fd, octets.data(), octets.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed(path, "cannot be written");
    octets = octets.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return {};
}

}  // namespace

Result<CrlWriter> CrlWriter::create(std::string path) {
  // One of a process that died, or of one that still maps it: a file that got shorter would end that one.
  ::unlink(path.c_str());
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return failed(path, "cannot be created");
  return CrlWriter(std::move(path), fd);
}

CrlWriter::CrlWriter(CrlWriter&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      size_(other.size_),
      buffer_(std::move(other.buffer_)) {
  other.path_.clear();
}

CrlWriter::~CrlWriter() {
  if (fd_ >= 0) ::close(fd_);
  if (!path_.empty()) ::unlink(path_.c_str());
}

Status CrlWriter::append(ByteView octets, crypto::Hasher* hasher) {
  if (hasher != nullptr) hasher->update(octets);
  if (buffer_.size() + octets.size() > buffer_size) HANAPER_CHECK(flush());
  size_ += octets.size();
  if (octets.size() >= buffer_size) return write_at(fd_, path_, octets, size_ - octets.size());
  buffer_.insert(buffer_.end(), octets.begin(), octets.end());
  return {};
}

Status CrlWriter::append(CrlWriter& other, std::uint64_t offset, crypto::Hasher* hasher) {
  return other.each(offset, [&](ByteView piece) { return append(piece, hasher); });
}

Status CrlWriter::feed(std::uint64_t offset, crypto::Hasher& hasher) {
  return each(offset, [&](ByteView piece) -> Status {
    hasher.update(piece);
    return {};
  });
}

Status CrlWriter::overwrite(std::uint64_t offset, ByteView octets) {
  HANAPER_CHECK(flush());
  return write_at(fd_, path_, octets, offset);
}

Status CrlWriter::flush() {
  HANAPER_CHECK(write_at(fd_, path_, buffer_, size_ - buffer_.size()));
  buffer_.clear();
  return {};
}

template <class Take>
Status CrlWriter::each(std::uint64_t offset, Take&& take) {
  HANAPER_CHECK(flush());
  Bytes piece(buffer_size);
  while (offset < size_) {
    const ssize_t got = ::pread(fd_, piece.data(), piece.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return failed(path_, "cannot be read");
    HANAPER_CHECK(take(ByteView(piece).first(static_cast<std::size_t>(got))));
    offset += static_cast<std::uint64_t>(got);
  }
  return {};
}

Result<Fingerprint> CrlWriter::sha256() {
  crypto::Hasher hasher(crypto::Hash::sha256);
  HANAPER_CHECK(feed(0, hasher));
  Fingerprint hash{};
  std::ranges::copy(hasher.finish(), hash.begin());
  return hash;
}

void CrlWriter::Unmap::operator()(const std::uint8_t* octets) const noexcept {
  ::munmap(const_cast<std::uint8_t*>(octets), static_cast<std::size_t>(size));
}

Result<CrlWriter::Mapped> CrlWriter::map_all() {
  HANAPER_CHECK(flush());
  void* octets = ::mmap(nullptr, static_cast<std::size_t>(size_), PROT_READ, MAP_PRIVATE, fd_, 0);
  if (octets == MAP_FAILED) return failed(path_, "cannot be mapped");
  return Mapped(static_cast<const std::uint8_t*>(octets), Unmap{size_});
}

Status CrlWriter::publish(const std::string& path) {
  HANAPER_CHECK(flush());
  if (::fsync(fd_) != 0) return failed(path_, "cannot be written to disk");
  if (std::rename(path_.c_str(), path.c_str()) != 0) return failed(path, "cannot be replaced");
  path_.clear();
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return failed(folder, "cannot be opened");
  const int synced = ::fsync(directory);
  ::close(directory);
  return synced == 0 ? Status{} : failed(folder, "cannot be written to disk");
}

}  // namespace hanaper::crl
