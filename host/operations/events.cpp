// Whom events are told to, and those that were given up.
#include "../events/subscription.hpp"
#include "table.hpp"

#include <hanaper/toolkit/time_text.hpp>

namespace hanaper::operations {

Result<json::Value> list_events(Node& node, const Caller&, const Arguments&, Call&) {
  HANAPER_TRY(const std::vector<events::Standing> all, events::standings(node.storage().records()));
  json::Array rows;
  for (const events::Standing& standing : all) {
    const events::Position& position = standing.position;
    json::Object row{{"pipeline", standing.pipeline}, {"instance", standing.instance}};
    if (position.waiting) row.emplace_back("waiting", time_text(*position.waiting));
    if (position.failing_since) {
      row.emplace_back("failing_since", time_text(*position.failing_since));
      row.emplace_back("tries", static_cast<std::int64_t>(position.tries));
      row.emplace_back("again_at", time_text(position.again_at));
      row.emplace_back("error", position.error);
    }
    rows.emplace_back(std::move(row));
  }
  return items(std::move(rows), "");
}

Result<json::Value> list_dead_letters(Node& node, const Caller&, const Arguments& arguments, Call&) {
  const auto limit = static_cast<std::uint32_t>(arguments.integer("limit"));
  const std::string of = arguments.has("subscription") ? arguments.text("subscription") : "";
  const std::string after = arguments.has("after") ? arguments.text("after") : "";
  HANAPER_TRY(const std::vector<events::DeadLetter> letters,
              events::dead_letters(node.storage().records(), of, after, limit));
  json::Array rows;
  for (const events::DeadLetter& letter : letters)
    rows.emplace_back(json::Object{{"id", letter.id},
                                   {"pipeline", letter.pipeline},
                                   {"instance", letter.instance},
                                   {"type", letter.event.type},
                                   {"at", time_text(letter.at)},
                                   {"error", letter.error},
                                   {"subject", letter.event.subject},
                                   {"whole", letter.whole}});
  return items(std::move(rows), letters.size() == limit ? letters.back().id : std::string());
}

Result<json::Value> resend_event(Node& node, const Caller& caller, const Arguments& arguments, Call& call) {
  const std::string& id = arguments.text("id");
  if (node.dispatcher() == nullptr)
    return unavailable("events are told by a node that serves; start the daemon, and ask it");
  HANAPER_CHECK(node.dispatcher()->resend(id, caller.name, call));
  return json::Value(json::Object{{"id", id}, {"state", "delivered"}});
}

}  // namespace hanaper::operations
