// Something that one thread replaces while others still work with what was there.
#pragma once

#include <hanaper/toolkit/swapped.hpp>

namespace hanaper::services {

using hanaper::Swapped;

}  // namespace hanaper::services
