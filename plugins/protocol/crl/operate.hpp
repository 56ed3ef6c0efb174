// What an operator can have done: `hanaper crl ...`.
#pragma once

#include "list.hpp"

#include <hanaper/operable.hpp>
#include <hanaper/toolkit/json.hpp>

#include <list>

namespace hanaper::crl {

std::span<const Operation> operations();

// [worker] One of them, over the lists of an instance that serves those authorities: an object or rows.
Result<json::Value> operate(std::list<List>& lists, const std::vector<StatusAuthority*>& authorities,
                            std::string_view words, const Arguments& arguments, Call& call);

}  // namespace hanaper::crl
