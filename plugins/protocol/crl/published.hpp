// A CRL as it is served: a file in memory or mapped, and the answers to requests for it.
#pragma once

#include <hanaper/host.hpp>

#include <memory>

namespace hanaper::crl {

// Immutable and thread-safe; lives for as long as somebody sends it, whatever becomes of the file.
class Published {
 public:
  // Maps the file. not_found when it does not hold what the ledger says.
  static Result<std::shared_ptr<const Published>> open(const std::string& path, const CrlRow& row);
  ~Published();

  const CrlRow& row() const noexcept { return row_; }
  ByteView der() const noexcept { return {data_, row_.size}; }

  // Larger ones are not copied on a network thread.
  static constexpr std::uint64_t fast_limit = 1024 * 1024;

  // The answer to GET and HEAD without its body, and which octets that is. Content-Length is left out.
  struct Answer {
    Response response;
    ByteView body;
  };
  Answer answer(const Request& request, Time now) const;

 private:
  Published(CrlRow row, const std::uint8_t* data);
  bool not_modified(const Request& request) const;

  const CrlRow row_;
  const std::uint8_t* const data_;  // mapped
  const std::string etag_;
  const std::string last_modified_;
  const std::string expires_;
};

}  // namespace hanaper::crl
