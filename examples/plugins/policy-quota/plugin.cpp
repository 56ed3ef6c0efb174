// The door of policy/quota: so many certificates for each requester and day (UTC).
//
// What has been used is a document for each requester and day, so that it outlives a restart and counts over
// all nodes.
#include <hanaper/host.hpp>
#include <hanaper/toolkit/crypto.hpp>

#include <algorithm>
#include <charconv>

namespace {

using hanaper::Draft;
using hanaper::Record;
using hanaper::Result;
using hanaper::Status;

constexpr hanaper::SettingKey keys[] = {
    {"limit", hanaper::SettingType::integer, "10", "1..1000000", "certificates for each requester and day"},
    {"exempt", hanaper::SettingType::texts, "[]", nullptr,
     "requesters without limit; one that ends in * is a prefix"},
    {"special", hanaper::SettingType::tables, "", "1..100",
     "limits of some requesters; the first that fits counts"},
    {"special.requester", hanaper::SettingType::text, nullptr, nullptr,
     "who; one that ends in * is a prefix"},
    {"special.limit", hanaper::SettingType::integer, nullptr, "0..1000000",
     "certificates for each of them and day"},
};

// Requests of one requester that come at the same moment take turns; so many turns are enough for anybody.
constexpr int turns = 32;

class Quota final : public hanaper::Policy {
 public:
  Status configure(const hanaper::Settings& settings, hanaper::Host& host) override {
    limit_ = static_cast<std::uint64_t>(settings.integer("limit"));
    exempt_ = settings.texts("exempt");
    for (const hanaper::Settings& one : settings.tables("special"))
      special_.push_back({one.text("requester"), static_cast<std::uint64_t>(one.integer("limit"))});
    host_ = &host;
    used_ = &host.collection("used");
    refused_ = &host.metrics().counter("hanaper_quota_refused_total",
                                       "Requests refused because the day's quota is used up.");
    return {};
  }

  Status decide(Draft& draft, hanaper::Call& call) override {
    if (exempts(draft.requester)) return {};
    const std::uint64_t limit = limit_of(draft.requester);
    const hanaper::Time now = host_->clock().now();
    const auto today = std::chrono::floor<std::chrono::days>(now);
    const auto tomorrow = today + std::chrono::days{1};
    const std::string key = std::to_string(today.time_since_epoch().count()) + "-" +
                            hanaper::to_hex(hanaper::crypto::sha256(hanaper::as_bytes(draft.requester)));
    for (int turn = 0; turn < turns; ++turn) {
      HANAPER_TRY(const Record record, used(key));
      std::uint64_t count = 0;
      std::from_chars(record.data.data(), record.data.data() + record.data.size(), count);
      if (count >= limit)
        return refuse(draft, limit, std::chrono::ceil<std::chrono::seconds>(tomorrow - now));
      // Without a key somebody only asks whether he may: that costs nothing.
      if (draft.spki.empty()) return {};
      hanaper::RecordWrite write;
      write.key = key;
      write.expected = record.version;
      write.expires = tomorrow;
      write.data = std::to_string(count + 1);
      const Status written = host_->commit({used_->bind(std::move(write))}, call);
      if (written || written.error().code != hanaper::Code::conflict) return written;
    }
    return hanaper::unavailable("too many requests of one requester at the same moment");
  }

 private:
  struct Special {
    std::string requester;
    std::uint64_t limit;
  };

  static bool fits(std::string_view pattern, std::string_view requester) {
    const bool prefix = pattern.ends_with('*');
    if (prefix) pattern.remove_suffix(1);
    return prefix ? requester.starts_with(pattern) : requester == pattern;
  }
  bool exempts(std::string_view requester) const {
    return std::any_of(exempt_.begin(), exempt_.end(),
                       [&](const std::string& pattern) { return fits(pattern, requester); });
  }
  std::uint64_t limit_of(std::string_view requester) const {
    for (const Special& special : special_)
      if (fits(special.requester, requester)) return special.limit;
    return limit_;
  }

  // The document, or an empty one of version 0 that commit takes as new.
  Result<Record> used(std::string_view key) const {
    auto record = used_->get(key);
    if (!record && record.error().code == hanaper::Code::not_found) return Record{};
    return record;
  }

  Status refuse(const Draft& draft, std::uint64_t limit, std::chrono::seconds until_tomorrow) {
    refused_->add();
    return hanaper::Error{
        hanaper::Code::rate_limited,
        std::string(draft.requester) + " has used up its " + std::to_string(limit) + " certificates of today",
        until_tomorrow};
  }

  // Constant after configure.
  std::uint64_t limit_ = 0;
  std::vector<std::string> exempt_;
  std::vector<Special> special_;
  hanaper::Host* host_ = nullptr;
  hanaper::Collection* used_ = nullptr;
  hanaper::Counter* refused_ = nullptr;
};

}  // namespace

HANAPER_PLUGIN(.kind = "policy", .name = "quota", .version = "1.0.0", .licence = "Apache-2.0",
               .summary = "limits the certificates of each requester and day", .keys = keys,
               .key_count = std::size(keys), .create = hanaper::create_plugin<Quota>);
