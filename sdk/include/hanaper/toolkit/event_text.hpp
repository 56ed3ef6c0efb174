// Patterns with {fields} of an event: names of files and directory entries, subjects of mails.
#pragma once

#include <hanaper/events.hpp>
#include <hanaper/toolkit/json.hpp>

#include <functional>
#include <optional>

namespace hanaper {

// An event's fields by name: id, source, type, subject, time, and what its data hold. Plain data.
class EventText {
 public:
  // malformed when the event's JSON is not what the host makes.
  static Result<EventText> read(const Event& event);

  // A text as it is, a number in decimals, a list with ", " between its parts; nothing for a field that the
  // event does not have or that is empty.
  std::optional<std::string> field(std::string_view name) const;

  // What the type's row in host/events/README.md lists, in that order.
  const json::Object& data() const noexcept { return data_; }

  // The pattern with each {field} replaced by escape(value). rejected when the event has no such field.
  Result<std::string> expand(std::string_view pattern,
                             const std::function<std::string(std::string_view)>& escape) const;

 private:
  json::Object envelope_;
  json::Object data_;
};

// malformed when a brace is not closed, or a field has no name: for configure.
Status check_pattern(std::string_view pattern);

// A value that may be part of a file's name: letters, digits, '-', '_', '.' and '@' stay, everything else
// becomes '_', and so does a '.' in front.
std::string file_name_part(std::string_view value);

}  // namespace hanaper
