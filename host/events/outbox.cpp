#include "outbox.hpp"

#include <hanaper/toolkit/crypto.hpp>

#include <cstdio>

namespace hanaper::events {
namespace {

constexpr auto edges_kept_for = std::chrono::days{400};
constexpr std::size_t known_edges = 4096;
constexpr std::uint32_t ordered_at_once = 100;
constexpr std::string_view sequence = "sequence";
constexpr json::Limits document_limits{.octets = 600 * 1024, .depth = 20, .values = 20'000};

std::string digits(std::uint64_t number) {
  char text[24];
  std::snprintf(text, sizeof text, "%020llu", static_cast<unsigned long long>(number));
  return text;
}

std::string key_of(const Happening& happening, std::string_view occurrence) {
  return to_hex(crypto::sha256({as_bytes(happening.type), as_bytes({"\0", 1}), as_bytes(happening.subject),
                                as_bytes({"\0", 1}), as_bytes(occurrence)}));
}

RecordWrite write_of(std::string_view collection, std::string key, std::string data, Time expires) {
  RecordWrite write;
  write.collection = collection;
  write.key = std::move(key);
  write.data = std::move(data);
  write.expires = expires;
  return write;
}

}  // namespace

void Outbox::listen(std::set<std::string> pipelines) {
  const Lock lock(mutex_);
  pipelines_ = std::move(pipelines);
}

bool Outbox::hears(const std::string& pipeline) const {
  const Lock lock(mutex_);
  return pipelines_.contains(pipeline);
}

bool Outbox::hears() const {
  const Lock lock(mutex_);
  return !pipelines_.empty();
}

// What a node puts in later sorts behind what it has put in before.
std::string Outbox::new_key() {
  const std::int64_t now =
      std::chrono::duration_cast<std::chrono::microseconds>(clock_.now().time_since_epoch()).count();
  std::int64_t at = 0;
  {
    const Lock lock(mutex_);
    at = last_at_ = std::max(last_at_ + 1, now);
  }
  return digits(static_cast<std::uint64_t>(at)) + "-" + to_hex(crypto::sha256(as_bytes(node_))).substr(0, 16);
}

RecordWrite Outbox::document(const Happening& happening) {
  const json::Value data(json::Object{{"pipeline", happening.pipeline},
                                      {"authority", happening.authority},
                                      {"event", make_event(happening).json}});
  return write_of(new_collection, new_key(), json::write(data), clock_.now() + kept_for);
}

void Outbox::raise(Edge edge) {
  Happening& happening = edge.happening;
  std::string key = key_of(happening, edge.occurrence);
  happening.id = happening.type + "/" + key;
  bool lost = false;
  {
    const Lock lock(mutex_);
    if (pipelines_.empty() || known_.contains(key)) return;
    if (known_.size() >= known_edges) known_.clear();  // the database remembers them
    known_.insert(key);
    raised_.push_back({std::move(happening), std::move(key)});
    lost = raised_.size() > memory;
    if (lost) {
      known_.erase(raised_.front().key);
      raised_.pop_front();
    }
  }
  if (lost) log_.error("an event is lost: too many wait for the database", {});
}

Status Outbox::flush(Deadline deadline) {
  for (;;) {
    Raised next;
    {
      const Lock lock(mutex_);
      if (raised_.empty()) return {};
      next = raised_.front();
    }
    Write write;
    write.records.push_back(
        write_of(edge_collection, next.key, next.happening.type, clock_.now() + edges_kept_for));
    write.records.push_back(document(next.happening));
    const Status stored = writer_.commit(write, deadline);
    // conflict: it is stored already.
    if (!stored && stored.error().code != Code::conflict) return stored;
    const Lock lock(mutex_);
    if (!raised_.empty() && raised_.front().key == next.key) raised_.pop_front();
  }
}

Result<bool> Outbox::order(const Fence& fence, Deadline deadline) {
  HANAPER_TRY(const std::vector<Record> fresh,
              storage_.records().find(new_collection, "", "", "", ordered_at_once));
  if (fresh.empty()) return false;
  std::uint64_t number = 0, version = 0;
  auto counter = storage_.records().get(state_collection, sequence);
  if (!counter && counter.error().code != Code::not_found) return std::move(counter).error();
  if (counter) {
    number = std::strtoull(counter->data.c_str(), nullptr, 10);
    version = counter->version;
  }
  Write write;
  write.fence = fence;
  for (const Record& record : fresh) {
    RecordWrite gone;
    gone.collection = new_collection;
    gone.key = record.key;
    gone.expected = record.version;
    gone.erase = true;
    write.records.push_back(std::move(gone));
    write.records.push_back(
        write_of(ordered_collection, digits(++number), record.data, clock_.now() + kept_for));
  }
  RecordWrite count;
  count.collection = state_collection;
  count.key = sequence;
  count.expected = version;
  count.data = std::to_string(number);
  write.records.push_back(std::move(count));
  HANAPER_CHECK(writer_.commit(write, deadline));
  return true;
}

Result<std::string> Outbox::last() const {
  const auto counter = storage_.records().get(state_collection, sequence);
  if (!counter && counter.error().code == Code::not_found) return std::string();
  if (!counter) return counter.error();
  return digits(std::strtoull(counter->data.c_str(), nullptr, 10));
}

Result<std::vector<Outbox::Ordered>> Outbox::since(const std::string& after, std::uint32_t limit) const {
  HANAPER_TRY(const std::vector<Record> records,
              storage_.records().find(ordered_collection, "", "", after, limit));
  std::vector<Ordered> all;
  for (const Record& record : records) {
    const auto value = json::parse(record.data, document_limits);
    auto event = value ? read_event(std::string(value->text_at("event"))) : Result<Event>(value.error());
    if (!event) {
      log_.error("a stored event is damaged and told to nobody",
                 {{"number", record.key}, {"error", event.error().detail}});
      continue;
    }
    all.push_back({record.key, std::string(value->text_at("pipeline")),
                   std::string(value->text_at("authority")), *std::move(event)});
  }
  return all;
}

}  // namespace hanaper::events
