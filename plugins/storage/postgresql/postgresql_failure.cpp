#include "postgresql_dialect.hpp"

namespace hanaper::sql {
namespace {

using Kind = Failure::Kind;

struct Known {
  std::string_view state;  // a whole SQLSTATE or its class
  Kind kind;
  std::string_view what;
};

constexpr std::string_view no_right = "the user lacks a right; make it the owner of database and schema";

constexpr Known known[] = {
    {"40001", Kind::retry, "transactions keep getting in each other's way"},
    {"40P01", Kind::retry, "transactions keep getting in each other's way"},
    {"55P03", Kind::retry, "waited too long for a lock"},
    {"23505", Kind::duplicate, "unique key is taken"},
    {"22", Kind::invalid, "a value is too long, or no valid UTF-8"},
    {"25006", Kind::lost, "the server is read-only; name the one that takes writes"},
    {"57014", Kind::lost, "a statement took longer than `timeout`"},
    {"57P", Kind::lost, "the server is stopping or starting"},
    {"08", Kind::lost, "connection lost"},
    {"25P03", Kind::lost, "the server gave up a transaction that stood still"},
    {"53300", Kind::lost, "the server has no connection left; raise its max_connections"},
    {"53100", Kind::refused, "no space left on the server; free some, writing goes on by itself"},
    {"28", Kind::refused, "access denied; check user and password"},
    {"3D000", Kind::refused, "no database of that name; create it"},
    {"3F000", Kind::refused, no_right},
    {"42501", Kind::refused, no_right},
    {"42P01", Kind::refused, "a table is missing; has somebody dropped it?"},
};

}  // namespace

Failure postgresql_failure(std::string_view state) {
  if (state.empty()) return {Kind::lost, "connection lost"};
  for (const Known& entry : known)
    if (state.starts_with(entry.state)) return {entry.kind, std::string(entry.what)};
  return {Kind::refused, "error " + std::string(state)};
}

}  // namespace hanaper::sql
