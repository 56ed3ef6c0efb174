// Operations that plugins bring.
#include "../services/audit.hpp"
#include "table.hpp"

#include <algorithm>

namespace hanaper::operations {
namespace {

constexpr std::size_t longest_audited = 1000;
constexpr json::Limits answer_limits{128 * 1024 * 1024, 16, 2'000'000};

constexpr Parameter all_of_them{
    "instance", ParameterType::text, 0, {}, {}, "of the instances that bring it; default all"};
constexpr Parameter one_of_them{
    "instance", ParameterType::text, 0, {}, {}, "of the instances that bring it; default the only one"};

std::vector<Parameter> parameters_of(const Operation& operation) {
  std::vector<Parameter> parameters(operation.parameters.begin(), operation.parameters.end());
  parameters.push_back(operation.names_instance ? one_of_them : all_of_them);
  return parameters;
}

// A plugin that says nothing, or nothing we can use, brings no operations; the others' go on.
bool is_usable(const Operation& operation) {
  const bool has_path = operation.http.find(" /") != std::string_view::npos;
  return !operation.words.empty() && (operation.http.empty() || has_path) &&
         static_cast<std::size_t>(operation.permission) < permission_count;
}

const Operation* find(const Instance& instance, std::string_view words) {
  const auto* operable = instance.ability<Operable>();
  if (operable == nullptr) return nullptr;
  const auto operations = instance.guard().run_or<std::span<const Operation>>(
      {}, "operations", [&] { return operable->operations(); });
  for (const Operation& operation : operations)
    if (operation.words == words && is_usable(operation)) return &operation;
  return nullptr;
}

// One instance's answer, of the form that its operation has.
Result<json::Value> ask(Instance& instance, const Operation& operation, const Arguments& arguments,
                        const Caller& caller, Call& call) {
  HANAPER_TRY(const std::string text, instance.guard().run("operate", call.id, [&] {
    return instance.ability<Operable>()->operate(operation.words, arguments, caller.name, call);
  }));
  auto answer = json::parse(text, answer_limits);
  const bool fits = answer && (operation.answer == AnswerForm::list ? answer->array() != nullptr
                                                                    : answer->object() != nullptr);
  if (!fits) return internal(instance.name() + " does not answer as its operation says");
  return answer;
}

Result<json::Value> ask_all(const Node& node, const std::vector<Instance*>& instances,
                            const Operation& operation, const Arguments& arguments, const Caller& caller,
                            Call& call) {
  json::Array rows;
  std::optional<Error> missing;
  bool answered = false;
  for (Instance* one : instances) {
    HANAPER_CHECK(node.can_serve(*one));
    auto answer = ask(*one, operation, arguments, caller, call);
    if (!answer && answer.error().code != Code::not_found) return answer;
    if (!answer) {
      if (!missing) missing = answer.error();
      continue;
    }
    if (operation.answer == AnswerForm::one) return answer;
    answered = true;
    for (json::Value& row : *answer->array()) rows.push_back(std::move(row));
  }
  if (!answered) return *std::move(missing);
  return items(std::move(rows));
}

// What was asked for, without what is nobody's to read.
std::string audited_arguments(const Operation& operation, const json::Value& given) {
  json::Object shown;
  if (const json::Object* members = given.object())
    for (const auto& [name, value] : *members) {
      const auto parameter = std::ranges::find(operation.parameters, name, &Parameter::name);
      const bool hidden =
          parameter != operation.parameters.end() &&
          (parameter->type == ParameterType::secret || parameter->type == ParameterType::content);
      const std::size_t length = json::write(value).size();
      if (hidden) continue;
      if (length > longest_audited)
        shown.emplace_back(name, std::to_string(length) + " octets");
      else
        shown.emplace_back(name, value);
    }
  return shown.empty() ? std::string() : json::write(json::Value(std::move(shown)));
}

std::string_view path_of(const Operation& operation) {
  return operation.http.substr(std::min(operation.http.find(' ') + 1, operation.http.size()));
}

// By what other operations name what this one has made: where that is "POST /external-keys", and another one
// "DELETE /external-keys/{kid}", the answer's kid.
std::string name_of_made(const Instance& instance, const Operation& made_by, const json::Value& answer) {
  const std::string below = std::string(path_of(made_by)) + "/{";
  const auto* operable = instance.ability<Operable>();
  const auto operations = instance.guard().run_or<std::span<const Operation>>(
      {}, "operations", [&] { return operable->operations(); });
  for (const Operation& other : operations) {
    if (made_by.http.empty() || !path_of(other).starts_with(below)) continue;
    std::string_view name = path_of(other).substr(below.size());
    name = name.substr(0, name.find('}'));
    if (const std::string_view text = answer.text_at(name); !text.empty()) return std::string(text);
  }
  return {};
}

Status audit_operation(Node& node, const char* event, std::string_view id, const Call& call,
                       std::vector<LogField> fields) {
  fields.insert(fields.begin(), {"operation", std::string(id)});
  fields.push_back({"call", call.id});
  Write write;
  write.audit = services::audit_line(node.shared().clock.now(), event, fields);
  return node.writer().commit(write, call.deadline);
}

}  // namespace

std::vector<Described> describe_plugin(const std::string& name, Plugin& plugin) {
  std::vector<Described> all;
  const auto* operable = ability_of<Operable>(plugin);
  if (operable == nullptr) return all;
  for (const Operation& operation : operable->operations()) {
    if (!is_usable(operation)) continue;
    const std::string_view http = operation.http, method = http.substr(0, http.find(' '));
    Described made{.id = name + "." + std::string(operation.words),
                   .words = name + " " + std::string(operation.words),
                   .method = std::string(method),
                   .path = http.empty() ? "" : "/" + name + std::string(http.substr(method.size() + 1)),
                   .what = &operation,
                   .plugin = name,
                   .parameters = parameters_of(operation)};
    std::ranges::replace(made.id, ' ', '.');
    all.push_back(std::move(made));
  }
  return all;
}

std::vector<std::pair<std::string, std::string>> plugins_of(loader::Catalog& catalog) {
  std::vector<std::pair<std::string, std::string>> plugins;
  for (const loader::Found& found : catalog.list())
    if (found.manifest != nullptr) plugins.emplace_back(found.manifest->kind, found.manifest->name);
  return plugins;
}

std::vector<Described> describe_all(loader::Catalog& catalog,
                                    const std::vector<std::pair<std::string, std::string>>& plugins) {
  std::vector<Described> all = describe_host();
  for (const auto& [kind, name] : plugins) {
    const auto plugin = catalog.create(kind, name);
    if (!plugin) continue;
    for (Described& made : describe_plugin(name, **plugin))
      if (std::ranges::find(all, made.words, &Described::words) == all.end()) all.push_back(std::move(made));
  }
  return all;
}

Result<json::Value> run_plugin(Node& node, const Caller& caller, std::string_view id,
                               const json::Value& given, Door door, Call& call) {
  const std::string_view plugin = id.substr(0, id.find('.'));
  std::string words(plugin.size() < id.size() ? id.substr(plugin.size() + 1) : std::string_view{});
  std::ranges::replace(words, '.', ' ');
  std::vector<Instance*> bringing;
  const Operation* operation = nullptr;
  for (const auto& instance : node.instances()) {
    const config::InstanceConfig& config = instance->config();
    if (config.plugin != plugin || (!bringing.empty() && bringing.front()->config().kind != config.kind))
      continue;
    const Operation* brought = find(*instance, words);
    if (brought == nullptr) continue;
    operation = brought;
    bringing.push_back(instance.get());
  }
  if (operation == nullptr)
    return unsupported("no instance of this node's configuration brings the operation \"" +
                       std::string(id.substr(0, 64)) + "\"");
  HANAPER_CHECK(check_permission(caller, *operation, id));
  HANAPER_TRY(const Arguments arguments, read_arguments(parameters_of(*operation), given, door));
  if (const std::string& named = arguments.text("instance"); !named.empty()) {
    std::erase_if(bringing, [&](const Instance* one) { return one->config().name != named; });
    if (bringing.empty())
      return not_found("no instance \"" + named + "\" of the configuration brings " + std::string(plugin));
  }
  if (operation->names_instance && bringing.size() > 1)
    return conflict("several instances bring " + std::string(plugin) + "; name one with --instance");
  if (only_reads(*operation)) return ask_all(node, bringing, *operation, arguments, caller, call);
  // Before it, so that nothing happens that nobody could know of; what it came to is known behind it.
  HANAPER_CHECK(audit_operation(
      node, "operation.intent", id, call,
      {{"arguments", audited_arguments(*operation, given)}, {"requester", caller.requester()}}));
  auto answer = ask_all(node, bringing, *operation, arguments, caller, call);
  const Status told =
      answer ? audit_operation(node, "operation.done", id, call,
                               {{"made", name_of_made(*bringing.front(), *operation, *answer)}})
             : audit_operation(node, "operation.failed", id, call, {{"error", answer.error().detail}});
  if (!told)
    node.shared().logger.warning("what came of an operation is not in the audit",
                                 {{"operation", std::string(id)}, {"error", told.error().detail}});
  return answer;
}

}  // namespace hanaper::operations
