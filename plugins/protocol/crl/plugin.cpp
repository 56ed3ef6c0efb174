// The door of protocol/crl: which lists there are, when they are tended, and what is served where.
#include "list.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/json.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <list>

namespace hanaper::crl {
namespace {

constexpr SettingKey keys[] = {
    {"authorities", SettingType::references, nullptr, "authority", "whose CRLs are made and served"},
    {"every", SettingType::duration, "1d", "1m..1y", "how often a CRL is made at the least"},
    {"overlap", SettingType::duration, "3d", "1m..1y", "how long a CRL stays valid after the next is due"},
    {"on_revoke", SettingType::boolean, "true", nullptr, "make one soon after each revocation, too"},
    {"delta", SettingType::duration, "", "1m..30d", "how often a delta CRL is made; none when left out"},
    {"shards", SettingType::integer, "0", "0..1024",
     "over how many CRLs new certificates are spread; may be raised later"},
    {"keep_expired", SettingType::boolean, "false", nullptr, "keep certificates that have expired"},
};

constexpr auto tick = std::chrono::milliseconds{500};

class Crl final : public Protocol, public Operable {
 public:
  Status configure(const Settings& settings, Host& host) override;
  Status start() override;
  void* ability(std::string_view id) override {
    return id == Operable::ability_id ? static_cast<Operable*>(this) : nullptr;
  }

  ByteCount body_limit() const override { return ByteCount{1024}; }
  Response handle(const Request& request, Call& call) override;
  bool answer_fast(const Request& request, FastReply& reply) override;
  Result<std::string> operate(std::string_view command, const std::vector<std::string>& words,
                              Call& call) override;

 private:
  void add_lists(StatusAuthority& authority, std::uint32_t shard);
  List& add(StatusAuthority& authority, std::uint32_t shard, bool delta, const List::Place& place,
            const std::string& file);
  Status tend(Call& call);
  const List* find(std::string_view tail) const;
  const StatusAuthority* find_certificate(std::string_view tail) const;
  Result<json::Value> generate(const std::vector<std::string>& words, Call& call);
  Result<json::Value> show(const std::vector<std::string>& words);

