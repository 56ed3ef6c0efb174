// A sealed file from somewhere: it opens as it was sealed, or there is nothing of it.
#include <hanaper/toolkit/sealed_file.hpp>

#include "fuzz.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  // The octet behind the first line says what a key costs: dear ones take seconds each.
  if (size > 17 && data[17] > 14 && data[17] <= 18) return 0;
  static const int file = ::memfd_create("sealed", 0);
  static const std::string from = "/proc/self/fd/" + std::to_string(file);
  static const std::string to =
      std::filesystem::temp_directory_path() / ("opened-" + std::to_string(::getpid()));
  fuzz::require(::ftruncate(file, 0) == 0 && ::pwrite(file, data, size, 0) == static_cast<ssize_t>(size));
  const Status opened = crypto::open_sealed_file(from, to, Secret(std::string("a long passphrase")));
  fuzz::require(std::filesystem::exists(to) == opened.has_value());
  if (opened) fuzz::require(crypto::is_sealed_file(from) && std::filesystem::file_size(to) < size);
  std::filesystem::remove(to);
  return 0;
}
