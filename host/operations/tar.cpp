#include "tar.hpp"

#include <hanaper/toolkit/files.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace hanaper::operations {
namespace {

constexpr std::size_t block_size = 512;
constexpr std::size_t buffer_size = 1024 * 1024;
constexpr std::uint64_t largest_octal = 077777777777;  // 11 digits

Error failed(const std::string& path, std::string_view what) {
  return unavailable(path + ": " + std::string(what) + ": " + std::strerror(errno));
}

void put_number(char* field, std::size_t size, std::uint64_t value) {
  if (value <= largest_octal || size < 12) {
    for (std::size_t i = size - 1; i-- > 0; value >>= 3) field[i] = static_cast<char>('0' + (value & 7));
    return;
  }
  // Larger than octal digits can say: binary, with the first bit set, as GNU and BSD tar read it.
  std::memset(field, 0, size);
  field[0] = static_cast<char>(0x80);
  for (std::size_t i = size; i-- > size - 8; value >>= 8) field[i] = static_cast<char>(value);
}

std::optional<std::uint64_t> get_number(const char* field, std::size_t size) {
  std::uint64_t value = 0;
  if (static_cast<unsigned char>(field[0]) == 0x80) {
    for (std::size_t i = size - 8; i < size; ++i) value = value << 8 | static_cast<unsigned char>(field[i]);
    return value;
  }
  for (std::size_t i = 0; i < size && field[i] != '\0' && field[i] != ' '; ++i) {
    if (field[i] < '0' || field[i] > '7') return std::nullopt;
    value = value << 3 | static_cast<std::uint64_t>(field[i] - '0');
  }
  return value;
}

unsigned checksum(const std::array<char, block_size>& header) {
  unsigned sum = 0;
  for (std::size_t i = 0; i < header.size(); ++i)
    sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(header[i]);
  return sum;
}

bool is_plain(std::string_view name) {
  return !name.empty() && name.size() < 100 && name[0] != '/' && name.find("..") == std::string_view::npos &&
         name.find("//") == std::string_view::npos;
}

Error damaged(const std::string& path, std::string_view how) {
  return malformed(path + ": is damaged: " + std::string(how) + "; restore another backup");
}

std::string sum_line(ByteView digest, std::string_view name) {
  return to_hex(digest) + "  " + std::string(name) + "\n";
}

}  // namespace

Result<std::unique_ptr<TarWriter>> TarWriter::create(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0 && errno == EEXIST) return conflict(path + " exists already");
  if (file < 0) return failed(path, "cannot be created");
  return std::unique_ptr<TarWriter>(new TarWriter(file, path));
}

TarWriter::~TarWriter() { ::close(file_); }

void TarWriter::remove() noexcept { ::unlink(path_.c_str()); }

