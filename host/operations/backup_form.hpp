// What a backup is made of, for those who write and read one.
#pragma once

#include <cstdint>
#include <string>

namespace hanaper::operations::backup_form {

inline constexpr std::string_view manifest_name = "manifest.json";
inline constexpr std::int64_t format = 1;
// Before the entries of a ledger of rows: it is of no instance's, so that storages of any kind take it.
inline constexpr std::string_view ledger_prefix = "ledger/";

// Where an authority's mark of serial numbers lies in the state folder, and in the archive.
inline std::string mark_file(const std::string& state, const std::string& authority) {
  return state + "/serial-" + authority + ".mark";
}
inline std::string mark_entry(const std::string& authority) { return "serial/" + authority; }

}  // namespace hanaper::operations::backup_form
