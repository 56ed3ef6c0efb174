// Consistent copies of a database that is in use, by SQLite's own backup interface.
#pragma once

#include <hanaper/storage.hpp>

namespace hanaper::sql {

Status save_database(const std::string& path, Archive& archive);
Status load_database(const ArchiveSource& source, const std::string& path);

}  // namespace hanaper::sql
