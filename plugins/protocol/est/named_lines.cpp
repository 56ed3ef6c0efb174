#include "named_lines.hpp"

#include <hanaper/keys.hpp>
#include <hanaper/toolkit/files.hpp>

#include <algorithm>

namespace hanaper::est {

Status each_named_line(const std::string& path, std::string_view wanted,
                       const std::function<bool(std::string_view name, std::string_view value)>& take) {
  constexpr std::size_t max_file = 1024 * 1024;
  HANAPER_TRY(std::string whole, files::read_trusted(path, max_file));
  const Secret text(std::move(whole));
  std::string_view rest = text.reveal();
  for (int number = 1; !rest.empty(); ++number) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !take(line.substr(0, colon), line.substr(colon + 1)))
      return malformed(path + ": line " + std::to_string(number) + ": " + std::string(wanted));
  }
  return {};
}

}  // namespace hanaper::est
