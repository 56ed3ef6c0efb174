// Backups are tar files (POSIX ustar), so that anything can look into them.
#pragma once

#include <hanaper/storage.hpp>

#include <map>

namespace hanaper::operations {

// Writes entries one after the other into a new file, mode 0600. Not thread-safe.
class TarWriter {
 public:
  ~TarWriter();
  // conflict when the file exists.
  static Result<std::unique_ptr<TarWriter>> create(const std::string& path);

  Status add(std::string_view name, ByteView content);
  Status add_file(std::string_view name, const std::string& path);
  // Ends the archive and syncs it.
  Status finish();
  std::uint64_t octets() const noexcept { return octets_; }
  std::uint64_t entries() const noexcept { return entries_; }

 private:
  explicit TarWriter(int file, std::string path) : file_(file), path_(std::move(path)) {}
  Status header(std::string_view name, std::uint64_t size);
  Status write(ByteView content);
  Status pad(std::uint64_t size);

  int file_;
  const std::string path_;
  std::uint64_t octets_ = 0;
  std::uint64_t entries_ = 0;
};

// Looks entries up in an archive: regular files with plain relative names, nothing else is accepted.
class TarReader {
 public:
  ~TarReader();
  static Result<std::unique_ptr<TarReader>> open(const std::string& path);

  const std::vector<std::string>& names() const noexcept { return names_; }
  Result<Bytes> read(const std::string& name) const;
  Status extract(const std::string& name, const std::string& path) const;

 private:
  explicit TarReader(int file, std::string path) : file_(file), path_(std::move(path)) {}
  Status index();
  struct Place {
    std::uint64_t offset, size;
  };
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