Status TarWriter::write(ByteView content) {
  octets_ += content.size();
  while (!content.empty()) {
    const ssize_t n = ::write(file_, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed(path_, "cannot be written");
    content = content.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Status TarWriter::header(std::string_view name, std::uint64_t size) {
  if (entries_ >= most_entries)
    return unsupported(path_ + ": a backup has at most " + std::to_string(most_entries) + " entries");
  if (!is_plain(name)) return internal("\"" + std::string(name) + "\" is no name for a backup's entry");
  std::array<char, block_size> header{};
  std::ranges::copy(name, header.begin());
  put_number(&header[100], 8, 0600);
  put_number(&header[108], 8, 0);
  put_number(&header[116], 8, 0);
  put_number(&header[124], 12, size);
  put_number(
      &header[136], 12,
      static_cast<std::uint64_t>(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())));
  header[156] = '0';
  std::memcpy(&header[257],
              "ustar\0"
              "00",
              8);
  put_number(&header[148], 7, checksum(header));
  header[155] = ' ';
  ++entries_;
  return write(as_bytes({header.data(), header.size()}));
}

Status TarWriter::end(std::string_view name, crypto::Hasher& digest, std::uint64_t size) {
  static constexpr std::uint8_t zeros[block_size] = {};
  sums_ += sum_line(digest.finish(), name);
  return write(ByteView(zeros).first((block_size - size % block_size) % block_size));
}

Status TarWriter::add(std::string_view name, ByteView content) {
  HANAPER_CHECK(header(name, content.size()));
  HANAPER_CHECK(write(content));
  crypto::Hasher digest(crypto::Hash::sha256);
  digest.update(content);
  return end(name, digest, content.size());
}

Status TarWriter::add_file(std::string_view name, const std::string& path) {
  HANAPER_TRY(const files::Descriptor file, files::open_regular(path));
  struct stat status {};
  if (::fstat(file.handle(), &status) != 0) return failed(path, "cannot be read");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  HANAPER_CHECK(header(name, size));
  crypto::Hasher digest(crypto::Hash::sha256);
  Bytes buffer(buffer_size);
  for (std::uint64_t left = size; left != 0;) {
    const ssize_t n = ::read(file.handle(), buffer.data(), std::min<std::uint64_t>(left, buffer.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return failed(path, "changed while it was read");
    const ByteView part = ByteView(buffer).first(static_cast<std::size_t>(n));
    digest.update(part);
    HANAPER_CHECK(write(part));
    left -= static_cast<std::uint64_t>(n);
  }
  return end(name, digest, size);
}

Status TarWriter::add_sums() {
  const std::string sums = sums_;
  return add(sums_name, as_bytes(sums));
}

Status TarWriter::finish() {
  static constexpr std::uint8_t zeros[2 * block_size] = {};
  HANAPER_CHECK(write(zeros));
  if (::fsync(file_) != 0) return failed(path_, "cannot be synced");
  return {};
}

Result<std::unique_ptr<TarReader>> TarReader::open(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return failed(path, "cannot be opened");
  std::unique_ptr<TarReader> reader(new TarReader(file, path));
  HANAPER_CHECK(reader->index());
  return reader;
}

TarReader::~TarReader() { ::close(file_); }

Status TarReader::index() {
  struct stat status {};
  if (::fstat(file_, &status) != 0) return failed(path_, "cannot be read");
  const auto total = static_cast<std::uint64_t>(status.st_size);
  const auto bad = [&](std::uint64_t at) {
    return malformed(path_ + ": no backup, or a damaged one, at octet " + std::to_string(at));
  };
  for (std::uint64_t at = 0;;) {
    std::array<char, block_size> header{};
    if (::pread(file_, header.data(), header.size(), static_cast<off_t>(at)) !=
        static_cast<ssize_t>(block_size))
      return bad(at);
    if (header[0] == '\0') return names_.empty() ? Status(bad(at)) : Status{};
    const auto sum = get_number(&header[148], 8), size = get_number(&header[124], 12);
    const std::string name(&header[0], strnlen(&header[0], 100));
    if (!sum || *sum != checksum(header) || !size || header[156] != '0' || !is_plain(name) || *size > total)
      return bad(at);
    if (!places_.emplace(name, Place{at + block_size, *size}).second || names_.size() >= most_entries)
      return bad(at);
    names_.push_back(name);
    at += block_size + (*size + block_size - 1) / block_size * block_size;
  }
}

Result<Bytes> TarReader::read(const std::string& name) const {
  const auto place = places_.find(name);
  if (place == places_.end()) return not_found(path_ + ": has no entry " + name);
  if (place->second.size > 16 * 1024 * 1024) return malformed(path_ + ": entry " + name + " is too large");
  Bytes content(place->second.size);
  if (::pread(file_, content.data(), content.size(), static_cast<off_t>(place->second.offset)) !=
      static_cast<ssize_t>(content.size()))
    return malformed(path_ + ": ends within " + name);
  return content;
}

template <class Take>
Status TarReader::each_part(const std::string& name, const Place& place, Take&& take) const {
  Bytes buffer(buffer_size);
  for (std::uint64_t done = 0; done < place.size;) {
    const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), place.size - done);
    const ssize_t n = ::pread(file_, buffer.data(), wanted, static_cast<off_t>(place.offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return malformed(path_ + ": ends within " + name);
    HANAPER_CHECK(take(ByteView(buffer).first(static_cast<std::size_t>(n))));
    done += static_cast<std::uint64_t>(n);
  }
  return {};
}

Status TarReader::verify() const {
  if (names_.back() != sums_name)
    return damaged(path_, "it has no " + std::string(sums_name) + " at its end");
  HANAPER_TRY(const Bytes saved, read(std::string(sums_name)));
  std::string_view left = as_text(saved);
  for (const std::string& name : names_) {
    if (name == sums_name) break;
    crypto::Hasher digest(crypto::Hash::sha256);
    HANAPER_CHECK(each_part(name, places_.at(name), [&](ByteView part) {
      digest.update(part);
      return Status{};
    }));
    const std::string line = sum_line(digest.finish(), name);
    if (!left.starts_with(line)) return damaged(path_, name + " is not what was saved");
    left.remove_prefix(line.size());
  }
  if (left.empty()) return {};
  return damaged(path_, "it lacks what its " + std::string(sums_name) + " names");
}

Status TarReader::extract(const std::string& name, const std::string& path) const {
  const auto place = places_.find(name);
  if (place == places_.end()) return not_found(path_ + ": has no entry " + name);
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0 && errno == EEXIST) return conflict(path + " exists already");
  if (file < 0) return failed(path, "cannot be created");
  const std::unique_ptr<const int, void (*)(const int*)> closer(&file,
                                                                [](const int* handle) { ::close(*handle); });
  HANAPER_CHECK(each_part(name, place->second, [&](ByteView part) {
    if (::write(file, part.data(), part.size()) == static_cast<ssize_t>(part.size())) return Status{};
    return Status(failed(path, "cannot be written"));
  }));
  if (::fsync(file) != 0) return failed(path, "cannot be synced");
  return {};
}

}  // namespace hanaper::operations
