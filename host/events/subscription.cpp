#include "subscription.hpp"

#include <hanaper/toolkit/crypto.hpp>

#include <algorithm>

namespace hanaper::events {
namespace {

constexpr std::uint32_t page_size = 100;
constexpr ByteCount largest_crl{64 * 1024 * 1024};
constexpr auto objects_every = std::chrono::seconds{5};
// What is done is written down at least so often, so that little comes twice after a crash.
constexpr auto store_every = std::chrono::seconds{2};

}  // namespace

// Events in the order in which they are told, and where the cursors stand when all are done.
struct Subscription::Page {
  struct Entry {
    Event event;
    std::string object_key = {};  // of Position::objects
    std::string digest = {};
  };
  std::vector<Entry> entries;
  std::string issued, revoked, ordered;
  bool full = false;     // there is more
  bool backlog = false;  // of certificates: nothing else was looked at
};

Subscription::Subscription(Subscriber subscriber, Means means)
    : subscriber_(std::move(subscriber)),
      means_(means),
      delivered_(
          means.metrics.counter("hanaper_events_delivered_total", "Events that were told.",
                                {{"instance", subscriber_.instance}, {"pipeline", subscriber_.pipeline}})),
      failed_(
          means.metrics.counter("hanaper_events_failed_total", "Tries to tell an event that failed.",
                                {{"instance", subscriber_.instance}, {"pipeline", subscriber_.pipeline}})),
      dead_(means.metrics.counter("hanaper_events_dead_total", "Events that became dead letters.",
                                  {{"instance", subscriber_.instance}, {"pipeline", subscriber_.pipeline}})),
      lag_(
          means.metrics.gauge("hanaper_events_lag_seconds",
                              "Since when the oldest event waits that is to be told, on the node that tells.",
                              {{"instance", subscriber_.instance}, {"pipeline", subscriber_.pipeline}})) {}

const ToldAuthority* Subscription::issuing(AuthorityId id) const {
  for (const ToldAuthority& told : subscriber_.authorities)
    if (told.issues && told.authority->id() == id) return &told;
  return nullptr;
}

bool Subscription::is_wanted(const Event& event) const {
  if (position_->done.contains(event.id)) return false;
  if (subscriber_.publishes && event.object.empty()) return false;
  return subscriber_.types.empty() ||
         std::ranges::find(subscriber_.types, event.type) != subscriber_.types.end();
}

// A new one begins at now, and is written down before anything is told.
Status Subscription::find_position(const Fence& fence) {
  if (position_) return {};
  auto record = means_.storage.records().get(position_collection, subscriber_.name());
  if (!record && record.error().code != Code::not_found) return std::move(record).error();
  if (record) {
    HANAPER_TRY(position_, Position::read(*record));
    return {};
  }
  Position fresh;
  if (!subscriber_.from_beginning) {
    HANAPER_TRY(fresh.issued, means_.storage.ledger().feed_cursor());
    fresh.revoked = fresh.issued;
    HANAPER_TRY(fresh.ordered, means_.outbox.last());
  }
  position_ = std::move(fresh);
  std::vector<RecordWrite> none;
  Status stored = store(fence, none);
  if (!stored) position_.reset();
  return stored;
}

// The authorities' certificates and CRLs as they are now, where they differ from what was told last.
Status Subscription::add_objects(Page& page) {
  const auto differs = [&](const std::string& key, const std::string& digest) {
    const auto told = position_->objects.find(key);
    return told == position_->objects.end() || told->second != digest;
  };
  for (const ToldAuthority& told : subscriber_.authorities) {
    StatusAuthority& authority = *told.authority;
    if (!told.first || authority.certificate().empty()) continue;
    const std::string key = "authority/" + authority.name();
    std::string digest = to_hex(crypto::sha256(authority.certificate()));
    if (differs(key, digest))
      page.entries.push_back({authority_certified(authority.name(), authority.certificate()), key, digest});
    for (const std::uint32_t shard : told.shards) {
      const std::string list = "crl/" + authority.name() + "/" + std::to_string(shard);
      const auto row = authority.newest_crl(shard, false);
      if (!row && row.error().code != Code::not_found) return row.error();
      if (!row || !row->hash || !differs(list, to_hex(*row->hash))) continue;
      auto crl = authority.crl(shard, largest_crl);
      // This node may not have the newest yet; then it is told as soon as it has.
      if (!crl || crypto::sha256(*crl) != *row->hash) continue;
      page.entries.push_back({crl_made(authority.name(), *row, *std::move(crl)), list, to_hex(*row->hash)});
    }
  }
  return {};
}

// What was issued and what was revoked. What was revoked is read first and told behind what was issued
// before it: no revocation is told before its certificate.
Status Subscription::add_ledger(Page& page) {
  Ledger& ledger = means_.storage.ledger();
  HANAPER_TRY(const std::vector<RevocationRow> changes, ledger.revoked_since(page.revoked, page_size));
  HANAPER_TRY(std::vector<Outbox::Ordered> ordered, means_.outbox.since(page.ordered, page_size));
  HANAPER_TRY(const std::vector<CertificateRow> rows, ledger.issued_since(page.issued, page_size));
  std::vector<Page::Entry> entries;
  for (const CertificateRow& row : rows)
    if (const ToldAuthority* told = issuing(row.authority); told && row.pipeline == subscriber_.pipeline)
      entries.push_back({certificate_issued(told->authority->name(), row)});
  page.full = rows.size() == page_size || changes.size() == page_size || ordered.size() == page_size;
  page.backlog = rows.size() == page_size;
  if (page.backlog) {
    page.revoked = position_->revoked;
    page.ordered = position_->ordered;
    std::ranges::move(entries, std::back_inserter(page.entries));
    return {};
  }
  // Each of the others goes behind the last certificate that is not younger, and behind its predecessor.
  const auto merge = [&](std::vector<Page::Entry> others) {
    std::vector<Page::Entry> merged;
    std::size_t taken = 0;
    for (Page::Entry& other : others) {
      std::size_t end = taken;
      for (std::size_t i = taken; i < entries.size(); ++i)
        if (entries[i].event.at <= other.event.at) end = i + 1;
      for (; taken < end; ++taken) merged.push_back(std::move(entries[taken]));
      merged.push_back(std::move(other));
    }
    for (; taken < entries.size(); ++taken) merged.push_back(std::move(entries[taken]));
    entries = std::move(merged);
  };
  std::vector<Page::Entry> revocations, documents;
  for (const RevocationRow& change : changes) {
    const ToldAuthority* told = issuing(change.authority);
    if (told == nullptr) continue;
    const auto row = ledger.certificate(change.authority, change.serial);
    if (!row && row.error().code != Code::not_found) return row.error();
    if (row && row->pipeline == subscriber_.pipeline)
      revocations.push_back({certificate_revoked(told->authority->name(), *row, change)});
  }
  for (Outbox::Ordered& document : ordered) {
    page.ordered = document.number;
    const bool mine =
        !document.pipeline.empty() ? document.pipeline == subscriber_.pipeline
        : !document.authority.empty()
            ? std::ranges::any_of(subscriber_.authorities,
                                  [&](const ToldAuthority& told) {
                                    return told.first && told.authority->name() == document.authority;
                                  })
            : subscriber_.first;
    if (mine) documents.push_back({std::move(document.event)});
  }
  merge(std::move(revocations));
  merge(std::move(documents));
  std::ranges::move(entries, std::back_inserter(page.entries));
  return {};
}

Result<Subscription::Page> Subscription::page() {
  Page page;
  page.issued = position_->issued;
  page.revoked = position_->revoked;
  page.ordered = position_->ordered;
  if (const Time now = means_.clock.now(); now >= objects_at_ || now + objects_every < objects_at_) {
    HANAPER_CHECK(add_objects(page));
    objects_at_ = now + objects_every;
  }
  HANAPER_CHECK(add_ledger(page));
  return page;
}

Status Subscription::send(const Event& event) const {
  Call call{crypto::random_name(9), std::chrono::steady_clock::now() + call_time};
  return subscriber_.deliver(event, call);
}

void Subscription::put_off(const Error& error, Time now) {
  if (!position_->failing_since) position_->failing_since = now;
  const std::uint32_t doublings = std::min<std::uint32_t>(position_->tries++, 10);
  const auto grown = std::min(first_pause * (1u << doublings), longest_pause);
  const auto asked = std::min(error.retry_after.value_or(std::chrono::seconds{0}), longest_asked_pause);
  position_->again_at = now + std::max(grown, asked);
  position_->error = error.detail.substr(0, 500);
}

bool Subscription::tell(const Event& event, std::vector<RecordWrite>& dead) {
  const Status told = send(event);
  const Time now = means_.clock.now();
  if (told) {
    delivered_.add();
  } else {
    failed_.add();
    const Error& error = told.error();
    const bool later = error.code == Code::unavailable || error.code == Code::rate_limited;
    if (later) {
      put_off(error, now);
      if (now < std::max(event.at, *position_->failing_since) + patience) return false;
    }
    dead_.add();
    means_.log.error("an event could not be told and is a dead letter", {{"instance", subscriber_.instance},
                                                                         {"pipeline", subscriber_.pipeline},
                                                                         {"event", event.id},
                                                                         {"error", error.detail}});
    dead.push_back(dead_letter(event, error));
    if (later) return true;  // the receiver is as far away as before
  }
  position_->failing_since.reset();
  position_->again_at = {};
  position_->tries = 0;
  position_->error.clear();
  return true;
}

Result<bool> Subscription::step(const Fence& fence, const std::function<bool()>& may_go_on) {
  HANAPER_CHECK(find_position(fence));
  const Time now = means_.clock.now();
  // A clock that went back must not make a pause of it.
  if (now < position_->again_at && position_->again_at <= now + longest_asked_pause) {
    if (position_->waiting)
      lag_.set(std::chrono::duration_cast<std::chrono::seconds>(now - *position_->waiting).count());
    return false;
  }
  HANAPER_TRY(Page all, page());
  std::vector<RecordWrite> dead;
  auto stored_at = std::chrono::steady_clock::now();
  bool changed = false;
  const auto remember = [&](const Event* waiting) -> Status {
    position_->waiting = waiting ? std::optional(waiting->at) : std::nullopt;
    lag_.set(
        waiting
            ? std::max<std::int64_t>(
                  0,
                  std::chrono::duration_cast<std::chrono::seconds>(means_.clock.now() - waiting->at).count())
            : 0);
    Status stored = store(fence, dead);
    if (!stored) position_.reset();  // whatever was not stored comes again
    return stored;
  };
  for (Page::Entry& entry : all.entries) {
    if (!is_wanted(entry.event)) continue;
    const bool goes_on = may_go_on();
    if (!goes_on && !changed) return false;
    if (!goes_on || !tell(entry.event, dead)) {
      if (!entry.object_key.empty()) objects_at_ = {};
      HANAPER_CHECK(remember(&entry.event));
      return false;
    }
    changed = true;
    position_->done.insert(entry.event.id);
    if (!entry.object_key.empty()) position_->objects[entry.object_key] = entry.digest;
    if (std::chrono::steady_clock::now() < stored_at + store_every) continue;
    HANAPER_CHECK(remember(&entry.event));
    stored_at = std::chrono::steady_clock::now();
  }
  for (const Page::Entry& entry : all.entries)  // what is not wanted is done as well
    if (!entry.object_key.empty()) {
      changed = changed || position_->objects[entry.object_key] != entry.digest;
      position_->objects[entry.object_key] = entry.digest;
    }
  changed = changed || all.issued != position_->issued || all.revoked != position_->revoked ||
            all.ordered != position_->ordered || position_->waiting.has_value();
  if (!changed) {
    lag_.set(0);
    return false;
  }
  position_->issued = std::move(all.issued);
  position_->revoked = std::move(all.revoked);
  position_->ordered = std::move(all.ordered);
  // A backlog leaves the other cursors where they were: what is done behind them has to stay known.
  for (const Page::Entry& entry : all.entries) position_->done.erase(entry.event.id);
  if (!all.backlog) position_->done.clear();
  HANAPER_CHECK(remember(nullptr));
  return all.full;
}

Status Subscription::store(const Fence& fence, std::vector<RecordWrite>& with) {
  Write write;
  write.fence = fence;
  write.records = std::exchange(with, {});
  RecordWrite position;
  position.collection = position_collection;
  position.key = subscriber_.name();
  position.expected = position_->version;
  position.data = position_->write();
  write.records.push_back(std::move(position));
  HANAPER_CHECK(means_.writer.commit(write, std::chrono::steady_clock::now() + call_time));
  ++position_->version;
  return {};
}

}  // namespace hanaper::events
