// Arguments of an operation as the host would hand them over, for tests of Operable.
#pragma once

#include <hanaper/operable.hpp>

#include <cstdlib>

namespace hanaper::fakes {

// Those that are given, and nothing for the operation's other parameters: fallbacks have to be given, too.
// Ends the test program when no operation has these words, or no parameter that name.
inline Arguments arguments_for(std::span<const Operation> operations, std::string_view words,
                               std::vector<std::pair<std::string, Arguments::Value>> given = {}) {
  const auto operation = std::ranges::find(operations, words, &Operation::words);
  if (operation == operations.end()) std::abort();
  Arguments arguments;
  for (const Parameter& parameter : operation->parameters) arguments.set(std::string(parameter.name), {});
  for (auto& [name, value] : given) {
    static_cast<void>(arguments.has(name));
    arguments.set(name, std::move(value));
  }
  return arguments;
}

}  // namespace hanaper::fakes
