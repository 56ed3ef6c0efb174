// The one reader of arguments, whichever door they come by.
#pragma once

#include <hanaper/operable.hpp>
#include <hanaper/toolkit/json.hpp>

namespace hanaper::operations {

// The way by which an operation is asked for. Messages name a parameter as it is written there. A path on the
// node is refused by HTTP.
enum class Door { command_line, control_socket, http };

// [any] The members of `given` as the arguments of an operation with these parameters. malformed, in one
// line, for a member that no parameter declares, one that is missing, of another type or out of bounds;
// forbidden for a place by HTTP. A request that claims who sends it has a member that nobody declares.
Result<Arguments> read_arguments(std::span<const Parameter> parameters, const json::Value& given, Door door);

// [any] "key_type" as the door writes it: --key-type, KEY_TYPE for a word, or as it is.
std::string written(const Parameter& parameter, Door door);

// "a|b|c" apart.
std::vector<std::string_view> choices_of(const Parameter& parameter);

}  // namespace hanaper::operations
