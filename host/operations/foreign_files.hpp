// What an authority has left in files before it was taken over: certificates, OpenSSL's index.txt and CRLs,
// read and put together by serial number.
#pragma once

#include "../validity/index_reader.hpp"

#include <map>
#include <string>
#include <vector>

namespace hanaper::operations {

// All files together; whoever has more gives them in several commands.
inline constexpr std::size_t max_foreign_octets = std::size_t{1} << 30;

// Belongs to one thread.
class ForeignFiles {
 public:
  // One that was named: a file, or a folder with its files.
  struct Source {
    std::string path;
    std::vector<std::string> refused = {};  // "FILE: why", one line each
    std::int64_t passed_over = 0;           // what is in a folder and holds nothing of that kind, folders too
    std::uint64_t crl_number = 0;           // the highest of its CRLs; 0: none
  };
  // What was found under one serial number; a second certificate under it is one of its own.
  struct Item {
    Bytes certificate = {};                          // DER; empty: there is none
    std::optional<validity::IndexEntry> entry = {};  // nothing: only the certificate
    std::size_t certificate_source = 0, entry_source = 0;
    std::string file = {};  // that the certificate is in
  };

  // `authority` is the DER certificate of whose certificates they are: CRLs of somebody else are refused.
  static Result<ForeignFiles> open(Bytes authority, Secret pin);

  // Reads a file, or those of a folder, in the order of their names; symbolic links are followed, and only
  // files are read. What is wrong with one of them is among the source's refusals. not_found; malformed when
  // all is more than may be.
  Status add(const std::string& path);

  std::vector<Source>& sources() noexcept { return sources_; }
  const std::vector<Item>& items() const noexcept { return items_; }
  std::uint64_t crl_number() const;

 private:
  ForeignFiles(Bytes authority, Secret pin) : authority_(std::move(authority)), pin_(std::move(pin)) {}
  Status add_file(const std::string& path, bool named);
  Status read(const std::string& path, const std::string& octets, bool named);
  void read_index(const std::string& path, std::string_view text);
  Status read_crl(const std::string& path, ByteView der);
  void add_certificate(const std::string& path, Bytes der);
  void add_entry(const validity::IndexEntry& entry);
  void refuse(const std::string& path, const std::string& why);

  Bytes authority_;
  ByteView name_, spki_;  // into it
  Secret pin_;
  std::size_t octets_ = 0;  // read so far
  std::vector<Source> sources_;
  std::vector<Item> items_;
  std::map<Serial, std::size_t> places_;  // of the first item of that serial number
};

}  // namespace hanaper::operations
