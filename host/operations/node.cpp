// serials, audit, reload.
#include "table.hpp"

#include "../services/audit.hpp"

#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>

namespace hanaper::operations {

Result<json::Value> serials(Node& node, const Caller&, const Arguments&, Call&) {
  json::Array rows;
  for (const auto& [name, config] : node.model().authorities) {
    json::Object row{{"authority", name}};
    const auto authority = node.authorities().find(name);
    if (!authority) {
      row.emplace_back("kind", config.serial.range ? "range" : "random");
    } else {
      const issuance::SerialSource::State state = authority->serials().state();
      row.emplace_back("kind", state.kind);
      if (state.next) row.emplace_back("next", state.next->hex());
      if (state.current) {
        row.emplace_back("current_begin", state.current->begin.hex());
        row.emplace_back("current_end", state.current->end.hex());
      }
      if (state.following) {
        row.emplace_back("following_begin", state.following->begin.hex());
        row.emplace_back("following_end", state.following->end.hex());
      }
    }
    rows.emplace_back(std::move(row));
  }
  return items(std::move(rows));
}

namespace {

Result<std::vector<std::string>> audit_nodes(Node& node, const Arguments& arguments) {
  HANAPER_TRY(std::vector<std::string> nodes, node.storage().ledger().audit_nodes());
  const std::string& wanted = arguments.text("node");
  if (wanted.empty()) return nodes;
  if (std::ranges::find(nodes, wanted) == nodes.end())
    return not_found("node \"" + wanted + "\" has written no audit");
  return std::vector<std::string>{wanted};
}

}  // namespace

Result<json::Value> verify_audit(Node& node, const Caller&, const Arguments& arguments, Call&) {
  HANAPER_TRY(const std::vector<std::string> nodes, audit_nodes(node, arguments));
  json::Array chains;
  for (const std::string& name : nodes) {
    HANAPER_TRY(const services::AuditVerdict verdict, services::verify_audit(node.storage().ledger(), name));
    json::Object chain{
        {"node", name}, {"pages", verdict.pages}, {"lines", verdict.lines}, {"head", to_hex(verdict.head)}};
    if (verdict.last) chain.emplace_back("last", time_text(*verdict.last));
    chains.emplace_back(std::move(chain));
  }
  return items(std::move(chains));
}

Result<json::Value> tail_audit(Node& node, const Caller&, const Arguments& arguments, Call&) {
  HANAPER_TRY(const std::vector<std::string> nodes, audit_nodes(node, arguments));
  const auto count = static_cast<std::size_t>(arguments.integer("lines"));
  struct Line {
    Time at;
    std::string node, text;
  };
  std::vector<Line> lines;
  for (const std::string& name : nodes) {
    HANAPER_TRY(const WriterState state, node.storage().ledger().writer(name));
    // A page holds at least one line, so that many pages are enough.
    const std::uint64_t after = state.audit_sequence > count ? state.audit_sequence - count : 0;
    HANAPER_TRY(const std::vector<AuditPage> pages,
                node.storage().ledger().audit(name, after, static_cast<std::uint32_t>(count)));
    // Where the clock was ahead once, what follows is in the order of the chain still.
    std::vector<Time> not_after(pages.size());
    for (std::size_t i = pages.size(); i-- > 0;)
      not_after[i] = i + 1 < pages.size() ? std::min(pages[i].at, not_after[i + 1]) : pages[i].at;
    for (std::size_t i = 0; i < pages.size(); ++i) {
      std::string_view rest = pages[i].text;
      while (!rest.empty()) {
        const std::size_t end = rest.find('\n');
        lines.push_back({not_after[i], name, std::string(rest.substr(0, end))});
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
      }
    }
  }
  std::ranges::stable_sort(lines, {}, &Line::at);
  if (lines.size() > count) lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
  json::Array rows;
  for (Line& line : lines)
    rows.emplace_back(json::Object{{"node", std::move(line.node)}, {"line", std::move(line.text)}});
  return items(std::move(rows));
}

Result<json::Value> accept_clock(Node& node, const Caller& caller, const Arguments&, Call& call) {
  const std::string& name = node.model().node.name;
  HANAPER_TRY(const WriterState before, node.storage().ledger().writer(name));
  HANAPER_CHECK(node.writer().accept_clock(caller.requester(), call.deadline));
  return json::Value(json::Object{{"node", name},
                                  {"now", time_text(node.shared().clock.now())},
                                  {"last", time_text(before.audit_at.value_or(Time{}))}});
}

Result<json::Value> drain(Node& node, const Caller& caller, const Arguments&, Call& call) {
  if (!node.on_drain) return unavailable("no daemon runs here that could end");
  Write write;
  write.audit = services::audit_line(node.shared().clock.now(), "drain.asked",
                                     {{"requester", caller.requester()}, {"call", call.id}});
  if (const Status written = node.writer().commit(write, call.deadline); !written)
    node.shared().logger.warning("who asked for the end is not in the audit",
                                 {{"error", written.error().detail}});
  node.on_drain();
  return json::Value(json::Object{{"node", node.model().node.name}, {"state", "draining"}});
}

Result<json::Value> reload(Node& node, const Caller& caller, const Arguments&, Call& call) {
  if (!node.on_reload)
    return unavailable("no daemon runs here; it will read the configuration when it starts");
  Write write;
  write.audit = services::audit_line(node.shared().clock.now(), "reload.asked",
                                     {{"requester", caller.requester()}, {"call", call.id}});
  // A signal asks without a word: a reload does not depend on it.
  if (const Status written = node.writer().commit(write, call.deadline); !written)
    node.shared().logger.warning("who asked for a reload is not in the audit",
                                 {{"error", written.error().detail}});
  node.shared().logger.info("reload", {{"requester", caller.requester()}});
  HANAPER_TRY(const std::vector<std::string> changes, node.on_reload(call));
  json::Array rows;
  for (const std::string& change : changes) {
    const std::size_t colon = change.find(": ");
    const bool apart = colon != std::string::npos;
    rows.emplace_back(json::Object{{"table", apart ? change.substr(0, colon) : std::string()},
                                   {"outcome", apart ? change.substr(colon + 2) : change}});
  }
  return items(std::move(rows));
}

}  // namespace hanaper::operations
