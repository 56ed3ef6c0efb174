#include "arguments.hpp"

#include "../config/value.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <charconv>

namespace hanaper::operations {
namespace {

constexpr std::size_t max_text = 4096, max_secret = 64 * 1024, max_items = 10'000;

std::string in_quotes(std::string_view text) {
  constexpr std::size_t shown = 40;
  return "\"" + std::string(text.substr(0, shown)) + (text.size() > shown ? "..." : "") + "\"";
}

// "1..100" by `parse`; both ends empty without bounds.
template <class Parse>
auto bounds_of(const Parameter& parameter, Parse&& parse) {
  using Value = std::remove_cvref_t<decltype(*parse(""))>;
  std::optional<std::pair<Value, Value>> bounds;
  const std::size_t dots = parameter.bounds.find("..");
  if (dots != std::string_view::npos)
    bounds.emplace(*parse(parameter.bounds.substr(0, dots)), *parse(parameter.bounds.substr(dots + 2)));
  return bounds;
}

Result<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    return malformed(in_quotes(text) + " is no whole number");
  return value;
}

Result<std::string> read_text(const Parameter& parameter, const std::string& text) {
  const auto bounds =
      bounds_of(parameter, parse_integer).value_or(std::pair<std::int64_t, std::int64_t>(1, max_text));
  if (text.empty() && bounds.first > 0) return malformed("is empty");
  const auto size = static_cast<std::int64_t>(text.size());
  if (size < bounds.first || size > bounds.second)
    return malformed("has " + std::to_string(size) + " octets; there may be " + std::to_string(bounds.first) +
                     " to " + std::to_string(bounds.second));
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return malformed("holds a control character");
  return text;
}

Result<std::string> read_choice(const Parameter& parameter, const std::string& text) {
  std::string known;
  std::vector<std::string> all;
  for (std::string_view choice : choices_of(parameter)) {
    if (choice == text) return text;
    all.emplace_back(choice);
    known += (known.empty() ? "" : ", ") + std::string(choice);
  }
  const std::string hint = config::suggestion(text, all);
  return malformed("there is no " + in_quotes(text) + (hint.empty() ? "; there are " + known : hint));
}

Result<Arguments::Value> read_integer(const Parameter& parameter, std::int64_t value) {
  const auto bounds = bounds_of(parameter, parse_integer);
  if (bounds && (value < bounds->first || value > bounds->second))
    return malformed(std::to_string(value) + " is not within " + std::string(parameter.bounds));
  return Arguments::Value(value);
}

Result<Arguments::Value> read_duration(const Parameter& parameter, std::string_view text) {
  HANAPER_TRY(const std::chrono::milliseconds value, parse_duration(text));
  const auto bounds = bounds_of(parameter, parse_duration);
  if (bounds && (value < bounds->first || value > bounds->second))
    return malformed(std::string(text) + " is not within " + std::string(parameter.bounds));
  return Arguments::Value(value);
}

Result<Arguments::Value> read_certificate(std::string_view text) {
  if (text.starts_with("-----BEGIN ")) {
    HANAPER_TRY(std::vector<pem::Block> blocks, pem::decode(text));
    for (pem::Block& block : blocks) {
      if (block.label != "CERTIFICATE") continue;
      HANAPER_TRY(const x509::CertificateView view, x509::parse_certificate(block.der));
      return Arguments::Value(NamedCertificate{view.serial, std::move(block.der)});
    }
    return malformed("holds no certificate");
  }
  auto serial = Serial::from_text(text);
  if (!serial)
    return malformed(in_quotes(text) + " is neither a serial number in hexadecimal nor a certificate as PEM");
  return Arguments::Value(NamedCertificate{*serial, {}});
}

Result<Arguments::Value> read_octets(const Parameter& parameter, std::string_view text) {
  HANAPER_TRY(const Bytes octets, base64::decode(text));
  if (octets.empty()) return malformed("is empty");
  if (parameter.type == ParameterType::content) return Arguments::Value(std::string(as_text(octets)));
  if (octets.size() > max_secret) return malformed("is larger than 64 KiB");
  return Arguments::Value(Secret(std::string(as_text(octets))));
}

Result<Arguments::Value> read_place(const std::string& text, Door door) {
  if (door == Door::http)
    return forbidden("names a place on the node, which is only taken from its own command line");
  if (!text.starts_with('/') || text.size() > max_text || text.find('\0') != std::string::npos)
    return malformed(in_quotes(text) + " is no absolute path");
  return Arguments::Value(text);
}

// From the text of a fallback or of a member.
Result<Arguments::Value> read_written(const Parameter& parameter, const std::string& text, Door door) {
  switch (parameter.type) {
    case ParameterType::text: {
      HANAPER_TRY(std::string value, read_text(parameter, text));
      return Arguments::Value(std::move(value));
    }
    case ParameterType::choice: {
      HANAPER_TRY(std::string value, read_choice(parameter, text));
      return Arguments::Value(std::move(value));
    }
    case ParameterType::integer: {
      HANAPER_TRY(const std::int64_t value, parse_integer(text));
      return read_integer(parameter, value);
    }
    case ParameterType::duration:
      return read_duration(parameter, text);
    case ParameterType::time: {
      HANAPER_TRY(const Time value, parse_time_text(text));
      return Arguments::Value(value);
    }
    case ParameterType::certificate:
      return read_certificate(text);
    case ParameterType::content:
    case ParameterType::secret:
      return read_octets(parameter, text);
    case ParameterType::place:
      return read_place(text, door);
    case ParameterType::boolean:
      break;
  }
  return malformed("is either given or not, and takes no value");
}

Result<Arguments::Value> read_list(const Parameter& parameter, const json::Value& given) {
  const json::Array* items = given.array();
  if (items == nullptr) return malformed("has to be a list");
  if (items->size() > max_items)
    return malformed("has " + std::to_string(items->size()) + " items; 10,000 are the most");
  std::vector<std::string> texts;
  for (const json::Value& item : *items) {
    if (item.text() == nullptr) return malformed("has to be a list of texts");
    HANAPER_TRY(std::string text, parameter.type == ParameterType::choice
                                      ? read_choice(parameter, *item.text())
                                      : read_text(parameter, *item.text()));
    texts.push_back(std::move(text));
  }
  if (texts.empty() && parameter.is(Parameter::required)) return malformed("is empty");
  return Arguments::Value(std::move(texts));
}

Result<Arguments::Value> read_value(const Parameter& parameter, const json::Value& given, Door door) {
  if (parameter.is(Parameter::repeats)) return read_list(parameter, given);
  if (parameter.type == ParameterType::boolean) {
    if (given.boolean() == nullptr) return malformed("has to be true or false");
    return Arguments::Value(*given.boolean());
  }
  if (parameter.type == ParameterType::integer && given.integer())
    return read_integer(parameter, *given.integer());
  // Only the command line, where all is text, writes numbers as such.
  if (given.text() == nullptr || (parameter.type == ParameterType::integer && door != Door::command_line))
    return malformed(parameter.type == ParameterType::integer ? "has to be a whole number"
                                                              : "has to be a text");
  return read_written(parameter, *given.text(), door);
}

}  // namespace

