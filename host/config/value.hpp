// A configuration as it was written: values with the places they came from. Made by read(), the only code
// that knows TOML.
#pragma once

#include <hanaper/result.hpp>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace hanaper::config {

// "pki.toml:31:7"; a value set on the command line says so instead.
struct Position {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  std::string text() const {
    return line == 0 ? file : file + ":" + std::to_string(line) + ":" + std::to_string(column);
  }
};

struct Value;
struct Entry;
using Array = std::vector<Value>;

// Entries by key, in the order in which they were written.
class Table {
 public:
  const Entry* find(std::string_view key) const noexcept;
  Entry* find(std::string_view key) noexcept;
  Entry& add(Entry entry);
  void erase(std::string_view key);
  bool empty() const noexcept;
  std::size_t size() const noexcept;
  const Entry* begin() const noexcept;
  const Entry* end() const noexcept;
  Entry* begin() noexcept;
  Entry* end() noexcept;

 private:
  std::vector<Entry> entries_;
};

struct Value {
  // Dates and times of TOML have no use here and are refused when read.
  std::variant<std::string, std::int64_t, double, bool, Array, Table> content;
  Position position;

  const Table* table() const noexcept { return std::get_if<Table>(&content); }
  Table* table() noexcept { return std::get_if<Table>(&content); }
  const std::string* text() const noexcept { return std::get_if<std::string>(&content); }
};

struct Entry {
  std::string key;
  Position place;  // where the key stands; of a table, where its header stands
  Value value;
};

// Behind Entry, whose size they need.
inline bool Table::empty() const noexcept { return entries_.empty(); }
inline std::size_t Table::size() const noexcept { return entries_.size(); }
inline const Entry* Table::begin() const noexcept { return entries_.data(); }
inline const Entry* Table::end() const noexcept { return entries_.data() + entries_.size(); }
inline Entry* Table::begin() noexcept { return entries_.data(); }
inline Entry* Table::end() noexcept { return entries_.data() + entries_.size(); }

// What a user reads when something is wrong: each message one line, with its place.
class Messages {
 public:
  void add(const Position& position, std::string text) {
    lines_.push_back(position.text() + ": " + std::move(text));
  }
  void add(std::string line) { lines_.push_back(std::move(line)); }
  bool empty() const noexcept { return lines_.empty(); }
  const std::vector<std::string>& lines() const noexcept { return lines_; }

 private:
  std::vector<std::string> lines_;
};

// Reads the file and what it includes, then lays `overrides` ("listener.public.bind=127.0.0.1:8443") over it.
// Limits: 1 MiB a file, 64 files, 8 levels. What is wrong goes into `messages`; the table is what could be
// read.
Table read(const std::string& file, const std::vector<std::string>& overrides, Messages& messages);

// [node] alone, of a file whose rest may be broken; empty where even that cannot be read.
Table read_node(const std::string& file, const std::vector<std::string>& overrides);

// The same from a text, without includes; for tests and fuzzing.
Table read_text(std::string_view text, const std::string& name, Messages& messages);

// "; did you mean \"hsm\"?" when one of the candidates is close to `word`, else empty.
std::string suggestion(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace hanaper::config
