#include "openapi.hpp"

#include <algorithm>
#include <charconv>

namespace hanaper::operations {
namespace {

std::int64_t number(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// "1..100" as members with those names.
void add_bounds(json::Object& schema, std::string_view bounds, const char* least, const char* most) {
  const std::size_t dots = bounds.find("..");
  if (dots == std::string_view::npos) return;
  schema.emplace_back(least, number(bounds.substr(0, dots)));
  schema.emplace_back(most, number(bounds.substr(dots + 2)));
}

json::Object one_schema(const Parameter& parameter) {
  json::Object schema{{"type", "string"}};
  switch (parameter.type) {
    case ParameterType::text:
      add_bounds(schema, parameter.bounds.empty() ? "1..4096" : parameter.bounds, "minLength", "maxLength");
      break;
    case ParameterType::integer:
      schema = {{"type", "integer"}};
      add_bounds(schema, parameter.bounds, "minimum", "maximum");
      break;
    case ParameterType::boolean:
      schema = {{"type", "boolean"}};
      break;
    case ParameterType::duration:
      schema.emplace_back("pattern", "^[0-9]+(ms|s|m|h|d|w|y)$");
      break;
    case ParameterType::time:
      schema.emplace_back("format", "date-time");
      break;
    case ParameterType::choice: {
      json::Array choices;
      for (std::string_view choice : choices_of(parameter)) choices.emplace_back(choice);
      schema.emplace_back("enum", std::move(choices));
      break;
    }
    case ParameterType::content:
      schema.emplace_back("contentEncoding", "base64");
      break;
    case ParameterType::secret:
      schema.emplace_back("contentEncoding", "base64");
      schema.emplace_back("writeOnly", true);
      break;
    case ParameterType::certificate:
    case ParameterType::place:
      break;
  }
  return schema;
}

json::Object schema_of(const Parameter& parameter, bool described) {
  json::Object schema = one_schema(parameter);
  if (parameter.is(Parameter::repeats))
    schema = {{"type", "array"}, {"items", std::move(schema)}, {"maxItems", 10'000}};
  if (!parameter.fallback.empty())
    schema.emplace_back("default", parameter.type == ParameterType::integer
                                       ? json::Value(number(parameter.fallback))
                                       : json::Value(parameter.fallback));
  if (described) schema.emplace_back("description", parameter.doc);
  return schema;
}

json::Object object_of(std::span<const Column> columns);

json::Object schema_of(const Column& column) {
  json::Object schema{{"type", "string"}};
  if (column.type == ColumnType::integer) schema = {{"type", "integer"}};
  if (column.type == ColumnType::boolean) schema = {{"type", "boolean"}};
  if (column.type == ColumnType::time) schema.emplace_back("format", "date-time");
  if (column.type == ColumnType::content) schema.emplace_back("contentEncoding", "base64");
  if (column.type == ColumnType::texts)
    schema = {{"type", "array"}, {"items", json::Object{{"type", "string"}}}};
  if (column.type == ColumnType::rows) schema = {{"type", "array"}, {"items", object_of(column.columns)}};
  if (!column.doc.empty()) schema.emplace_back("description", column.doc);
  return schema;
}

json::Object object_of(std::span<const Column> columns) {
  json::Object properties;
  for (const Column& column : columns) properties.emplace_back(column.name, schema_of(column));
  return {{"type", "object"}, {"properties", std::move(properties)}};
}

json::Object answer_schema(const Described& operation) {
  json::Object row = object_of(operation.what->columns);
  if (operation.what->answer == AnswerForm::one) return row;
  json::Object properties{{"items", json::Object{{"type", "array"}, {"items", std::move(row)}}}};
  if (std::ranges::find(operation.parameters, "after", &Parameter::name) != operation.parameters.end())
    properties.emplace_back(
        "next", json::Object{{"type", "string"}, {"description", "where there is more: what after takes"}});
  return {{"type", "object"}, {"required", json::Array{"items"}}, {"properties", std::move(properties)}};
}

json::Object content_of(const char* type, json::Object schema) {
  return {{type, json::Object{{"schema", std::move(schema)}}}};
}

bool is_in_path(const Described& operation, const Parameter& parameter) {
  return operation.path.find("{" + std::string(parameter.name) + "}") != std::string::npos;
}

void add_arguments(json::Object& object, const Described& operation) {
  json::Array parameters, required;
  json::Object properties;
  const bool has_body = operation.method != "GET" && operation.method != "DELETE";
  for (const Parameter& parameter : operation.parameters) {
    const bool in_path = is_in_path(operation, parameter);
    if (has_body && !in_path) {
      properties.emplace_back(parameter.name, schema_of(parameter, true));
      if (parameter.is(Parameter::required)) required.emplace_back(parameter.name);
      continue;
    }
    parameters.push_back(json::Object{{"name", parameter.name},
                                      {"in", in_path ? "path" : "query"},
                                      {"required", in_path || parameter.is(Parameter::required)},
                                      {"description", parameter.doc},
                                      {"schema", schema_of(parameter, false)}});
  }
  if (!parameters.empty()) object.emplace_back("parameters", std::move(parameters));
  if (properties.empty()) return;
  json::Object schema{
      {"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
  const bool needed = !required.empty();
  if (needed) schema.emplace_back("required", std::move(required));
  object.emplace_back(
      "requestBody",
      json::Object{{"required", needed}, {"content", content_of("application/json", std::move(schema))}});
}

json::Object operation_object(const Described& operation) {
  const std::size_t slash = operation.path.find('/', 1);
  json::Object object{
      {"operationId", operation.id},
      {"summary", operation.what->summary},
      {"tags", json::Array{operation.path.substr(1, slash == std::string::npos ? slash : slash - 1)}},
      {"x-permission", to_string(operation.what->permission)}};
  if (!operation.words.empty()) object.emplace_back("x-command", "hanaper " + operation.words);
  add_arguments(object, operation);
  object.emplace_back(
      "responses",
      json::Object{
          {"200", json::Object{{"description", "done"},
                               {"content", content_of("application/json", answer_schema(operation))}}},
          {"default", json::Object{{"$ref", "#/components/responses/Problem"}}}});
  return object;
}

// RFC 9457.
json::Object problem() {
  const auto text = [](const char* description) {
    return json::Object{{"type", "string"}, {"description", description}};
  };
  const json::Object properties{{"type", text("about:blank")},
                                {"title", text("the status in words")},
                                {"status", json::Object{{"type", "integer"}}},
                                {"detail", text("what is wrong, in one line")},
                                {"code", text("malformed, forbidden, not_found, conflict, unavailable, ...")},
                                {"call", text("id of the call, as the log has it")}};
  return {
      {"description", "it was not done"},
      {"content", content_of("application/problem+json", {{"type", "object"}, {"properties", properties}})}};
}

}  // namespace

json::Value openapi(const std::vector<Described>& operations) {
  json::Object paths;
  for (const Described& operation : operations) {
    if (operation.path.empty()) continue;
    auto path = std::ranges::find(paths, operation.path, &json::Member::first);
    if (path == paths.end()) path = paths.insert(paths.end(), {operation.path, json::Object()});
    std::string method = operation.method;
    for (char& c : method) c = static_cast<char>(c | 0x20);
    path->second.object()->emplace_back(std::move(method), operation_object(operation));
  }
  const json::Object licence{{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}};
  return json::Object{
      {"openapi", "3.1.0"},
      {"info",
       json::Object{{"title", "Hanaper: operations"}, {"version", HANAPER_VERSION}, {"license", licence}}},
      {"servers", json::Array{json::Object{{"url", "/admin/api/v1"}}}},
      {"paths", std::move(paths)},
      {"components", json::Object{{"responses", json::Object{{"Problem", problem()}}}}}};
}

}  // namespace hanaper::operations
