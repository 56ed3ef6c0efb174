#include "subscription.hpp"

#include <hanaper/toolkit/crypto.hpp>

#include <algorithm>

namespace hanaper::events {
namespace {

constexpr std::uint32_t page_size = 100;
constexpr ByteCount largest_crl{16 * 1024 * 1024};
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
  using Entries = std::vector<Entry>;

  // Puts others among the entries: each behind the last that is not younger, and behind its predecessor.
  void weave(Entries others);

  Entries entries;
  std::string issued, revoked, ordered;
  bool full = false;     // there is more
  bool backlog = false;  // of certificates: nothing else was looked at
};

void Subscription::Page::weave(Entries others) {
  Entries woven;
  std::size_t taken = 0;
  for (Entry& other : others) {
    std::size_t end = taken;
    for (std::size_t i = taken; i < entries.size(); ++i)
      if (entries[i].event.at <= other.event.at) end = i + 1;
    for (; taken < end; ++taken) woven.push_back(std::move(entries[taken]));
    woven.push_back(std::move(other));
  }
  for (; taken < entries.size(); ++taken) woven.push_back(std::move(entries[taken]));
  entries = std::move(woven);
}

Subscription::Subscription(Subscriber subscriber, Context context)
    : subscriber_(std::move(subscriber)),
      context_(context),
      delivered_(
          context.metrics.counter("hanaper_events_delivered_total", "Events that were told.",
                                  {{"instance", subscriber_.instance}, {"pipeline", subscriber_.pipeline}})),
      failed_(
          context.metrics.counter("hanaper_events_failed_total", "Tries to tell an event that failed.",
                                  {{"instance", subscriber_.instance}, {"pipeline", subscriber_.pipeline}})),
      dead_(
          context.metrics.counter("hanaper_events_dead_total", "Events that became dead letters.",
                                  {{"instance", subscriber_.instance}, {"pipeline", subscriber_.pipeline}})),
      lag_(context.metrics.gauge(
          "hanaper_events_lag_seconds",
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
  auto record = context_.storage.records().get(position_collection, subscriber_.name());
  if (!record && record.error().code != Code::not_found) return std::move(record).error();
  if (record) {
    HANAPER_TRY(position_, Position::read(*record));
    return {};
  }
  Position fresh;
  if (!subscriber_.from_beginning) {
    HANAPER_TRY(fresh.issued, context_.storage.ledger().feed_cursor());
    fresh.revoked = fresh.issued;
    HANAPER_TRY(fresh.ordered, context_.outbox.last());
  }
  position_ = std::move(fresh);
  std::vector<RecordWrite> none;
  Status stored = store(fence, none);
  if (!stored) position_.reset();
  return stored;
}

bool Subscription::differs(const std::string& key, const std::string& digest) const {
  const auto told = position_->objects.find(key);
  return told == position_->objects.end() || told->second != digest;
}

// The authorities' certificates and CRLs as they are now, where they differ from what was told last. False
// when there are more than memory should hold at once.
Result<bool> Subscription::add_objects(Page& page) {
  std::size_t octets = 0;
  for (const ToldAuthority& told : subscriber_.authorities) {
    StatusAuthority& authority = *told.authority;
    if (!told.first || authority.certificate().empty()) continue;
    const std::string key = "authority/" + authority.name();
    const std::string digest = to_hex(crypto::sha256(authority.certificate()));
    if (differs(key, digest))
      page.entries.push_back({authority_certified(authority.name(), authority.certificate()), key, digest});
    for (const std::uint32_t shard : told.shards) {
      HANAPER_CHECK(add_crl(page, authority, shard));
      if (!page.entries.empty()) octets += page.entries.back().event.object.size();
      if (octets > largest_crl.value) return false;
    }
  }
  return true;
}

Status Subscription::add_crl(Page& page, StatusAuthority& authority, std::uint32_t shard) {
  const auto row = authority.newest_crl(shard, false);
  if (!row && row.error().code != Code::not_found) return row.error();
  const std::string key = "crl/" + authority.name() + "/" + std::to_string(shard);
  if (!row || !row->hash || !differs(key, to_hex(*row->hash))) return {};
  auto crl = authority.crl(shard, largest_crl);
  if (!crl && crl.error().code == Code::unsupported && std::exchange(too_large_, key) != key)
    context_.log.warning("a CRL is too large to be told of",
                         {{"authority", authority.name()}, {"error", crl.error().detail}});
  // This node may not have the newest yet; then it is told as soon as it has.
  if (!crl || crypto::sha256(*crl) != *row->hash) return {};
  page.entries.push_back({crl_made(authority.name(), *row, *std::move(crl)), key, to_hex(*row->hash)});
  return {};
}

// What was issued, and what happened beside it. The latter is read first and told behind what was issued
// before it: no revocation is told before its certificate. A backlog of certificates comes alone.
Status Subscription::add_ledger(Page& page) {
  Ledger& ledger = context_.storage.ledger();
  HANAPER_TRY(const std::vector<RevocationRow> changes, ledger.revoked_since(page.revoked, page_size));
  HANAPER_TRY(std::vector<Outbox::Ordered> ordered, context_.outbox.since(page.ordered, page_size));
  HANAPER_TRY(const std::vector<CertificateRow> rows, ledger.issued_since(page.issued, page_size));
  page.full = rows.size() == page_size || changes.size() == page_size || ordered.size() == page_size;
  page.backlog = rows.size() == page_size;
  Page happened;
  for (const CertificateRow& row : rows)
    if (const ToldAuthority* told = issuing(row.authority); told && row.pipeline == subscriber_.pipeline)
      happened.entries.push_back({certificate_issued(told->authority->name(), row)});
  if (page.backlog) {
    page.revoked = position_->revoked;
    page.ordered = position_->ordered;
  } else {
    Page::Entries revocations, documents;
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
      if (concerns(document)) documents.push_back({std::move(document.event)});
    }
    happened.weave(std::move(revocations));
    happened.weave(std::move(documents));
  }
  std::ranges::move(happened.entries, std::back_inserter(page.entries));
  return {};
}

bool Subscription::concerns(const Outbox::Ordered& document) const {
  if (!document.pipeline.empty()) return document.pipeline == subscriber_.pipeline;
  if (document.authority.empty()) return subscriber_.first;
  return std::ranges::any_of(subscriber_.authorities, [&](const ToldAuthority& told) {
    return told.first && told.authority->name() == document.authority;
  });
}

Result<Subscription::Page> Subscription::page() {
  Page page;
  page.issued = position_->issued;
  page.revoked = position_->revoked;
  page.ordered = position_->ordered;
  if (const Time now = context_.clock.now(); now >= objects_at_ || now + objects_every < objects_at_) {
    HANAPER_TRY(const bool all, add_objects(page));
    objects_at_ = all ? now + objects_every : Time{};
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
  const Time now = context_.clock.now();
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
    context_.log.error("an event could not be told and is a dead letter", {{"instance", subscriber_.instance},
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

void Subscription::show_lag() {
  const auto lag = position_->waiting ? context_.clock.now() - *position_->waiting : Time::duration{0};
  lag_.set(std::max<std::int64_t>(0, std::chrono::floor<std::chrono::seconds>(lag).count()));
}

// Writes down what is done; what could not be written comes again.
Status Subscription::remember(const Fence& fence, const Event* waiting, std::vector<RecordWrite>& dead) {
  position_->waiting = waiting ? std::optional(waiting->at) : std::nullopt;
  show_lag();
  Status stored = store(fence, dead);
  if (!stored) position_.reset();
  return stored;
}

Result<bool> Subscription::step(const Fence& fence, const std::function<bool()>& may_go_on) {
  HANAPER_CHECK(find_position(fence));
  const Time now = context_.clock.now();
  // A clock that went back must not make a pause of it.
  if (now < position_->again_at && position_->again_at <= now + longest_asked_pause) {
    show_lag();
    return false;
  }
  HANAPER_TRY(Page all, page());
  std::vector<RecordWrite> dead;
  auto stored_at = std::chrono::steady_clock::now();
  bool changed = false;
  for (Page::Entry& entry : all.entries) {
    if (!is_wanted(entry.event)) continue;
    const bool goes_on = may_go_on();
    if (!goes_on && !changed) return false;
    if (!goes_on || !tell(entry.event, dead)) {
      if (!entry.object_key.empty()) objects_at_ = {};
      HANAPER_CHECK(remember(fence, &entry.event, dead));
      return false;
    }
    changed = true;
    position_->done.insert(entry.event.id);
    if (!entry.object_key.empty()) position_->objects[entry.object_key] = entry.digest;
    if (std::chrono::steady_clock::now() < stored_at + store_every) continue;
    HANAPER_CHECK(remember(fence, &entry.event, dead));
    stored_at = std::chrono::steady_clock::now();
  }
  return finish(fence, std::move(all), changed, dead);
}

// All of the page is done: told, or not wanted.
Result<bool> Subscription::finish(const Fence& fence, Page all, bool changed,
                                  std::vector<RecordWrite>& dead) {
  for (Page::Entry& entry : all.entries) {
    if (entry.object_key.empty() || !differs(entry.object_key, entry.digest)) continue;
    position_->objects[entry.object_key] = std::move(entry.digest);
    changed = true;
  }
  changed = changed || all.issued != position_->issued || all.revoked != position_->revoked ||
            all.ordered != position_->ordered || position_->waiting.has_value();
  if (!changed) {
    show_lag();
    return false;
  }
  position_->issued = std::move(all.issued);
  position_->revoked = std::move(all.revoked);
  position_->ordered = std::move(all.ordered);
  // A backlog leaves the other cursors where they were: what is done behind them has to stay known.
  for (const Page::Entry& entry : all.entries) position_->done.erase(entry.event.id);
  if (!all.backlog) position_->done.clear();
  HANAPER_CHECK(remember(fence, nullptr, dead));
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
  HANAPER_CHECK(context_.writer.commit(write, std::chrono::steady_clock::now() + call_time));
  ++position_->version;
  return {};
}

}  // namespace hanaper::events
