// The one reader of arguments, whichever door they come by.
#pragma once

#include <hanaper/operable.hpp>
#include <hanaper/toolkit/json.hpp>

namespace hanaper::operations {

// By which way somebody asks. What is wrong is named as he has written it; no path on the node comes by HTTP.
enum class Door { command_line, control_socket, http };

// [any] The members of `given` as the arguments of an operation with these parameters. malformed, in one
// line, for a member that no parameter declares (whoever says himself who he is, is refused so), one that is
// missing, of another type or out of bounds; forbidden for a place by HTTP.
Result<Arguments> read_arguments(std::span<const Parameter> parameters, const json::Value& given, Door door);

// [any] "key_type" as the door writes it: --key-type, KEY_TYPE for a word, or as it is.
std::string written(const Parameter& parameter, Door door);

// "a|b|c" apart.
std::vector<std::string_view> choices_of(const Parameter& parameter);

}  // namespace hanaper::operations
