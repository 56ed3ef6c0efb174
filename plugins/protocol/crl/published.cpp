#include "published.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/der.hpp>
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

// RFC 9110 13.1.1 and 13.1.2: "*" or a list of entity tags, of which If-None-Match takes weak ones, too.
bool names_etag(std::string_view list, std::string_view etag, bool weak) {
  if (list == "*") return true;
  for (std::size_t at = list.find(etag); at != std::string_view::npos; at = list.find(etag, at + 1)) {
    const std::size_t end = at + etag.size();
    const bool begins =
        at == 0 || std::string_view(weak ? " ,\t/" : " ,\t").find(list[at - 1]) != std::string_view::npos;
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

Result<std::shared_ptr<const Published>> Published::open(const std::string& path, const CrlRow& row,
                                                         bool alone, Time next) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return not_found(path + ": cannot be read");
  const std::shared_ptr<Published> published(new Published(row, path, closing(descriptor), alone, next));
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

Published::Published(CrlRow row, std::string path, std::shared_ptr<const int> file, bool alone, Time next)
    : row_(std::move(row)),
      path_(std::move(path)),
      file_(std::move(file)),
      alone_(alone),
      next_(std::min(next, row_.next_update)),
      etag_('"' + to_hex(ByteView(row_.hash.value_or(Fingerprint{})).first(16)) + '"'),
      pem_etag_(etag_.substr(0, etag_.size() - 1) + "-pem\""),
      last_modified_(http_date(row_.this_update)),
      expires_(http_date(next_)) {}

Result<Bytes> Published::der() const {
  if (!memory_.empty()) return memory_;
  Bytes whole(static_cast<std::size_t>(row_.size));
  if (!read_at(*file_, 0, whole)) return unavailable(path_ + ": has got shorter");
  return whole;
}

Status Published::each_part(std::size_t size, const std::function<Status(ByteView)>& take) const {
  Status taken;
  const bool whole = each_piece(*file_, row_.size, size, [&](ByteView piece) {
    taken = take(piece);
    return taken.has_value();
  });
  if (!whole && taken) return unavailable(path_ + ": has got shorter");
  return taken;
}

// Its extensions are behind its entries, however many there are, and have nothing but the signature behind
// them.
bool Published::names(std::string_view distribution_point) const {
  constexpr std::uint64_t most = 128 * 1024;
  der::Writer name(64);
  name.primitive(der::context_primitive(6), as_bytes(distribution_point));
  Bytes end(static_cast<std::size_t>(std::min(most, row_.size)));
  return read_at(*file_, row_.size - end.size(), end) &&
         as_text(end).find(as_text(name.view())) != std::string_view::npos;
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

Result<Response> Published::answer_pem(const Request& request, Time now) const {
  const Lock lock(mutex_);
  if (!pem_.descriptor) {
    HANAPER_TRY(pem_, write_pem());
  }
  return answer({"application/x-pem-file", pem_etag_, pem_}, request, now);
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

// Dates count in seconds: one that another CRL has, too, says nothing about this one.
bool Published::is_unmodified_since(std::string_view date, Time now) const {
  const auto since = parse_http_date(date, now);
  const Time modified = std::chrono::floor<std::chrono::seconds>(row_.this_update);
  return since && (alone_ ? modified <= *since : modified < *since);
}

// RFC 9110 13.2.2: the preconditions in their order; 200 when all are met. Dates that cannot be read are as
// good as none.
int Published::evaluate(const Form& form, const Request& request, Time now) const {
  const auto is_date = [&](std::string_view text) { return parse_http_date(text, now).has_value(); };
  const std::string_view match = request.header("If-Match"), other = request.header("If-None-Match"),
                         before = request.header("If-Unmodified-Since");
  if (!match.empty()) {
    if (!names_etag(match, form.etag, false)) return 412;
  } else if (is_date(before) && !is_unmodified_since(before, now)) {
    return 412;
  }
  if (!other.empty()) return names_etag(other, form.etag, true) ? 304 : 200;
  return is_unmodified_since(request.header("If-Modified-Since"), now) ? 304 : 200;
}

Response Published::answer(const Request& request, Time now) const {
  return answer({"application/pkix-crl", etag_, {file_, 0, row_.size}}, request, now);
}

Response Published::answer(const Form& form, const Request& request, Time now) const {
  // What is true for one request only is not for a cache to give to others.
  const auto refusal = [](int status) { return Response{status, {{"Cache-Control", "no-store"}}, {}}; };
  const int status = evaluate(form, request, now);
  if (status == 412) return refusal(412);
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(next_ - now).count();
  Response answer{status,
                  {{"Content-Type", form.content_type},
                   {"Cache-Control", "public, max-age=" + std::to_string(std::max<std::int64_t>(left, 0))},
                   {"ETag", form.etag},
                   {"Last-Modified", last_modified_},
                   {"Expires", expires_},
                   {"Accept-Ranges", "bytes"}},
                  {}};
  if (status == 304) {
    answer.headers.erase(answer.headers.begin());
    return answer;
  }
  answer.file = form.file;
  // RFC 9110 13.1.5: "If the HTTP-date validator provided is not a strong validator ..., the condition is
  // false": none is here, only ETags are.
  const std::string_view condition = request.header("If-Range");
  if (request.method != Method::get || (!condition.empty() && condition != form.etag)) return answer;
  Range range;
  const std::string size = std::to_string(form.file.size);
  switch (parse_range(request.header("Range"), form.file.size, range)) {
    case RangeKind::none:
      return answer;
    case RangeKind::unsatisfiable:
      return refusal(416).with("Content-Range", "bytes */" + size);
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
