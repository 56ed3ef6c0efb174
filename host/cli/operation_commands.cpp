// The command of any operation: from the words of the line to arguments, and its answer back to words.
#include "print.hpp"
#include "terminal.hpp"

#include <hanaper/toolkit/base64.hpp>

#include <charconv>
#include <filesystem>
#include <iostream>

namespace hanaper::cli {
namespace {

namespace fs = std::filesystem;
using operations::Door;

json::Value value_of(const Parameter& parameter, const std::string& text) {
  switch (parameter.type) {
    case ParameterType::certificate:
      return certificate_argument(text);
    case ParameterType::content:
    case ParameterType::secret:
      return base64::encode(as_bytes(read_input(text)));
    case ParameterType::place:
      return fs::absolute(text).string();
    case ParameterType::integer: {
      // What is no number stays a text, for the reader of arguments to refuse.
      std::int64_t value = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (error == std::errc{} && end == text.data() + text.size()) return value;
      return text;
    }
    default:
      return text;
  }
}

// The words behind the command, as its parameters take them one after the other.
void add_words(json::Object& arguments, const Session& session) {
  auto words = session.line().positional.begin();
  const auto end = session.line().positional.end();
  for (const Parameter& parameter : session.command().operation->parameters) {
    if (!parameter.is(Parameter::word) || words == end) continue;
    if (!parameter.is(Parameter::repeats)) {
      arguments.emplace_back(parameter.name, value_of(parameter, *words++));
      continue;
    }
    json::Array all;
    while (words != end) all.push_back(value_of(parameter, *words++));
    arguments.emplace_back(parameter.name, std::move(all));
  }
}

}  // namespace

json::Object arguments_of(const Session& session) {
  const operations::Described& operation = *session.command().operation;
  json::Object arguments;
  add_words(arguments, session);
  for (const Parameter& parameter : operation.parameters) {
    const std::string option = operations::written(parameter, Door::command_line);
    if (parameter.is(Parameter::word) || !session.line().has(option)) continue;
    if (parameter.type == ParameterType::boolean) {
      arguments.emplace_back(parameter.name, true);
    } else if (parameter.is(Parameter::repeats)) {
      json::Array all;
      for (const std::string& text : session.line().texts(option)) all.push_back(value_of(parameter, text));
      arguments.emplace_back(parameter.name, std::move(all));
    } else {
      arguments.emplace_back(parameter.name, value_of(parameter, session.line().text(option)));
    }
  }
  check_arguments(session, arguments);
  return arguments;
}

void check_arguments(const Session& session, const json::Object& arguments) {
  const auto read =
      operations::read_arguments(session.command().operation->parameters, arguments, Door::command_line);
  if (!read) session.misuse(read.error().detail);
}

int run_operation(Session& session) {
  const operations::Described& operation = *session.command().operation;
  json::Object arguments = arguments_of(session);
  const auto limited = std::ranges::find(arguments, "limit", &json::Member::first);
  std::int64_t left = limited != arguments.end() ? *limited->second.integer() : INT64_MAX;
  json::Value answer;
  {
    json::Array rows;
    const Progress progress(operation.words, [&] { return rows.empty() ? "" : std::to_string(rows.size()); });
    // A list that goes on is asked for again behind its end, unless somebody goes through it himself.
    const bool paged =
        std::ranges::find(operation.parameters, "after", &Parameter::name) != operation.parameters.end() &&
        std::ranges::find(arguments, "after", &json::Member::first) == arguments.end();
    json::Object page = arguments;
    for (;;) {
      answer = session.run(operation.id, page);
      json::Value* more = paged ? const_cast<json::Value*>(answer.find("items")) : nullptr;
      if (more == nullptr || more->array() == nullptr) break;
      left -= static_cast<std::int64_t>(more->array()->size());
      std::ranges::move(*more->array(), std::back_inserter(rows));
      const std::string next(answer.text_at("next"));
      if (next.empty() || left <= 0) {
        answer = operations::items(std::move(rows));
        break;
      }
      page = arguments;
      std::erase_if(page, [](const json::Member& member) { return member.first == "limit"; });
      if (limited != arguments.end()) page.emplace_back("limit", left);
      page.emplace_back("after", next);
    }
  }
  print_answer(operation, answer, session.line());
  return 0;
}

}  // namespace hanaper::cli
