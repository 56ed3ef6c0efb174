// The documents of a subscription: its position, and its dead letters.
#include "subscription.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>

namespace hanaper::events {
namespace {

constexpr json::Limits position_limits{.octets = record_data_limit, .depth = 20, .values = 50'000};
// With its text in base64 a document stays below its limit.
constexpr std::size_t largest_object = 256 * 1024;

std::optional<Time> time_at(const json::Value& value, std::string_view name) {
  const json::Value* found = value.find(name);
  if (found == nullptr || found->integer() == nullptr) return std::nullopt;
  return Time{std::chrono::milliseconds{*found->integer()}};
}

}  // namespace

Result<Position> Position::read(const Record& record) {
  HANAPER_TRY(const json::Value value, json::parse(record.data, position_limits));
  Position position;
  position.version = record.version;
  position.issued = value.text_at("issued");
  position.revoked = value.text_at("revoked");
  position.ordered = value.text_at("ordered");
  position.error = value.text_at("error");
  position.failing_since = time_at(value, "failing_since");
  position.waiting = time_at(value, "waiting");
  position.again_at = time_at(value, "again_at").value_or(Time{});
  if (const json::Value* tries = value.find("tries"); tries && tries->integer())
    position.tries = static_cast<std::uint32_t>(*tries->integer());
  if (const json::Value* done = value.find("done"); done && done->array())
    for (const json::Value& id : *done->array())
      if (id.text()) position.done.insert(*id.text());
  if (const json::Value* objects = value.find("objects"); objects && objects->object())
    for (const auto& [key, digest] : *objects->object())
      if (digest.text()) position.objects.emplace(key, *digest.text());
  return position;
}

std::string Position::write() const {
  json::Array ids;
  for (const std::string& id : done) ids.emplace_back(id);
  json::Object digests;
  for (const auto& [key, digest] : objects) digests.emplace_back(key, digest);
  json::Object object{{"issued", issued},
                      {"revoked", revoked},
                      {"ordered", ordered},
                      {"done", std::move(ids)},
                      {"objects", std::move(digests)}};
  if (waiting) object.emplace_back("waiting", milliseconds(*waiting));
  if (failing_since) {
    object.emplace_back("failing_since", milliseconds(*failing_since));
    object.emplace_back("again_at", milliseconds(again_at));
    object.emplace_back("tries", tries);
    object.emplace_back("error", error);
  }
  return json::write(json::Value(std::move(object)));
}

// Listed in the order of their dying.
RecordWrite Subscription::dead_letter(const Event& event, const Error& error) const {
  const bool whole = event.object.size() <= largest_object;
  RecordWrite write;
  write.collection = dead_collection;
  write.key = std::to_string(milliseconds(context_.clock.now())) + "-" +
              to_hex(crypto::sha256({as_bytes(subscriber_.name()), as_bytes({"\0", 1}), as_bytes(event.id)}))
                  .substr(0, 16);
  write.expires = context_.clock.now() + dead_kept_for;
  write.indexes = {{"of", subscriber_.name()}};
  write.data = json::write(json::Value(json::Object{{"pipeline", subscriber_.pipeline},
                                                    {"instance", subscriber_.instance},
                                                    {"error", error.detail.substr(0, 500)},
                                                    {"at", milliseconds(context_.clock.now())},
                                                    {"event", event.json},
                                                    {"whole", whole},
                                                    {"object", whole ? base64::encode(event.object) : ""}}));
  return write;
}

Result<DeadLetter> DeadLetter::read(const Record& record) {
  HANAPER_TRY(const json::Value value, json::parse(record.data, position_limits));
  DeadLetter letter;
  letter.id = record.key;
  letter.version = record.version;
  letter.pipeline = value.text_at("pipeline");
  letter.instance = value.text_at("instance");
  letter.error = value.text_at("error");
  letter.at = time_at(value, "at").value_or(Time{});
  const json::Value* whole = value.find("whole");
  letter.whole = whole && whole->boolean() && *whole->boolean();
  HANAPER_TRY(Bytes object, base64::decode(value.text_at("object")));
  HANAPER_TRY(letter.event, read_event(std::string(value.text_at("event")), std::move(object)));
  return letter;
}

Result<std::vector<Standing>> standings(Records& records) {
  constexpr std::uint32_t page_of_positions = 100;
  std::vector<Standing> all;
  for (std::string after;;) {
    HANAPER_TRY(const std::vector<Record> found,
                records.find(position_collection, "", "", after, page_of_positions));
    for (const Record& record : found) {
      const std::size_t slash = record.key.find('/');
      HANAPER_TRY(Position position, Position::read(record));
      all.push_back({record.key.substr(0, slash), record.key.substr(slash + 1), std::move(position)});
    }
    if (found.size() < page_of_positions) return all;
    after = found.back().key;
  }
}

Result<std::vector<DeadLetter>> dead_letters(Records& records, const std::string& of,
                                             const std::string& after, std::uint32_t limit) {
  HANAPER_TRY(const std::vector<Record> found,
              records.find(dead_collection, of.empty() ? "" : "of", of, after, limit));
  std::vector<DeadLetter> letters;
  for (const Record& record : found) {
    HANAPER_TRY(DeadLetter letter, DeadLetter::read(record));
    letters.push_back(std::move(letter));
  }
  return letters;
}

}  // namespace hanaper::events
