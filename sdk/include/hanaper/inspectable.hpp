// Looking before starting, for `hanaper check --deep`.
#pragma once

#include <hanaper/plugin.hpp>

namespace hanaper {

// Optional, for storages and keys: what start would do to what is there. A plugin whose start changes nothing
// that lasts needs none.
class Inspectable {
 public:
  static constexpr std::string_view ability_id = "hanaper.inspectable/1";

  // [main] Of an instance that is configured and not started: looks, changes nothing, keeps nothing open. One
  // sentence, lower case, on what start would make or change ("the schema would go from 1 to 2"); empty: it
  // would only open what is there. unavailable, forbidden, unsupported as start.
  virtual Result<std::string> inspect() = 0;

 protected:
  ~Inspectable() = default;
};

}  // namespace hanaper