  Host* host_ = nullptr;
  Options options_;
  std::uint32_t shards_ = 0;
  std::string folder_;
  std::vector<StatusAuthority*> authorities_;  // constant once configured, as all below
  std::list<List> lists_;
  std::map<std::string, List*, std::less<>> files_;  // by path below the mount
  Counter* served_ = nullptr;
};

Status Crl::configure(const Settings& settings, Host& host) {
  host_ = &host;
  options_.every = settings.duration("every");
  options_.overlap = settings.duration("overlap");
  options_.on_revoke = settings.boolean("on_revoke");
  options_.keep_expired = settings.boolean("keep_expired");
  if (settings.has("delta")) options_.delta = settings.duration("delta");
  if (options_.delta >= options_.every)
    return settings.error("delta", "must be shorter than every, which makes the CRLs that deltas add to");
  shards_ = static_cast<std::uint32_t>(settings.integer("shards"));
  const std::string table = settings.table();
  folder_ = host.state_folder() + "/crl/" + table.substr(table.find('.') + 1);
  const std::vector<std::string> names = settings.texts("authorities");
  if (names.empty()) return settings.error("authorities", "at least one is needed");
  for (const std::string& name : names) authorities_.push_back(&host.authority(name));
  served_ = &host.metrics().counter("hanaper_crl_requests_total", "Requests for CRLs answered.");
  for (StatusAuthority* authority : authorities_) {
    // Shard 0 holds what was issued before there were shards.
    for (std::uint32_t shard = 0; shard <= shards_; ++shard) add_lists(*authority, shard);
    authority->watch([this, authority](const RevocationRow& row) {
      for (List& list : lists_)
        if (&list.authority() == authority && list.shard() == row.shard &&
            list.is_delta() == (options_.delta.count() > 0))
          list.touch();
    });
  }
  return {};
}

void Crl::add_lists(StatusAuthority& authority, std::uint32_t shard) {
  const std::string stem = authority.name() + (shard == 0 ? "" : "-" + std::to_string(shard));
  const std::string base = host_->public_url() + "/" + stem;
  List::Place place{folder_ + "/" + stem + ".crl", shards_ > 0 ? base + ".crl" : "", ""};
  if (options_.delta.count() > 0) place.freshest = base + "-delta.crl";
  add(authority, shard, false, place, "/" + stem + ".crl");
  if (place.freshest.empty()) return;
  place.path = folder_ + "/" + stem + "-delta.crl";
  place.freshest.clear();
  add(authority, shard, true, place, "/" + stem + "-delta.crl");
}

List& Crl::add(StatusAuthority& authority, std::uint32_t shard, bool delta, const List::Place& place,
               const std::string& file) {
  List& list = lists_.emplace_back(options_, *host_, authority, shard, delta, place);
  files_.emplace(file, &list);
  host_->health().check("crl" + file, [&list] { return list.health(); });
  return list;
}

Status Crl::start() {
  for (const StatusAuthority* authority : authorities_)
    if (authority->certificate().empty())
      return unavailable("authority " + authority->name() + " has no certificate yet; run hanaper init");
  HANAPER_CHECK(files::create_folder(folder_));
  host_->scheduler().every("crls", tick, [this](Call& call) { return tend(call); });
  return {};
}

Status Crl::tend(Call& call) {
  Status first;
  for (List& list : lists_)
    if (Status tended = list.tend(call); !tended && first) first = std::move(tended);
  return first;
}

const List* Crl::find(std::string_view tail) const {
  const auto found = files_.find(tail);
  return found == files_.end() ? nullptr : found->second;
}

// "/NAME.cer", where the certificates' caIssuers points (RFC 5280 4.2.2.1).
const StatusAuthority* Crl::find_certificate(std::string_view tail) const {
  if (!tail.starts_with('/') || !tail.ends_with(".cer")) return nullptr;
  const std::string_view name = tail.substr(1, tail.size() - 5);
  const auto found = std::ranges::find(authorities_, name, &StatusAuthority::name);
  return found == authorities_.end() ? nullptr : *found;
}

bool Crl::answer_fast(const Request& request, FastReply& reply) {
  if (request.method != Method::get && request.method != Method::head) return false;
  const List* list = find(request.tail);
  const auto served = list ? list->current() : nullptr;
  if (!served || served->row().size > Published::fast_limit) return false;
  Published::Answer answer = served->answer(request, host_->clock().now());
  std::string head = serialise_head(answer.response);
  // The length of a body that is not in the response.
  if (const std::size_t at = head.find("Content-Length: 0\r\n"); at != std::string::npos)
    head.replace(at + 16, 1, std::to_string(answer.body.size()));
  reply.send(head, answer.body);
  served_->add();
  return true;
}

Response Crl::handle(const Request& request, Call&) {
  const auto plain = [](int status, std::string text) {
    return Response{status, {{"Content-Type", "text/plain"}}, std::move(text)};
  };
  if (request.method != Method::get && request.method != Method::head)
    return plain(405, "405 Method Not Allowed\n").with("Allow", "GET, HEAD");
  if (const StatusAuthority* authority = find_certificate(request.tail))
    return {200,
            {{"Content-Type", "application/pkix-cert"}, {"Cache-Control", "public, max-age=86400"}},
            std::string(as_text(authority->certificate()))};
  const bool pem = request.tail.ends_with(".crl.pem");
  const List* list = find(pem ? request.tail.substr(0, request.tail.size() - 4) : request.tail);
  if (list == nullptr) return plain(404, "404 Not Found\n");
  const auto served = list->current();
  if (!served) return plain(503, "the CRL has not been made yet\n").with("Retry-After", "2");
  served_->add();
  if (pem) return {200, {{"Content-Type", "application/x-pem-file"}}, pem::encode("X509 CRL", served->der())};
  Published::Answer answer = served->answer(request, host_->clock().now());
  answer.response.body = as_text(answer.body);
  return std::move(answer.response);
}

json::Object describe(const List& list, const CrlRow& row) {
  json::Object object{{"authority", list.authority().name()},
                      {"shard", std::int64_t{row.shard}},
                      {"kind", row.base == 0 ? "complete" : "delta"},
                      {"number", static_cast<std::int64_t>(row.number)},
                      {"entries", static_cast<std::int64_t>(row.entries)},
                      {"size", static_cast<std::int64_t>(row.size)},
                      {"this_update", time_text(row.this_update)},
                      {"next_update", time_text(row.next_update)},
                      {"path", list.path()}};
  if (row.base != 0) object.emplace_back("base", static_cast<std::int64_t>(row.base));
  if (row.hash) object.emplace_back("sha256", to_hex(*row.hash));
  return object;
}

Result<json::Value> Crl::generate(const std::vector<std::string>& words, Call& call) {
  HANAPER_CHECK(files::create_folder(folder_));
  json::Array made;
  for (List& list : lists_) {
    if (!words.empty() && words.front() != list.authority().name()) continue;
    HANAPER_TRY(const CrlRow row, list.make(call));
    made.emplace_back(describe(list, row));
  }
  return json::Value(std::move(made));
}

// The newest of each list that was completed.
Result<json::Value> Crl::show(const std::vector<std::string>& words) {
  json::Array rows;
  for (List& list : lists_) {
    if (!words.empty() && words.front() != list.authority().name()) continue;
    HANAPER_TRY(const std::vector<CrlRow> known, list.authority().crls(list.shard(), 1000));
    const auto newest = std::ranges::find_if(
        known, [&](const CrlRow& row) { return row.hash && (row.base != 0) == list.is_delta(); });
    if (newest != known.end()) rows.emplace_back(describe(list, *newest));
  }
  return json::Value(std::move(rows));
}

Result<std::string> Crl::operate(std::string_view command, const std::vector<std::string>& words,
                                 Call& call) {
  if (!words.empty() &&
      std::ranges::find(authorities_, words.front(), &StatusAuthority::name) == authorities_.end())
    return std::string("[]");
  if (command == "generate") {
    HANAPER_TRY(const json::Value made, generate(words, call));
    return json::write(made);
  }
  if (command == "list") {
    HANAPER_TRY(const json::Value rows, show(words));
    return json::write(rows);
  }
  return unsupported("there is no command \"" + std::string(command) + "\"");
}

}  // namespace
}  // namespace hanaper::crl

HANAPER_PLUGIN(.kind = "protocol", .name = "crl", .version = "0.1.0", .licence = "Apache-2.0",
               .summary = "Certificate revocation lists, RFC 5280", .keys = hanaper::crl::keys,
               .key_count = std::size(hanaper::crl::keys), .capabilities = "crl shards delta",
               .create = hanaper::create_plugin<hanaper::crl::Crl>);
