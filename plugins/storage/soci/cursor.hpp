// Where a reader of a change feed stands, and small helpers of the reading half.
#pragma once

#include "sql_storage.hpp"

#include <map>

namespace hanaper::sql {

// A node's rows become visible in the order of their positions, those of two nodes in none: a cursor is a
// position for each node, "6e6f6465=65537 ...", names in hexadecimal.
using Positions = std::map<std::string, std::int64_t>;
Positions read_cursor(std::string_view text);
// Those of the cursor, and the beginning for every other node.
Positions read_positions(Connection& connection, std::string_view cursor);
std::string write_cursor(const Positions& positions);

// One column.
std::vector<std::string> texts(soci::session& session, const char* sql);

Fingerprint fingerprint(const std::string& hex);
Serial serial_of(std::string_view hex);  // empty when it is none

}  // namespace hanaper::sql
