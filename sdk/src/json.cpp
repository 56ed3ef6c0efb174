#include <hanaper/toolkit/json.hpp>
#include <hanaper/toolkit/unicode.hpp>

// Header-only use: no library of Boost is linked.
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/src.hpp>

#include <charconv>
#include <cmath>

namespace hanaper::json {
namespace {

// Builds our values from the parser's events. Open containers form a stack; a finished value goes into
// the innermost one.
struct Handler {
  static constexpr std::size_t max_object_size = 100'000;
  static constexpr std::size_t max_array_size = 100'000;
  static constexpr std::size_t max_key_size = 4096;
  static constexpr std::size_t max_string_size = 16 * 1024 * 1024;

  struct Open {
    Value container;
    std::string key;  // of the member whose value comes next
  };

  std::size_t values_left = 0;
  std::string text;
  std::vector<Open> open;
  Value root;
  std::string fault;

  using error_code = boost::json::error_code;

  bool fail(std::string what, error_code& ec) {
    fault = std::move(what);
    ec = boost::json::make_error_code(boost::json::error::syntax);
    return false;
  }
  bool add(Value value, error_code& ec) {
    if (values_left-- == 0) return fail("too many values", ec);
    if (open.empty()) {
      root = std::move(value);
      return true;
    }
    Open& into = open.back();
    if (Object* object = into.container.object()) {
      object->emplace_back(std::move(into.key), std::move(value));
    } else {
      into.container.array()->push_back(std::move(value));
    }
    return true;
  }
  bool close(error_code& ec) {
    Value done = std::move(open.back().container);
    open.pop_back();
    return add(std::move(done), ec);
  }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) {
    open.push_back({Value(Object{}), {}});
    return true;
  }
  bool on_object_end(std::size_t, error_code& ec) { return close(ec); }
  bool on_array_begin(error_code&) {
    open.push_back({Value(Array{}), {}});
    return true;
  }
  bool on_array_end(std::size_t, error_code& ec) { return close(ec); }
  bool on_key_part(boost::json::string_view part, std::size_t, error_code&) {
    text.append(part.data(), part.size());
    return true;
  }
  bool on_key(boost::json::string_view part, std::size_t, error_code& ec) {
    text.append(part.data(), part.size());
    if (open.back().container.find(text) != nullptr)
      return fail("member \"" + text.substr(0, 64) + "\" given twice", ec);
    open.back().key = std::exchange(text, {});
    return true;
  }
  bool on_string_part(boost::json::string_view part, std::size_t, error_code&) {
    text.append(part.data(), part.size());
    return true;
  }
  bool on_string(boost::json::string_view part, std::size_t, error_code& ec) {
    text.append(part.data(), part.size());
    return add(Value(std::exchange(text, {})), ec);
  }
  // The whole text is one buffer, so that a number never comes in parts.
  bool on_number_part(boost::json::string_view, error_code&) { return true; }
  bool on_int64(std::int64_t value, boost::json::string_view, error_code& ec) {
    return add(Value(value), ec);
  }
  bool on_uint64(std::uint64_t value, boost::json::string_view, error_code& ec) {
    return add(Value(static_cast<double>(value)), ec);
  }
  bool on_double(double value, boost::json::string_view part, error_code& ec) {
    if (!std::isfinite(value)) return fail("number out of range", ec);
    // Boost's own value may be off by a little; the nearest double is what writes and reads back the same.
    std::from_chars(part.data(), part.data() + part.size(), value);
    return add(Value(value), ec);
  }
  bool on_bool(bool value, error_code& ec) { return add(Value(value), ec); }
  bool on_null(error_code& ec) { return add(Value(nullptr), ec); }
  bool on_comment_part(boost::json::string_view, error_code&) { return true; }
  bool on_comment(boost::json::string_view, error_code&) { return true; }
};

}  // namespace

const Value* Value::find(std::string_view name) const noexcept {
  const Object* members = object();
  if (members == nullptr) return nullptr;
  for (const Member& member : *members)
    if (member.first == name) return &member.second;
  return nullptr;
}

const Value* Value::optional(std::string_view name) const noexcept {
  const Value* value = find(name);
  return value != nullptr && std::holds_alternative<std::nullptr_t>(value->value_) ? nullptr : value;
}

std::string_view Value::text_at(std::string_view name) const noexcept {
  const Value* value = find(name);
  const std::string* found = value ? value->text() : nullptr;
  return found ? std::string_view(*found) : std::string_view{};
}

std::int64_t Value::integer_at(std::string_view name) const noexcept {
  const Value* value = find(name);
  const std::int64_t* found = value ? value->integer() : nullptr;
  return found ? *found : 0;
}

std::vector<std::string> Value::texts_at(std::string_view name) const {
  std::vector<std::string> texts;
  const Value* value = find(name);
  if (value == nullptr || value->array() == nullptr) return texts;
  for (const Value& item : *value->array())
    if (const std::string* text = item.text()) texts.push_back(*text);
  return texts;
}

