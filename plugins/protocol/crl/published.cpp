#include "published.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace hanaper::crl {
namespace {

struct Range {
  std::uint64_t first = 0, last = 0;
};
enum class RangeKind : std::uint8_t { none, satisfiable, unsatisfiable };

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// One range of octets. RFC 9110 14.2: "A server MAY ignore the Range header field": several ranges, and
// what cannot be read, get the whole.
RangeKind parse_range(std::string_view text, std::uint64_t size, Range& range) {
  if (!text.starts_with("bytes=") || text.find(',') != std::string_view::npos) return RangeKind::none;
  text.remove_prefix(6);
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return RangeKind::none;
  const auto first = number(text.substr(0, dash)), last = number(text.substr(dash + 1));
  if (dash == 0) {
    if (!last) return RangeKind::none;
    if (*last == 0) return RangeKind::unsatisfiable;
    range = {size - std::min(*last, size), size - 1};
    return RangeKind::satisfiable;
  }
  if (!first || (!last && dash + 1 != text.size()) || (last && *last < *first)) return RangeKind::none;
  if (*first >= size) return RangeKind::unsatisfiable;
  range = {*first, std::min(last.value_or(size - 1), size - 1)};
  return RangeKind::satisfiable;
}

// RFC 9110 13.1.2: a list of entity tags, compared weakly, or "*".
bool names_etag(std::string_view list, std::string_view etag) {
  if (list == "*") return true;
  for (std::size_t at = list.find(etag); at != std::string_view::npos; at = list.find(etag, at + 1)) {
    const std::size_t end = at + etag.size();
    const bool begins = at == 0 || std::string_view(" ,\t/").find(list[at - 1]) != std::string_view::npos;
    const bool ends =
        end == list.size() || std::string_view(" ,\t").find(list[end]) != std::string_view::npos;
    if (begins && ends) return true;
  }
  return false;
}

// Reads [offset, offset + into.size()) or fails.
bool read_at(int file, std::uint64_t offset, std::span<std::uint8_t> into) {
  while (!into.empty()) {
    const ssize_t n = ::pread(file, into.data(), into.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    offset += static_cast<std::uint64_t>(n);
    into = into.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

// Calls `take` with the octets of the file, piece by piece; false when they end early.
template <class Take>
bool each_piece(int file, std::uint64_t size, std::size_t piece, Take&& take) {
  Bytes buffer(static_cast<std::size_t>(std::min<std::uint64_t>(piece, size)));
  for (std::uint64_t at = 0; at < size; at += piece) {
    const std::span<std::uint8_t> part(buffer.data(),
                                       static_cast<std::size_t>(std::min<std::uint64_t>(piece, size - at)));
    if (!read_at(file, at, part)) return false;
    if (!take(ByteView(part))) return false;
  }
  return true;
}

std::shared_ptr<const int> closing(int descriptor) {
  return {new int(descriptor), [](const int* file) {
            ::close(*file);
            delete file;
          }};
}

}  // namespace

Result<std::shared_ptr<const Published>> Published::open(const std::string& path, const CrlRow& row) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return not_found(path + ": cannot be read");
  const std::shared_ptr<Published> published(new Published(row, path, closing(descriptor)));
  struct stat facts {};
  crypto::Hasher hasher(crypto::Hash::sha256);
  const bool whole = ::fstat(descriptor, &facts) == 0 &&
                     static_cast<std::uint64_t>(facts.st_size) == row.size &&
                     each_piece(descriptor, row.size, memory_limit, [&](ByteView piece) {
                       hasher.update(piece);
                       if (row.size <= memory_limit) published->memory_ = to_bytes(piece);
                       return true;
                     });
  if (!whole || !row.hash || !equal(hasher.finish(), *row.hash))
    return not_found(path + ": is not the CRL that the ledger knows");
  return std::shared_ptr<const Published>(published);
}

Published::Published(CrlRow row, std::string path, std::shared_ptr<const int> file)
    : row_(std::move(row)),
      path_(std::move(path)),
      file_(std::move(file)),
      etag_('"' + to_hex(ByteView(row_.hash.value_or(Fingerprint{})).first(16)) + '"'),
      last_modified_(http_date(row_.this_update)),
      expires_(http_date(row_.next_update)) {}

Result<Bytes> Published::der() const {
  if (!memory_.empty()) return memory_;
  Bytes whole(static_cast<std::size_t>(row_.size));
  if (!read_at(*file_, 0, whole)) return unavailable(path_ + ": has got shorter");
  return whole;
}

// In lines of 64 characters (RFC 7468 2), through a nameless file: none of it is in memory at once.
Result<FileRange> Published::write_pem() const {
  constexpr std::size_t line = 48, lines = 1024;
  const std::string folder = path_.substr(0, path_.rfind('/'));
  const int descriptor = ::open(folder.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
  if (descriptor < 0) return unavailable(folder + ": no file can be made: " + std::strerror(errno));
  FileRange made{closing(descriptor), 0, 0};
  const auto append = [&](std::string_view text) {
    for (std::size_t done = 0; done < text.size();) {
      const ssize_t n = ::write(descriptor, text.data() + done, text.size() - done);
      if (n <= 0) return false;
      done += static_cast<std::size_t>(n);
    }
    made.size += text.size();
    return true;
  };
  std::string text;
  const bool written =
      append("-----BEGIN X509 CRL-----\n") &&
      each_piece(*file_, row_.size, line * lines,
                 [&](ByteView piece) {
                   text.clear();
                   for (std::size_t at = 0; at < piece.size(); at += line)
                     text += base64::encode(piece.subspan(at, std::min(line, piece.size() - at))) + "\n";
                   return append(text);
                 }) &&
      append("-----END X509 CRL-----\n");
  if (!written) return unavailable(path_ + ": cannot be written as PEM");
  return made;
}

Result<Response> Published::pem() const {
  const std::lock_guard lock(mutex_);
  if (!pem_.descriptor) {
    HANAPER_TRY(pem_, write_pem());
  }
  Response response{200, {{"Content-Type", "application/x-pem-file"}}, {}};
  response.file = pem_;
  return response;
}

void Published::send(const Response& answer, FastReply& reply) const {
  const std::string head = serialise_head(answer);
  if (!answer.file)
    reply.send(head, {});
  else if (memory_.empty())
    reply.send_file(head, *answer.file);
  else
    reply.send(head, ByteView(memory_).subspan(static_cast<std::size_t>(answer.file->offset),
                                               static_cast<std::size_t>(answer.file->size)));
}

bool Published::not_modified(const Request& request) const {
  // RFC 9110 13.2.2: If-Modified-Since counts only without If-None-Match.
  if (const std::string_view tags = request.header("If-None-Match"); !tags.empty())
    return names_etag(tags, etag_);
  return request.header("If-Modified-Since") == last_modified_;
}

Response Published::answer(const Request& request, Time now) const {
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(row_.next_update - now).count();
  Response answer{200,
                  {{"Content-Type", "application/pkix-crl"},
                   {"Cache-Control", "public, max-age=" + std::to_string(std::max<std::int64_t>(left, 0))},
                   {"ETag", etag_},
                   {"Last-Modified", last_modified_},
                   {"Expires", expires_},
                   {"Accept-Ranges", "bytes"}},
                  {}};
  if (not_modified(request)) {
    answer.status = 304;
    answer.headers.erase(answer.headers.begin());
    return answer;
  }
  answer.file = FileRange{file_, 0, row_.size};
  const std::string_view condition = request.header("If-Range");
  if (request.method != Method::get ||
      (!condition.empty() && condition != etag_ && condition != last_modified_))
    return answer;
  Range range;
  const std::string size = std::to_string(row_.size);
  switch (parse_range(request.header("Range"), row_.size, range)) {
    case RangeKind::none:
      return answer;
    case RangeKind::unsatisfiable:
      answer.file.reset();
      answer.status = 416;
      answer.with("Content-Range", "bytes */" + size);
      return answer;
    case RangeKind::satisfiable:
      answer.file->offset = range.first;
      answer.file->size = range.last - range.first + 1;
      answer.status = 206;
      answer.with("Content-Range",
                  "bytes " + std::to_string(range.first) + "-" + std::to_string(range.last) + "/" + size);
      return answer;
  }
  return answer;
}

}  // namespace hanaper::crl
