#include <hanaper/toolkit/event_text.hpp>

namespace hanaper {
namespace {

constexpr json::Limits limits{.octets = 512 * 1024, .depth = 16, .values = 20'000};

std::optional<std::string> text_of(const json::Value& value) {
  if (const std::string* text = value.text()) return *text;
  if (value.integer()) return std::to_string(*value.integer());
  const json::Array* parts = value.array();
  if (parts == nullptr) return std::nullopt;
  std::string joined;
  for (const json::Value& part : *parts) {
    const auto text = text_of(part);
    if (!text) return std::nullopt;
    joined += (joined.empty() ? "" : ", ") + *text;
  }
  return joined;
}

std::optional<std::string> find(const json::Object& object, std::string_view name) {
  for (const auto& [key, value] : object)
    if (key == name) {
      auto text = text_of(value);
      return text && !text->empty() ? std::move(text) : std::nullopt;
    }
  return std::nullopt;
}

}  // namespace

Result<EventText> EventText::read(const Event& event) {
  HANAPER_TRY(json::Value value, json::parse(event.json, limits));
  json::Object* envelope = value.object();
  if (envelope == nullptr) return malformed("the event is no JSON object");
  EventText text;
  for (auto& [name, member] : *envelope) {
    if (name != "data")
      text.envelope_.emplace_back(name, std::move(member));
    else if (json::Object* data = member.object())
      text.data_ = std::move(*data);
  }
  return text;
}

std::optional<std::string> EventText::field(std::string_view name) const {
  auto found = find(data_, name);
  return found ? found : find(envelope_, name);
}

Result<std::string> EventText::expand(std::string_view pattern,
                                      const std::function<std::string(std::string_view)>& escape) const {
  std::string text;
  for (std::size_t at = 0; at < pattern.size();) {
    const std::size_t open = pattern.find('{', at);
    text += pattern.substr(at, open - at);
    if (open == std::string_view::npos) break;
    const std::size_t close = pattern.find('}', open);
    if (close == std::string_view::npos) return malformed("a brace of the pattern is not closed");
    const std::string name(pattern.substr(open + 1, close - open - 1));
    const auto value = field(name);
    if (!value) return Error{Code::rejected, "the event has no " + name};
    text += escape(*value);
    at = close + 1;
  }
  return text;
}

Status check_pattern(std::string_view pattern) {
  for (std::size_t at = 0;;) {
    const std::size_t open = pattern.find_first_of("{}", at);
    if (open == std::string_view::npos) return {};
    const std::size_t close = pattern.find_first_of("{}", open + 1);
    if (pattern[open] == '}' || close == std::string_view::npos || pattern[close] == '{')
      return malformed("\"" + std::string(pattern) + "\" has a brace without its other");
    if (close == open + 1) return malformed("\"" + std::string(pattern) + "\" has a field without a name");
    at = close + 1;
  }
}

std::string file_name_part(std::string_view value) {
  std::string part;
  for (char c : value) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '@';
    part.push_back(plain && !(part.empty() && c == '.') ? c : '_');
  }
  return part;
}

}  // namespace hanaper
