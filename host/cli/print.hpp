// What an operation answered, for people and for programs.
#pragma once

#include "session.hpp"

namespace hanaper::cli {

// A table of the rows, or the members one below the other, by the operation's columns; as JSON with --json.
// What is content goes to standard output or to the file of --out.
void print_answer(const operations::Described& operation, const json::Value& answer, const CommandLine& line);

void print_json(const json::Value& value);
// {"items": [...]}
void print_items(json::Array rows);

// A cell of a table: numbers, texts one after the other; "-" for what is not there.
std::string cell(const json::Value& row, std::string_view column);

}  // namespace hanaper::cli
