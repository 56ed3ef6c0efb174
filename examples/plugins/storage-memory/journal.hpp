// A file to which batches are appended, and which gives them back.
#pragma once

#include <hanaper/storage.hpp>

#include <functional>

// Belongs to one thread at a time.
class Journal {
 public:
  Journal() = default;
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  using Take = std::function<hanaper::Status(hanaper::Batch&)>;

  // Opens or creates the file and hands every batch in it to `take`, oldest first. The last one may be torn,
  // because the machine stopped while it was written: nobody was told of it, and it is cut off. malformed for
  // a file that is damaged elsewhere; conflict while another process has it; otherwise the failure of `take`.
  hanaper::Status open(const std::string& path, const Take& take);

  // Durable when it returns. unavailable when it cannot be written; then it is not in the file.
  hanaper::Status append(const hanaper::Batch& batch);

  // Takes back the last append.
  hanaper::Status undo();

 private:
  hanaper::Status cut(std::uint64_t size);
  hanaper::Status fail(std::string_view what) const;

  std::string path_;
  int handle_ = -1;
  std::uint64_t size_ = 0, before_ = 0;  // octets of whole entries; the same before the last append
};
