#include "published.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>

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

// Of mapped octets, giving each piece's memory back: what is large stays on disk.
Fingerprint sha256_of(const std::uint8_t* mapped, std::uint64_t size) {
  constexpr std::uint64_t piece = 1024 * 1024;  // whole pages
  crypto::Hasher hasher(crypto::Hash::sha256);
  for (std::uint64_t at = 0; at < size; at += piece) {
    const std::uint64_t length = std::min(piece, size - at);
    hasher.update({mapped + at, length});
    ::madvise(const_cast<std::uint8_t*>(mapped + at), length, MADV_DONTNEED);
  }
  Fingerprint hash{};
  std::ranges::copy(hasher.finish(), hash.begin());
  return hash;
}

}  // namespace

Result<std::shared_ptr<const Published>> Published::open(const std::string& path, const CrlRow& row) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return not_found(path + ": cannot be read");
  struct stat facts {};
  const bool fits = ::fstat(fd, &facts) == 0 && static_cast<std::uint64_t>(facts.st_size) == row.size;
  void* data = fits && row.size > 0 ? ::mmap(nullptr, row.size, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
  ::close(fd);
  if (data == MAP_FAILED) return not_found(path + ": is not the CRL that the ledger knows");
  std::shared_ptr<const Published> published(new Published(row, static_cast<const std::uint8_t*>(data)));
  if (!row.hash || sha256_of(published->data_, row.size) != *row.hash)
    return not_found(path + ": is not the CRL that the ledger knows");
  return published;
}

Published::Published(CrlRow row, const std::uint8_t* data)
    : row_(std::move(row)),
      data_(data),
      etag_('"' + to_hex(ByteView(row_.hash.value_or(Fingerprint{})).first(16)) + '"'),
      last_modified_(http_date(row_.this_update)),
      expires_(http_date(row_.next_update)) {}

Published::~Published() { ::munmap(const_cast<std::uint8_t*>(data_), row_.size); }

bool Published::not_modified(const Request& request) const {
  // RFC 9110 13.2.2: If-Modified-Since counts only without If-None-Match.
  if (const std::string_view tags = request.header("If-None-Match"); !tags.empty())
    return names_etag(tags, etag_);
  return request.header("If-Modified-Since") == last_modified_;
}

Published::Answer Published::answer(const Request& request, Time now) const {
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(row_.next_update - now).count();
  Answer answer{{200,
                 {{"Content-Type", "application/pkix-crl"},
                  {"Cache-Control", "public, max-age=" + std::to_string(std::max<std::int64_t>(left, 0))},
                  {"ETag", etag_},
                  {"Last-Modified", last_modified_},
                  {"Expires", expires_},
                  {"Accept-Ranges", "bytes"}},
                 {}},
                der()};
  if (not_modified(request)) {
    answer.response.status = 304;
    answer.response.headers.erase(answer.response.headers.begin());
    answer.body = {};
    return answer;
  }
  Range range;
  const std::string_view condition = request.header("If-Range");
  if (request.method != Method::get ||
      (!condition.empty() && condition != etag_ && condition != last_modified_))
    return answer;
  const std::string size = std::to_string(row_.size);
  switch (parse_range(request.header("Range"), row_.size, range)) {
    case RangeKind::none:
      return answer;
    case RangeKind::unsatisfiable:
      answer.body = {};
      answer.response.status = 416;
      answer.response.with("Content-Range", "bytes */" + size);
      return answer;
    case RangeKind::satisfiable:
      answer.body = answer.body.subspan(range.first, range.last - range.first + 1);
      answer.response.status = 206;
      answer.response.with("Content-Range", "bytes " + std::to_string(range.first) + "-" +
                                                std::to_string(range.last) + "/" + size);
      return answer;
  }
  return answer;
}

}  // namespace hanaper::crl