Result<Value> parse(std::string_view text, Limits limits) {
  if (text.size() > limits.octets)
    return malformed("json: more than " + std::to_string(limits.octets) + " octets");
  boost::json::parse_options options;
  options.max_depth = limits.depth;
  boost::json::basic_parser<Handler> parser(options);
  parser.handler().values_left = limits.values;
  boost::json::error_code ec;
  const std::size_t used = parser.write_some(false, text.data(), text.size(), ec);
  if (!parser.handler().fault.empty()) return malformed("json: " + parser.handler().fault);
  const std::string where = " at octet " + std::to_string(used);
  if (ec == boost::json::error::too_deep) return malformed("json: nested too deeply" + where);
  if (ec) return malformed("json: " + ec.message() + where);
  if (used < text.size()) return malformed("json: unexpected text" + where);
  return std::move(parser.handler().root);
}

namespace {

// How many octets the character at the beginning of a text has; 0 when there is none. RFC 3629 4: neither
// overlong forms nor surrogates nor anything above U+10FFFF.
std::size_t character_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = at(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (length == 0 || length > text.size()) return 0;
  const std::uint8_t least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const std::uint8_t most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (at(1) < least || at(1) > most) return 0;
  for (std::size_t i = 2; i < length; ++i)
    if ((at(i) & 0xc0) != 0x80) return 0;
  return length;
}

}  // namespace

namespace {

// RFC 8259 7: twelve characters for a point beyond the basic plane.
void append_escape(std::string& out, std::uint32_t point) {
  constexpr char digits[] = "0123456789abcdef";
  const auto unit = [&](std::uint32_t value) {
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out.push_back(digits[value >> shift & 15]);
  };
  if (point < 0x10000) return unit(point);
  unit(0xd800 + ((point - 0x10000) >> 10));
  unit(0xdc00 + ((point - 0x10000) & 0x3ff));
}

}  // namespace

void append_quoted(std::string& out, std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  out.push_back('"');
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<std::uint8_t>(text[i]);
    if (lead < 0x80) {
      ++i;
      switch (lead) {
        case '"':
          out += "\\\"";
          break;
        case '\\':
          out += "\\\\";
          break;
        case '\n':
          out += "\\n";
          break;
        case '\r':
          out += "\\r";
          break;
        case '\t':
          out += "\\t";
          break;
        default:
          if (lead < 0x20 || lead == 0x7f)
            out.append("\\u00").append({digits[lead >> 4], digits[lead & 15]});
          else
            out.push_back(static_cast<char>(lead));
      }
      continue;
    }
    const std::size_t sound = character_length(text.substr(i));
    if (sound == 0) {
      out += "\xef\xbf\xbd";
      ++i;
      continue;
    }
    // What changes how the rest is seen is told, not shown.
    const auto character = unicode::first(text.substr(i, sound));
    if (character && !unicode::is_seen(character->point))
      append_escape(out, character->point);
    else
      out.append(text, i, sound);
    i += sound;
  }
  out.push_back('"');
}

namespace {

struct Printer {
  std::string out;
  bool pretty;

  void line(std::size_t depth) {
    if (!pretty) return;
    out.push_back('\n');
    out.append(depth * 2, ' ');
  }
  void print(const Value& value, std::size_t depth) {
    std::visit([&](const auto& content) { print_content(content, depth); }, value.variant());
  }
  void print_content(std::nullptr_t, std::size_t) { out += "null"; }
  void print_content(bool value, std::size_t) { out += value ? "true" : "false"; }
  void print_content(std::int64_t value, std::size_t) { out += std::to_string(value); }
  void print_content(double value, std::size_t) {
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, value);
    const std::string_view number(text, static_cast<std::size_t>(end.ptr - text));
    out += number;
    // What is no integer does not become one by being written.
    if (number.find_first_of(".e") == std::string_view::npos) out += ".0";
  }
  void print_content(const std::string& value, std::size_t) { append_quoted(out, value); }
  void print_content(const Array& values, std::size_t depth) {
    if (values.empty()) return void(out += "[]");
    out.push_back('[');
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i != 0) out.push_back(',');
      line(depth + 1);
      print(values[i], depth + 1);
    }
    line(depth);
    out.push_back(']');
  }
  void print_content(const Object& members, std::size_t depth) {
    if (members.empty()) return void(out += "{}");
    out.push_back('{');
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (i != 0) out.push_back(',');
      line(depth + 1);
      append_quoted(out, members[i].first);
      out += pretty ? ": " : ":";
      print(members[i].second, depth + 1);
    }
    line(depth);
    out.push_back('}');
  }
};

}  // namespace

std::string write(const Value& value) {
  Printer printer{{}, false};
  printer.print(value, 0);
  return std::move(printer.out);
}

std::string write_pretty(const Value& value) {
  Printer printer{{}, true};
  printer.print(value, 0);
  return std::move(printer.out);
}

}  // namespace hanaper::json
