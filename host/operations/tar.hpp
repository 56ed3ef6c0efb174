// Backups are tar files (POSIX ustar), so that anything can look into them.
#pragma once

#include <hanaper/storage.hpp>
#include <hanaper/toolkit/crypto.hpp>

#include <map>

namespace hanaper::operations {

inline constexpr std::uint64_t most_entries = 100'000;
// The last entry: the digests of all others, as sha256sum(1) writes and checks them.
inline constexpr std::string_view sums_name = "sha256sums";

// Writes entries one after the other into a new file, mode 0600. Not thread-safe.
class TarWriter {
 public:
  ~TarWriter();
  // conflict when the file exists.
  static Result<std::unique_ptr<TarWriter>> create(const std::string& path);

  Status add(std::string_view name, ByteView content);
  Status add_file(std::string_view name, const std::string& path);
  // Adds the digests of all entries so far.
  Status add_sums();
  // Ends the archive and syncs it.
  Status finish();
  // Takes the file away, of which not everything was written.
  void remove() noexcept;
  std::uint64_t octets() const noexcept { return octets_; }
  std::uint64_t entries() const noexcept { return entries_; }

 private:
  explicit TarWriter(int file, std::string path) : file_(file), path_(std::move(path)) {}
  Status header(std::string_view name, std::uint64_t size);
  Status write(ByteView content);
  // Ends the entry whose header was written last: its sum, and zeros up to the next block.
  Status end(std::string_view name, crypto::Hasher& digest, std::uint64_t size);

  int file_;
  const std::string path_;
  std::string sums_;
  std::uint64_t octets_ = 0;
  std::uint64_t entries_ = 0;
};

// Looks entries up in an archive: regular files with plain relative names, nothing else is accepted.
class TarReader {
 public:
  ~TarReader();
  static Result<std::unique_ptr<TarReader>> open(const std::string& path);

  // [worker] Reads all of it. malformed when an entry is not what was saved, is missing or has come in. That
  // finds damage, not malice: who can write an archive can write its sums.
  Status verify() const;

  const std::vector<std::string>& names() const noexcept { return names_; }
  Result<Bytes> read(const std::string& name) const;
  Status extract(const std::string& name, const std::string& path) const;

 private:
  explicit TarReader(int file, std::string path) : file_(file), path_(std::move(path)) {}
  Status index();
  struct Place {
    std::uint64_t offset, size;
  };
  // Gives the content to `take`, a buffer at a time.
  template <class Take>
  Status each_part(const std::string& name, const Place& place, Take&& take) const;
  int file_;
  const std::string path_;
  std::vector<std::string> names_;
  std::map<std::string, Place> places_;
};

// One instance's part of an archive: names below a prefix.
class ArchivePart final : public Archive {
 public:
  ArchivePart(TarWriter& tar, std::string prefix) : tar_(tar), prefix_(std::move(prefix)) {}
  Status add(std::string_view name, ByteView content) override {
    return tar_.add(prefix_ + std::string(name), content);
  }
  Status add_file(std::string_view name, const std::string& path) override {
    return tar_.add_file(prefix_ + std::string(name), path);
  }

 private:
  TarWriter& tar_;
  const std::string prefix_;
};

class ArchiveSourcePart final : public ArchiveSource {
 public:
  ArchiveSourcePart(const TarReader& tar, std::string prefix) : tar_(tar), prefix_(std::move(prefix)) {}
  std::vector<std::string> names() const override {
    std::vector<std::string> own;
    for (const std::string& name : tar_.names())
      if (name.starts_with(prefix_)) own.push_back(name.substr(prefix_.size()));
    return own;
  }
  Result<Bytes> read(std::string_view name) const override { return tar_.read(prefix_ + std::string(name)); }
  Status extract(std::string_view name, const std::string& path) const override {
    return tar_.extract(prefix_ + std::string(name), path);
  }

 private:
  const TarReader& tar_;
  const std::string prefix_;
};

}  // namespace hanaper::operations
