// Files of secrets: one `name:value` a line, '#' before a remark.
#pragma once

#include <hanaper/result.hpp>

#include <functional>
#include <string>

namespace hanaper::est {

// Shows each line to `take`, who says whether it is good; at most 1 MiB. malformed names the line, and says
// what is `wanted` there; unavailable, not_found as files::read has it.
Status each_named_line(const std::string& path, std::string_view wanted,
                       const std::function<bool(std::string_view name, std::string_view value)>& take);

}  // namespace hanaper::est