std::vector<std::string_view> choices_of(const Parameter& parameter) {
  std::vector<std::string_view> choices;
  std::string_view rest = parameter.type == ParameterType::choice ? parameter.bounds : std::string_view{};
  while (!rest.empty()) {
    const std::size_t bar = rest.find('|');
    choices.push_back(rest.substr(0, bar));
    rest = bar == std::string_view::npos ? std::string_view{} : rest.substr(bar + 1);
  }
  return choices;
}

std::string written(const Parameter& parameter, Door door) {
  std::string name(parameter.name);
  if (door != Door::command_line) return name;
  for (char& c : name) c = c == '_' ? '-' : c;
  if (!parameter.is(Parameter::word)) return "--" + name;
  for (char& c : name) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return parameter.type == ParameterType::certificate ? "FILE_OR_SERIAL" : name;
}

Result<Arguments> read_arguments(std::span<const Parameter> parameters, const json::Value& given, Door door) {
  if (given.object() == nullptr) return malformed("arguments have to be an object");
  for (const auto& [name, unused] : *given.object()) {
    if (std::ranges::find(parameters, name, &Parameter::name) != parameters.end()) continue;
    std::vector<std::string> known;
    for (const Parameter& parameter : parameters) known.emplace_back(parameter.name);
    return malformed("there is no argument " + in_quotes(name) + config::suggestion(name, known));
  }
  Arguments arguments;
  for (const Parameter& parameter : parameters) {
    const json::Value* value = given.find(parameter.name);
    if (value != nullptr && std::holds_alternative<std::nullptr_t>(value->variant())) value = nullptr;
    if (value == nullptr && parameter.is(Parameter::required))
      return malformed(written(parameter, door) + " is missing");
    Result<Arguments::Value> read{Arguments::Value()};
    if (value != nullptr)
      read = read_value(parameter, *value, door);
    else if (!parameter.fallback.empty())
      read = read_written(parameter, std::string(parameter.fallback), door);
    if (!read) return std::move(read).error().within(written(parameter, door));
    arguments.set(std::string(parameter.name), *std::move(read));
  }
  return arguments;
}

}  // namespace hanaper::operations
