// Files that are either whole and on disk, or as they were.
#pragma once

#include <hanaper/values.hpp>

#include <sys/types.h>

namespace hanaper::files {

// not_found; unavailable; malformed when larger than `limit` octets.
Result<std::string> read(const std::string& path, std::size_t limit);

// Writes a file beside it, syncs, renames over it, syncs the folder.
Status replace(const std::string& path, std::string_view content, mode_t mode);

// The same for a file that must not exist; conflict when it does.
Status create(const std::string& path, std::string_view content, mode_t mode);

// Creates the folder and those above it with mode 0700.
Status create_folder(const std::string& path);

}  // namespace hanaper::files
