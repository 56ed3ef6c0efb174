#include "node_commands.hpp"

#include "../services/audit.hpp"

#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>

namespace hanaper::cli {
namespace {

struct NamedCommand {
  std::string_view name;
  NodeCommand run;
};
constexpr NamedCommand node_commands[] = {
    {"issue", issue},
    {"revoke", revoke},
    {"revoke_many", revoke_many},
    {"operate", operate},
    {"requests", requests},
    {"show", show},
    {"list", list},
    {"serials", serials},
    {"audit_verify", audit_verify},
    {"audit_tail", audit_tail},
    {"backup", backup},
    {"keys", keys},
};

json::Value range_value(const issuance::SerialRange& range) {
  return json::Object{{"begin", range.begin.hex()}, {"end", range.end.hex()}};
}

int http_status(Code code) {
  switch (code) {
    case Code::internal:
      return 500;
    case Code::unavailable:
      return 503;
    default:
      return 400;
  }
}

Response answer(int status, json::Object object) {
  return {status, {{"Content-Type", "application/json"}}, json::write(json::Value(std::move(object)))};
}

}  // namespace

NodeCommand find_node_command(std::string_view name) {
  const auto found = std::ranges::find(node_commands, name, &NamedCommand::name);
  return found == std::end(node_commands) ? nullptr : found->run;
}

Response ControlEndpoint::handle(const Request& request, Call& call) {
  if (request.method != Method::post)
    return answer(405, {{"error", json::Object{{"code", "malformed"}, {"detail", "POST is expected"}}}});
  const auto run = [&]() -> Result<json::Value> {
    HANAPER_TRY(const json::Value body, json::parse(as_text(request.body), {4 * 1024 * 1024, 16, 100'000}));
    const NodeCommand command = find_node_command(body.text_at("command"));
    const json::Value* arguments = body.find("arguments");
    if (command == nullptr || arguments == nullptr || arguments->object() == nullptr)
      return unsupported("the daemon does not know the command \"" +
                         std::string(body.text_at("command").substr(0, 64)) +
                         "\"; is it of another version?");
    json::Value with_user = *arguments;
    with_user.object()->emplace_back("user", request.address);
    return command(node_, with_user, call);
  };
  auto result = run();
  if (result) return answer(200, {{"result", *std::move(result)}});
  const Error& error = result.error();
  return answer(http_status(error.code),
                {{"error", json::Object{{"code", to_string(error.code)}, {"detail", error.detail}}}});
}

Result<json::Value> serials(Node& node, const json::Value&, Call&) {
  json::Array authorities;
  for (const auto& [name, config] : node.model().authorities) {
    json::Object object{{"authority", name}};
    const auto authority = node.authorities().find(name);
    if (!authority) {
      object.emplace_back("kind", config.serial.range ? "range" : "random");
    } else {
      const issuance::SerialSource::State state = authority->serials().state();
      object.emplace_back("kind", state.kind);
      if (state.next) object.emplace_back("next", state.next->hex());
      if (state.current) object.emplace_back("current", range_value(*state.current));
      if (state.following) object.emplace_back("following", range_value(*state.following));
    }
    authorities.emplace_back(std::move(object));
  }
  return json::Value(json::Object{{"authorities", std::move(authorities)}});
}

namespace {

Result<std::vector<std::string>> audit_nodes(Node& node, const json::Value& arguments) {
  HANAPER_TRY(std::vector<std::string> nodes, node.storage().ledger().audit_nodes());
  const std::string wanted(arguments.text_at("node"));
  if (wanted.empty()) return nodes;
  if (std::ranges::find(nodes, wanted) == nodes.end())
    return not_found("node \"" + wanted + "\" has written no audit");
  return std::vector<std::string>{wanted};
}

}  // namespace

Result<json::Value> audit_verify(Node& node, const json::Value& arguments, Call&) {
  HANAPER_TRY(const std::vector<std::string> nodes, audit_nodes(node, arguments));
  json::Array chains;
  for (const std::string& name : nodes) {
    HANAPER_TRY(const services::AuditVerdict verdict, services::verify_audit(node.storage().ledger(), name));
    json::Object chain{
        {"node", name}, {"pages", verdict.pages}, {"lines", verdict.lines}, {"head", to_hex(verdict.head)}};
    if (verdict.last) chain.emplace_back("last", time_text(*verdict.last));
    chains.emplace_back(std::move(chain));
  }
  return json::Value(json::Object{{"chains", std::move(chains)}});
}

Result<json::Value> audit_tail(Node& node, const json::Value& arguments, Call&) {
  HANAPER_TRY(const std::vector<std::string> nodes, audit_nodes(node, arguments));
  const json::Value* wanted = arguments.find("lines");
  const std::size_t count =
      wanted && wanted->integer()
          ? static_cast<std::size_t>(std::clamp<std::int64_t>(*wanted->integer(), 1, 10'000))
          : 20;
  struct Line {
    Time at;
    std::string text;
  };
  std::vector<Line> lines;
  for (const std::string& name : nodes) {
    HANAPER_TRY(const WriterState state, node.storage().ledger().writer(name));
    // A page holds at least one line, so that many pages are enough.
    const std::uint64_t after = state.audit_sequence > count ? state.audit_sequence - count : 0;
    HANAPER_TRY(const std::vector<AuditPage> pages,
                node.storage().ledger().audit(name, after, static_cast<std::uint32_t>(count)));
    for (const AuditPage& page : pages) {
      std::string_view rest = page.text;
      while (!rest.empty()) {
        const std::size_t end = rest.find('\n');
        lines.push_back({page.at, std::string(rest.substr(0, end))});
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
      }
    }
  }
  std::ranges::stable_sort(lines, {}, &Line::at);
  if (lines.size() > count) lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
  json::Array texts;
  for (Line& line : lines) texts.emplace_back(std::move(line.text));
  return json::Value(json::Object{{"lines", std::move(texts)}});
}

}  // namespace hanaper::cli
