// A backup from somewhere: names stay inside, sizes stay within the file.
#include "operations/tar.hpp"

#include "fuzz.hpp"

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  static const int file = ::memfd_create("backup", 0);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  fuzz::require(::ftruncate(file, 0) == 0 && ::pwrite(file, data, size, 0) == static_cast<ssize_t>(size));
  const auto archive = operations::TarReader::open(path);
  if (!archive) return 0;
  for (const std::string& name : (*archive)->names()) {
    fuzz::require(!name.empty() && name.front() != '/' && name.find("..") == std::string::npos);
    if (const auto content = (*archive)->read(name)) fuzz::require(content->size() <= size);
  }
  return 0;
}
