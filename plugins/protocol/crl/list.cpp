#include "list.hpp"

#include "crl_writer.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <thread>

namespace hanaper::crl {
namespace {

// Revocations that arrive together get one CRL together.
constexpr auto settle = std::chrono::seconds{1};
constexpr auto after_failure = std::chrono::seconds{5};
constexpr auto after_conflict = std::chrono::seconds{1};
constexpr auto between_looks = std::chrono::seconds{1};
// What a revocation's time and its commit may lie apart.
constexpr auto commit_slack = std::chrono::minutes{5};

Counter& counter(Host& host, const StatusAuthority& authority, const char* name, const char* help) {
  return host.metrics().counter(name, help, {{"authority", authority.name()}});
}

}  // namespace

List::List(const Options& options, Host& host, StatusAuthority& issuer, std::uint32_t shard, List* complete,
           Place place)
    : options_(options),
      host_(host),
      issuer_(issuer),
      shard_(shard),
      complete_(complete),
      place_(std::move(place)),
      made_(counter(host, issuer, "hanaper_crls_made_total", "CRLs made.")),
      failed_(counter(host, issuer, "hanaper_crls_failed_total", "CRLs that could not be made.")),
      entries_(host.metrics().gauge("hanaper_crl_entries", "Entries of the CRL that is served.",
                                    {{"authority", issuer.name()},
                                     {"shard", shard_name(shard)},
                                     {"kind", complete ? "delta" : "complete"}})),
      next_update_(host.metrics().gauge("hanaper_crl_next_update_timestamp_seconds",
                                        "nextUpdate of the CRL that is served.",
                                        {{"authority", issuer.name()},
                                         {"shard", shard_name(shard)},
                                         {"kind", complete ? "delta" : "complete"}})),
      parts_(host.collection("lists")),
      asks_(host.collection("asks")),
      making_(complete ? complete->making_ : own_making_) {
  if (place_.of.empty()) place_.of = {&issuer_};
}

// RFC 5280 5.2.4, of what may be combined: "The CRL number of the complete CRL is equal to or greater than
// the BaseCRLNumber specified in the delta CRL."
bool List::adds_to_served(const CrlRow& row) const {
  const auto served = complete_->current();
  return served && served->row().number >= row.base;
}

// Whether no other of that second was made before it, which clients may have.
bool List::is_alone(const CrlRow& row) const {
  constexpr std::uint32_t enough = 100;
  const auto second = [](const CrlRow& any) {
    return std::chrono::floor<std::chrono::seconds>(any.this_update);
  };
  const auto rows = issuer_.crls(shard_, enough);
  if (!rows || rows->empty()) return false;
  if (std::ranges::any_of(*rows, [&](const CrlRow& other) {
        return other.number < row.number && second(other) == second(row);
      }))
    return false;
  return rows->back().number < row.number || rows->size() < enough;
}

// Whether it lacks what the ledger was told since: a restore and an import spend a number above it on a CRL
// that is over when it begins. After a restore clients may have newer ones, and would take this for the
// latest from a cache; what was imported was revoked before it was made, and no delta has it.
Result<bool> List::is_outdated(const CrlRow& row) const {
  constexpr std::uint32_t enough = 100;
  // Each list asks every second, and most have nothing above it.
  HANAPER_TRY(const std::vector<CrlRow> newest, issuer_.crls(shard_, 1));
  if (newest.empty() || newest.front().number <= row.number) return false;
  HANAPER_TRY(const std::vector<CrlRow> rows, issuer_.crls(shard_, enough));
  return std::ranges::any_of(rows, [&](const CrlRow& other) {
    return other.number > row.number && !other.hash && other.next_update <= other.this_update;
  });
}

// Metrics of what is served from now on.
void List::say(const CrlRow& row) {
  entries_.set(static_cast<std::int64_t>(row.entries));
  next_update_.set(std::chrono::floor<std::chrono::seconds>(row.next_update).time_since_epoch().count());
}

Status List::adopt() {
  HANAPER_TRY(const CrlRow row, issuer_.newest_crl(shard_, is_delta()));
  const auto served = current();
  HANAPER_TRY(const bool outdated, is_outdated(row));
  if (served && served->row().number == row.number) {
    outdated_ = outdated;
    return {};
  }
  if (outdated) return not_found("the newest CRL is of before a restore or an import");
  if (is_delta() && !adds_to_served(row))
    return not_found("the newest delta adds to a CRL that this node does not have");
  auto found = Published::open(place_.path, row, is_alone(row), due_after(row));
  if (!found) {
    HANAPER_CHECK(fetch(row));
    found = Published::open(place_.path, row, is_alone(row), due_after(row));
  }
  if (!found) return std::move(found).error();
  current_ = *std::move(found);
  named_.reset();
  // What was revoked before is on it.
  std::int64_t touched = touched_at_;
  if (row.this_update > Time{std::chrono::milliseconds{touched}})
    touched_at_.compare_exchange_strong(touched, 0);
  say(row);
  const Lock lock(mutex_);
  failure_ = {};
  return {};
}

// Best effort: a node that cannot read it makes a CRL of its own once it may.
void List::share(const Published& published, Call& call) {
  std::size_t part = 0;
  const Status shared = published.each_part(options_.part_size, [&](ByteView octets) {
    RecordWrite write;
    write.key = part_key(part++);
    if (const auto stored = parts_.get(write.key)) write.expected = stored->version;
    write.data = base64::encode(octets);
    return host_.commit({parts_.bind(std::move(write))}, call);
  });
  if (!shared)
    host_.log().warning("a CRL could not be given to other nodes",
                        {{"authority", issuer_.name()}, {"error", shared.error().detail}});
}

Status List::fetch(const CrlRow& row) {
  HANAPER_TRY(CrlWriter file, CrlWriter::create(place_.path + ".fetched"));
  crypto::Hasher hasher(crypto::Hash::sha256);
  for (std::size_t part = 0; file.size() < row.size; ++part) {
    HANAPER_TRY(const Record record, parts_.get(part_key(part)));
    HANAPER_TRY(const Bytes octets, base64::decode(record.data));
    if (octets.empty()) break;
    const std::uint64_t rest = row.size - file.size();
    HANAPER_CHECK(file.append(
        ByteView(octets).first(static_cast<std::size_t>(std::min<std::uint64_t>(rest, octets.size()))),
        &hasher));
  }
  // Where it is replaced meanwhile, the next look finds the whole of it.
  if (!row.hash || !equal(hasher.finish(), *row.hash))
    return not_found("the newest CRL is not to be had from another node");
  return file.publish(place_.path);
}

std::vector<std::string> List::distribution_points() const {
  constexpr std::size_t most = 64;
  if (place_.distribution_point.empty()) return {};
  std::vector<std::string> all{place_.distribution_point};
  for (const StatusAuthority* authority : place_.of)
    for (std::string& url : authority->crl_urls(shard_))
      if (all.size() < most && std::ranges::find(all, url) == all.end()) all.push_back(std::move(url));
  return all;
}

void List::look_at_places() {
  const auto served = current();
  std::vector<std::string> wanted = distribution_points();
  if (!served || wanted == named_) return;
  misplaced_ = !std::ranges::all_of(wanted, [&](const std::string& url) { return served->names(url); });
  if (!misplaced_) named_ = std::move(wanted);
}

// When the next one is made without any revocation.
Time List::due_after(const CrlRow& row) const {
  return row.this_update + (is_delta() ? options_.delta : options_.every);
}

bool List::is_due(Time now) const {
  const auto served = current();
  if (!served || misplaced_ || outdated_) return true;
  const Time made = served->row().this_update;
  // A clock that was put back must not keep what was made in its future.
  if (made > now + commit_slack) return true;
  if (touched_at_ != 0 && options_.on_revoke && now - made >= settle) return true;
  return now >= due_after(served->row());
}

Result<Bytes> List::der(ByteCount limit) const {
  const auto served = current();
  if (!served) return not_found("the CRL has not been made yet");
  if (served->row().size > limit.value)
    return unsupported("the CRL has " + std::to_string(served->row().size) + " octets");
  return served->der();
}

// Whether the CRL that is served may lack revocations that were made before this node watched: the node that
// was told of them may have ended before it made a CRL.
Result<bool> List::may_lack_some() const {
  const Time since = current()->row().this_update - commit_slack;
  bool found = false;
  for (StatusAuthority* authority : place_.of) {
    if (found || authority->certificate().empty()) continue;
    HANAPER_CHECK(each_revocation(*authority, shard_, [&](const RevocationRow& row) -> Result<bool> {
      found = row.at >= since;
      return !found;
    }));
  }
  return found;
}

Result<CrlRow> List::held() {
  // Whatever makes a CRL just now has looked for an earlier one before.
  if (making_.try_lock()) {
    const Lock lock(making_, std::adopt_lock);
    if (!current()) HANAPER_CHECK(adopt());
  }
  const auto served = current();
  if (!served) return not_found("the CRL has not been made yet");
  return served->row();
}

// While nothing is served.
Error List::lack(Error why) {
  const Lock lock(mutex_);
  failure_ = unavailable("there is no CRL of authority " + issuer_.name() + " here: " + why.detail);
  return why;
}

Status List::tend(Call& call) {
  if (waits()) return {};
  const Lock lock(making_);
  const Time now = host_.clock().now();
  // Not before the others have been adopted, too: that takes longer than a client wants to wait.
  if (current() && !read_back_) {
    if (options_.on_revoke && is_told()) {
      HANAPER_TRY(const bool lacking, may_lack_some());
      if (lacking) touch();
    }
    read_back_ = true;
  }
  if (!current() || now < looked_ || now - looked_ >= between_looks) {
    looked_ = now;
    Status adopted = adopt();
    if (!adopted && !current() && adopted.error().code == Code::unavailable)
      return lack(std::move(adopted).error());
  }
  look_at_places();
  if (!is_due(now) || now < not_before_) return {};
  auto made = make_locked(call);
  if (made) return {};
  if (made.error().code == Code::conflict) {  // another node is at it, or was
    not_before_ = now + after_conflict;
    if (Status adopted = adopt(); !adopted && !current()) static_cast<void>(lack(std::move(adopted).error()));
    return {};
  }
  not_before_ = now + after_failure;
  return std::move(made).error();
}

Result<CrlRow> List::make(Call& call) {
  const Lock lock(making_);
  return make_locked(call);
}

Result<CrlRow> List::make_anywhere(Call& call) {
  constexpr auto patience = std::chrono::seconds{15}, kept = std::chrono::seconds{30};
  constexpr auto step = std::chrono::milliseconds{100};
  auto made = make(call);
  if (made || made.error().code != Code::conflict) return made;
  HANAPER_TRY(const std::vector<CrlRow> before, issuer_.crls(shard_, 1));
  RecordWrite ask;
  ask.key = ask_key();
  if (const auto earlier = asks_.get(ask.key)) ask.expected = earlier->version;
  ask.expires = host_.clock().now() + kept;
  HANAPER_CHECK(host_.commit({asks_.bind(std::move(ask))}, call));
  const Deadline until = std::min(call.deadline, std::chrono::steady_clock::now() + patience);
  while (std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(step);
    const auto waiting = asks_.get(ask_key());
    if (waiting) continue;
    if (waiting.error().code != Code::not_found) return waiting.error();
    const Lock lock(making_);
    HANAPER_CHECK(adopt());
    const CrlRow& row = current()->row();
    if (before.empty() || row.number > before.front().number) return row;
    return unavailable(made.error().detail + ", and that node could not make it; its log says why");
  }
  return unavailable(made.error().detail + ", and that node has not made it within 15 s");
}

Status List::plan(Order& order) const {
  const Time now = host_.clock().now();
  order.shard = shard_;
  order.this_update = now;
  order.next_update = now + (is_delta() ? 2 * options_.delta : options_.every + options_.overlap);
  order.distribution_points = distribution_points();
  order.freshest = place_.freshest;
  order.issuer_url = place_.issuer_url;
  if (is_delta()) {
    // What this node serves, which need not be the newest that the ledger knows.
    const auto base = complete_->current();
    if (!base) return unavailable("there is no complete CRL yet that a delta could add to");
    order.base = base->row().number;
    order.changed_from = base->row().this_update - commit_slack;
    if (!options_.keep_expired) order.expired_before = base->row().this_update;
    return {};
  }
  if (options_.keep_expired) return {};
  // RFC 5280 3.3: "An entry MUST NOT be removed from the CRL until it appears on one regularly scheduled CRL
  // issued beyond the revoked certificate's validity period."
  const auto last = issuer_.newest_crl(shard_, false);
  if (!last && last.error().code != Code::not_found) return last.error();
  order.expired_before = last ? last->this_update : Time{};
  return {};
}

Result<CrlRow> List::make_locked(Call& call) {
  const std::int64_t touched = touched_at_.exchange(0);
  Order order{.issuer = issuer_, .of = place_.of, .scope = place_.scope};
  auto made = [&]() -> Result<CrlRow> {
    // Before anything is read: whoever was faster would have more on a CRL with a lower number.
    HANAPER_TRY(order.number, issuer_.claim_crl(shard_));
    HANAPER_CHECK(plan(order));
    return generate(order, place_.path, call);
  }();
  if (made) {
    if (auto opened = Published::open(place_.path, *made, is_alone(*made), due_after(*made)); !opened)
      made = std::move(opened).error();
    else
      current_ = *std::move(opened);
    if (made) misplaced_ = outdated_ = false;
    if (made) named_ = order.distribution_points;
    if (made) share(*current(), call);
  }
  const Lock lock(mutex_);
  if (made) {
    read_back_ = true;
    failure_ = {};
    made_.add();
    say(*made);
    host_.log().info("CRL made", {{"authority", issuer_.name()},
                                  {"number", std::to_string(made->number)},
                                  {"entries", std::to_string(made->entries)},
                                  {"until", time_text(made->next_update)}});
    return made;
  }
  // It is due however long ago that was, unless another came meanwhile.
  std::int64_t nothing = 0;
  touched_at_.compare_exchange_strong(nothing, std::max<std::int64_t>(touched, 1));
  if (made.error().code ==
      Code::conflict) {  // another node makes it: what failed before is that node's matter
    failure_ = {};
    return made;
  }
  failed_.add();
  const auto served = current();
  failure_ =
      unavailable("the CRL of authority " + issuer_.name() + " cannot be made: " + made.error().detail +
                  (served ? "; the last one is valid until " + time_text(served->row().next_update) : ""));
  return made;
}

// Half of the time that is left for making the next one is over.
bool List::ends_soon(Time now) const {
  const auto spare = is_delta() ? options_.delta : options_.overlap;
  return current()->row().next_update - now < spare / 2;
}

Status List::health() const {
  if (waits()) return {};  // that is said of the authority
  const auto served = current();
  const Time now = host_.clock().now();
  {
    const Lock lock(mutex_);
    if (!failure_ && (!served || ends_soon(now))) return failure_;
  }
  if (!served) return unavailable("the CRL of authority " + issuer_.name() + " has not been made yet");
  // Another node makes the CRL, and this one cannot get it.
  if (served->row().next_update > now) return {};
  return unavailable("the CRL of authority " + issuer_.name() + " was valid until " +
                     time_text(served->row().next_update) + "; there is no newer one here");
}

}  // namespace hanaper::crl
