// JSON (RFC 8259), read strictly and written plainly. The only home of Boost.JSON, behind values of our own.
#pragma once

#include <hanaper/values.hpp>

#include <concepts>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace hanaper::json {

class Value;
using Array = std::vector<Value>;
using Member = std::pair<std::string, Value>;
using Object = std::vector<Member>;  // in the order of the text; names are unique

// A JSON value. Plain data: copy it, move it; not synchronised.
class Value {
 public:
  using Variant = std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array, Object>;

  Value() = default;
  Value(std::nullptr_t) {}
  Value(bool value) : value_(value) {}
  Value(double value) : value_(value) {}
  template <std::integral T>
  requires(!std::same_as<T, bool>) Value(T value) : value_(static_cast<std::int64_t>(value)) {}
  Value(const char* value) : value_(std::string(value)) {}
  Value(std::string_view value) : value_(std::string(value)) {}
  Value(std::string value) : value_(std::move(value)) {}
  Value(Array value) : value_(std::move(value)) {}
  Value(Object value) : value_(std::move(value)) {}

  const Variant& variant() const noexcept { return value_; }

  // Null pointers when the value is of another kind.
  const std::string* text() const noexcept { return std::get_if<std::string>(&value_); }
  const std::int64_t* integer() const noexcept { return std::get_if<std::int64_t>(&value_); }
  const bool* boolean() const noexcept { return std::get_if<bool>(&value_); }
  const Array* array() const noexcept { return std::get_if<Array>(&value_); }
  const Object* object() const noexcept { return std::get_if<Object>(&value_); }
  Array* array() noexcept { return std::get_if<Array>(&value_); }
  Object* object() noexcept { return std::get_if<Object>(&value_); }

  // The member of that name, or null; null also when this is no object.
  const Value* find(std::string_view name) const noexcept;
  // An optional member. Null also when it is JSON's null, which peers write for what they leave out.
  const Value* optional(std::string_view name) const noexcept;
  // The text under that name; empty when absent or no text.
  std::string_view text_at(std::string_view name) const noexcept;
  // The integer under that name; 0 when absent or no integer.
  std::int64_t integer_at(std::string_view name) const noexcept;
  // The texts of the array under that name; none when absent or no array. What is no text is left out.
  std::vector<std::string> texts_at(std::string_view name) const;

  bool operator==(const Value&) const = default;

 private:
  Variant value_ = nullptr;
};

struct Limits {
  std::size_t octets = 64 * 1024;
  std::size_t depth = 16;
  std::size_t values = 10'000;
};

// One value and nothing behind it but white space. malformed for anything RFC 8259 does not allow, for a
// member name given twice (RFC 8259 4 leaves it to us; RFC 7515 4 forbids it), numbers beyond double, and
// beyond the limits.
Result<Value> parse(std::string_view text, Limits limits = {});

// The shortest text; members in their order.
std::string write(const Value& value);
// Indented by two blanks, for people.
std::string write_pretty(const Value& value);

// Appends `text` in quotes, escaped. `text` must be UTF-8; octets that are not become U+FFFD.
void append_quoted(std::string& out, std::string_view text);

}  // namespace hanaper::json
