// What /metrics says of the node itself.
#include "node.hpp"

#include "../services/audit.hpp"
#include "../services/process.hpp"

#include <hanaper/toolkit/json.hpp>
#include <hanaper/toolkit/time_text.hpp>

namespace hanaper {
namespace {

std::int64_t seconds_of(Time time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

// More of them are counted as that many: nobody reads on.
constexpr std::uint32_t most_counted = 10'000, page = 500;

}  // namespace

void Node::add_metrics() {
  services::Registry& metrics = shared_.metrics;
  metrics.gauge("hanaper_build_info", "Version of the running program.", {{"version", HANAPER_VERSION}})
      .set(1);
  auto& waiting = metrics.gauge("hanaper_workers_waiting", "Requests that wait for a worker.");
  auto& unheard = metrics.gauge("hanaper_revocations_unheard_seconds",
                                "For how long this node has not heard of revocations.");
  auto& ready = metrics.gauge("hanaper_ready", "Whether every check for issuing passes.");
  std::map<std::string, Gauge*> buckets;
  for (const auto& bucket : shared_.expiries.buckets(shared_.clock.now()))
    buckets[std::string(bucket.label)] = &metrics.gauge(
        "hanaper_certificates", "Certificates that are not revoked, by the time until they expire.",
        {{"expires", std::string(bucket.label)}});
  for (const auto& [name, unused] : model_.authorities)
    if (const auto authority = authorities_.find(name))
      metrics
          .gauge("hanaper_authority_not_after_timestamp_seconds", "When the authority's certificate ends.",
                 {{"authority", name}})
          .set(seconds_of(authority->not_after()));
  metrics.before_scrape([this, &waiting, &unheard, &ready, buckets] {
    unheard.set(std::chrono::floor<std::chrono::seconds>(changes_.unheard_for()).count());
    waiting.set(static_cast<std::int64_t>(workers_->waiting()));
    ready.set(shared_.readiness.status(Purpose::issue).has_value());
    for (const auto& bucket : shared_.expiries.buckets(shared_.clock.now()))
      buckets.at(std::string(bucket.label))->set(bucket.count);
    for (const auto& [listener, not_after] : certificates_.ends())
      shared_.metrics
          .gauge("hanaper_listener_certificate_not_after_timestamp_seconds",
                 "When the certificate that the listener serves with ends.", {{"listener", listener}})
          .set(seconds_of(not_after));
  });
  metrics.also([] { return services::process_metrics(); });
  count_reload(true);
  static_cast<void>(count_figures());  // what fails now is counted in a moment
  shared_.jobs->every("host", "figures", std::chrono::seconds{15}, [this](Call&) { return count_figures(); });
}

// [main]
void Node::count_reload(bool taken_over) {
  shared_.metrics
      .gauge("hanaper_reload_timestamp_seconds",
             "When the configuration was last read: at the start, or by a reload, whether it was taken over "
             "or not.")
      .set(seconds_of(shared_.clock.now()));
  shared_.metrics.gauge("hanaper_reload_success", "Whether the last of them was taken over.").set(taken_over);
}

void Node::reloaded(const Result<std::vector<std::string>>& outcome) {
  count_reload(outcome.has_value());
  std::string changes;
  if (outcome)
    for (const std::string& change : *outcome) changes += (changes.empty() ? "" : "; ") + change;
  Write write;
  write.audit = outcome ? services::audit_line(shared_.clock.now(), "reloaded", {{"changes", changes}})
                        : services::audit_line(shared_.clock.now(), "reload.refused",
                                               {{"error", outcome.error().detail}});
  const Status written =
      shared_.writer->commit(write, std::chrono::steady_clock::now() + std::chrono::seconds{10});
  if (!written) shared_.logger.warning("a reload is not in the audit", {{"error", written.error().detail}});
}

// What has to be asked of the storage: a scrape waits for no database.
Status Node::count_figures() {
  std::map<std::string, std::int64_t> waiting;
  for (const auto& [name, pipeline] : model_.pipelines) waiting[name] = 0;
  std::string after;
  for (std::uint32_t seen = 0; seen < most_counted; seen += page) {
    HANAPER_TRY(const std::vector<issuance::RememberedRequest> found,
                requests_->list(issuance::RequestState::pending, after, page));
    for (const issuance::RememberedRequest& request : found)
      if (const auto counted = waiting.find(request.pipeline); counted != waiting.end()) ++counted->second;
    if (found.size() < page) break;
    after = found.back().id;
  }
  for (const auto& [name, count] : waiting)
    shared_.metrics
        .gauge("hanaper_approvals_waiting", "Requests that wait until somebody approves them.",
               {{"pipeline", name}})
        .set(count);
  const auto last = last_backup();
  if (!last && last.error().code != Code::not_found) return last.error();
  shared_.metrics
      .gauge("hanaper_backup_timestamp_seconds", "When the last backup of this node was made; 0: never.")
      .set(last ? seconds_of(*last) : 0);
  return {};
}

namespace {

// No instance has such a name.
constexpr const char* backups = ".backups";

}  // namespace

Result<Time> Node::last_backup() const {
  HANAPER_TRY(const Record record, shared_.storage->records().get(backups, model_.node.name));
  HANAPER_TRY(const json::Value value, json::parse(record.data));
  return parse_time_text(value.text_at("time"));
}

Status Node::backed_up(Time at, const std::string& requester, const Call& call) {
  HANAPER_CHECK(shared_.writer->check_clock());
  const auto before = shared_.storage->records().get(backups, model_.node.name);
  if (!before && before.error().code != Code::not_found) return before.error();
  RecordWrite record;
  record.collection = backups;
  record.key = model_.node.name;
  if (before) record.expected = before->version;
  record.data = json::write(json::Value(json::Object{{"time", time_text(at)}}));
  Write write;
  write.records.push_back(std::move(record));
  write.audit =
      services::audit_line(shared_.clock.now(), "backup.made",
                           {{"backup", time_text(at)}, {"requester", requester}, {"call", call.id}});
  HANAPER_CHECK(shared_.writer->commit(write, call.deadline));
  return serving_ ? count_figures() : Status{};
}

}  // namespace hanaper
