// A CRL as it is served: an open file, the small ones in memory too, and the answers to requests for it.
#pragma once

#include <hanaper/host.hpp>
#include <hanaper/toolkit/mutex.hpp>

#include <functional>
#include <memory>

namespace hanaper::crl {

// Thread-safe. Lives for as long as somebody serves it; who still sends it keeps the file, whatever becomes
// of its name.
class Published {
 public:
  // not_found when the file does not hold what the ledger says. `alone` when no client can have another CRL
  // of the same second; `next` is when there will be another at the latest: caches ask again then.
  static Result<std::shared_ptr<const Published>> open(const std::string& path, const CrlRow& row, bool alone,
                                                       Time next);

  const CrlRow& row() const noexcept { return row_; }

  // [worker] All of it. unavailable when the file cannot be read any more.
  Result<Bytes> der() const;
  // [worker] The same, given to `take` in parts of that size, in order, until one fails.
  Status each_part(std::size_t size, const std::function<Status(ByteView)>& take) const;
  // [worker] Whether it says that it is the CRL of that place (RFC 5280 5.2.5), maybe of others as well.
  bool names(std::string_view distribution_point) const;

  // [any] The answer to GET and HEAD, whose body, if any, is a range of the file.
  Response answer(const Request& request, Time now) const;
  // [io] Sends such an answer: from memory when the CRL is there.
  void send(const Response& answer, FastReply& reply) const;

  // [worker] The same for the CRL as PEM, which is made when first asked for. unavailable.
  Result<Response> answer_pem(const Request& request, Time now) const;

 private:
  // DER or PEM.
  struct Form {
    const char* content_type;
    const std::string& etag;
    FileRange file;
  };

  Published(CrlRow row, std::string path, std::shared_ptr<const int> file, bool alone, Time next);
  Response answer(const Form& form, const Request& request, Time now) const;
  bool is_unmodified_since(std::string_view date, Time now) const;
  int evaluate(const Form& form, const Request& request, Time now) const;
  Result<FileRange> write_pem() const;

  // Smaller ones are kept in memory: a copy costs less than asking the kernel for a file's octets.
  static constexpr std::uint64_t memory_limit = 64 * 1024;

  const CrlRow row_;
  const std::string path_;
  const std::shared_ptr<const int> file_;
  Bytes memory_;  // constant once opened; empty: too large
  const bool alone_;
  const Time next_;
  const std::string etag_, pem_etag_;
  const std::string last_modified_;
  const std::string expires_;
  mutable Mutex mutex_;
  mutable FileRange pem_ HANAPER_GUARDED_BY(mutex_);  // without descriptor until made
};

}  // namespace hanaper::crl
