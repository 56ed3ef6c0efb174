// What a configuration may say, and hardly means.
#pragma once

#include "model.hpp"

namespace hanaper::config {

// A line for each, for whoever checks a configuration; none is a reason not to start.
std::vector<std::string> notes(const Model& model);

}  // namespace hanaper::config
