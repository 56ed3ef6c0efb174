#include "plan.hpp"

namespace hanaper::config {
namespace {

std::string list(std::string_view word, const std::vector<std::string>& names) {
  if (names.empty()) return {};
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return " " + std::string(word) + "(" + text + ")";
}

std::string pipeline_text(const Model& model, const std::string& name) {
  const auto found = model.pipelines.find(name);
  if (found == model.pipelines.end()) return name;
  const PipelineConfig& pipeline = found->second;
  const auto authority = model.authorities.find(pipeline.authority);
  const bool known = authority != model.authorities.end();
  const std::string keys = known ? authority->second.keys : "?";
  const std::string next = known && !authority->second.next.empty() ? ", then " + authority->second.next : "";
  const std::string_view authenticate = pipeline.authenticate_all ? "authenticate-all" : "authenticate";
  return name + ":" + list(authenticate, pipeline.authenticate) + list("policy", pipeline.policy) +
         (pipeline.approval ? " approve(manual)" : "") + list("validate", pipeline.validate) + " sign(" +
         pipeline.authority + " @ " + keys + next + ") record(" + model.storage().name + ")" +
         list("publish", pipeline.publish) + list("notify", pipeline.notify);
}

std::string bound_to(const ListenerConfig& listener) {
  const std::string host =
      listener.host.find(':') == std::string::npos ? listener.host : "[" + listener.host + "]";
  return host + ":" + std::to_string(listener.port);
}

// How the world reaches it, and where it is bound when that reads otherwise.
std::string place_text(const ListenerConfig& listener, const std::string& path) {
  const bool same = listener.url.ends_with("//" + bound_to(listener));
  return listener.url + path + (same ? "" : " at " + bound_to(listener));
}

std::string place_of(const Model& model, const InstanceConfig& protocol) {
  const auto listener = model.listeners.find(protocol.listener);
  if (listener != model.listeners.end()) return place_text(listener->second, protocol.path);
  return (protocol.url.empty() ? "" : protocol.url + " ") + "not served here";
}

}  // namespace

std::vector<std::string> plan(const Model& model) {
  std::vector<std::string> lines;
  for (const InstanceConfig& instance : model.instances) {
    if (instance.kind != "protocol") continue;
    std::string line = instance.name + "  " + place_of(model, instance) + " →";
    for (const std::string& pipeline : instance.referred("pipeline"))
      line += " " + pipeline_text(model, pipeline);
    line += list("authorities", instance.referred("authority"));
    lines.push_back(std::move(line));
  }
  for (const auto& [name, listener] : model.listeners) {
    if (!listener.issue.empty())
      lines.push_back("tls  " + place_text(listener, "") + " → " + pipeline_text(model, listener.issue));
    if (listener.health) lines.push_back("health  " + place_text(listener, "") + " → /health /metrics");
  }
  for (const auto& [name, pipeline] : model.pipelines)
    lines.push_back("command  " + model.node.socket + " → " + pipeline_text(model, name));
  return lines;
}

}  // namespace hanaper::config
