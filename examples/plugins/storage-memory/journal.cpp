#include "journal.hpp"

#include "codec.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

using hanaper::Batch;
using hanaper::ByteView;
using hanaper::Status;

namespace {

// An entry: length of the payload (8 octets, the large end first), SHA-256 of the payload, payload.
constexpr std::size_t head_size = 8 + 32;
constexpr std::size_t max_file = std::size_t{4} << 30;

hanaper::Bytes encode(const Batch& batch) {
  codec::Writer payload;
  Batch fields = batch;
  codec::fields(payload, fields);
  payload.number(batch.writes.size());
  for (hanaper::Write* write : batch.writes) codec::fields(payload, *write);
  codec::Writer entry;
  entry.number(payload.octets.size());
  const hanaper::Fingerprint digest = hanaper::crypto::sha256(payload.octets);
  entry.octets.insert(entry.octets.end(), digest.begin(), digest.end());
  entry.octets.insert(entry.octets.end(), payload.octets.begin(), payload.octets.end());
  return entry.octets;
}

// Hands on the batch of a payload; its views live as long as the payload.
Status decode(ByteView payload, const Journal::Take& take) {
  codec::Reader reader(payload);
  Batch batch;
  std::vector<hanaper::Write> writes;
  codec::fields(reader, batch);
  codec::fields(reader, writes);
  if (reader.wrong() || reader.left() != 0) return hanaper::malformed("is no batch");
  std::vector<hanaper::Write*> pointers;
  for (hanaper::Write& write : writes) pointers.push_back(&write);
  batch.writes = pointers;
  return take(batch);
}

}  // namespace

Journal::~Journal() {
  if (handle_ >= 0) ::close(handle_);
}

Status Journal::open(const std::string& path, const Take& take) {
  path_ = path;
  handle_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (handle_ < 0) return fail("open");
  if (::flock(handle_, LOCK_EX | LOCK_NB) != 0)
    return hanaper::conflict(path + ": in use by another process");
  HANAPER_TRY(const std::string content, hanaper::files::read(path, max_file));
  const ByteView whole = hanaper::as_bytes(content);
  std::uint64_t at = 0;
  while (whole.size() - at >= head_size) {
    codec::Reader head(whole.subspan(at, 8));
    const std::uint64_t size = head.number();
    if (size > whole.size() - at - head_size) break;  // torn
    const ByteView payload = whole.subspan(at + head_size, size);
    const bool last = at + head_size + size == whole.size();
    if (!hanaper::equal(hanaper::crypto::sha256(payload), whole.subspan(at + 8, 32))) {
      if (last) break;  // torn: its length came to the disk before its octets
      return hanaper::malformed(path + ": damaged at octet " + std::to_string(at) + "; restore a backup");
    }
    if (Status taken = decode(payload, take); !taken)
      return std::move(taken).error().within(path + ": at octet " + std::to_string(at));
    at += head_size + size;
  }
  return cut(at);
}

Status Journal::append(const Batch& batch) {
  const hanaper::Bytes entry = encode(batch);
  std::size_t written = 0;
  while (written < entry.size()) {
    const ssize_t count = ::pwrite(handle_, entry.data() + written, entry.size() - written,
                                   static_cast<off_t>(size_ + written));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    written += static_cast<std::size_t>(count);
  }
  if (written < entry.size() || ::fdatasync(handle_) != 0) {
    const Status failed = fail("write");
    static_cast<void>(cut(size_));
    return failed;
  }
  before_ = size_;
  size_ += entry.size();
  return {};
}

Status Journal::undo() { return cut(before_); }

Status Journal::cut(std::uint64_t size) {
  if (::ftruncate(handle_, static_cast<off_t>(size)) != 0 || ::fdatasync(handle_) != 0)
    return fail("truncate");
  size_ = before_ = size;
  return {};
}

Status Journal::fail(std::string_view what) const {
  return hanaper::unavailable(path_ + ": " + std::string(what) + ": " + std::strerror(errno));
}
