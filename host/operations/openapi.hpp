// The operations as OpenAPI 3.1 describes them.
#pragma once

#include "table.hpp"

namespace hanaper::operations {

// The document of those operations. What is not asked for by HTTP is left out.
json::Value openapi(const std::vector<Described>& operations);

}  // namespace hanaper::operations
