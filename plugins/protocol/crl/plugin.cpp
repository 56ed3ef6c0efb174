// The door of protocol/crl: which lists there are, when they are tended, and what is served where.
#include "operate.hpp"

#include <hanaper/status_urls.hpp>
#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/name_match.hpp>

#include <mutex>

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
    {"split", SettingType::boolean, "false", nullptr, "list new certificates of authorities apart"},
    {"issuer", SettingType::reference, "", "authority",
     "who signs the CRLs of all the authorities in one (indirect CRLs); themselves when left out"},
    {"keep_expired", SettingType::boolean, "false", nullptr, "keep certificates that have expired"},
};

constexpr auto tick = std::chrono::milliseconds{500};

class Crl final : public Protocol, public Operable, public StatusService {
 public:
  Status configure(const Settings& settings, Host& host) override;
  Status start() override;
  void* ability(std::string_view id) override {
    if (id == StatusService::ability_id) return static_cast<StatusService*>(this);
    return id == Operable::ability_id ? static_cast<Operable*>(this) : nullptr;
  }
  std::optional<CrlPlan> crl_plan(std::string_view authority) const override;
  StatusUrls status_urls(std::string_view authority, std::uint32_t shard) const override;

  ByteCount body_limit() const override { return ByteCount{1024}; }
  Response handle(const Request& request, Call& call) override;
  bool answer_fast(const Request& request, FastReply& reply) override;
  std::span<const Operation> operations() const noexcept override { return crl::operations(); }
  Result<std::string> operate(std::string_view words, const Arguments& arguments, std::string_view,
                              Call& call) override {
    // The instance may only be configured.
    HANAPER_CHECK(files::create_folder(folder_));
    std::call_once(told_apart_, [this] { tell_namesakes_apart(); });
    HANAPER_TRY(const json::Value result, crl::operate(lists_, authorities_, words, arguments, call));
    return json::write(result);
  }

 private:
  const StatusAuthority* find_authority(std::string_view name) const;
  std::string stem_of(const StatusAuthority& issuer, std::uint32_t shard) const {
    return issuer.name() + (shard == 0 ? "" : "-" + shard_name(shard));
  }
  void add_lists(StatusAuthority& issuer, const std::vector<StatusAuthority*>& of);
  void add_shard(StatusAuthority& issuer, const std::vector<StatusAuthority*>& of, std::uint32_t shard);
  List& add(StatusAuthority& issuer, std::uint32_t shard, List* complete, const List::Place& place,
            const std::string& file);
  void tell_namesakes_apart();
  Status tend(Call& call);
  Status answer_asks(Call& call);
  const List* find(std::string_view tail) const;
  const StatusAuthority* find_certificate(std::string_view tail) const;

  Host* host_ = nullptr;
  Options options_;
  std::vector<std::uint32_t> shards_;  // those there are, 0 included
  bool split_ = false;
  std::string folder_;
  std::vector<StatusAuthority*> authorities_;  // constant once configured, as all here
  StatusAuthority* issuer_ = nullptr;          // null: themselves
  std::list<List> lists_;
  std::once_flag told_apart_;
  std::map<std::string, List*, std::less<>> files_;  // by path below the mount
  Counter* served_ = nullptr;
  Collection* asks_ = nullptr;
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
  split_ = settings.boolean("split");
  // Shard 0 holds what was issued before there were others.
  const std::int64_t last = std::max<std::int64_t>(settings.integer("shards"), split_ ? 1 : 0);
  for (std::uint32_t shard = 0; shard <= last; ++shard) shards_.push_back(shard);
  if (split_) shards_.push_back(authority_shard);
  const std::string& table = settings.table();
  folder_ = host.state_folder() + "/crl/" + table.substr(table.find('.') + 1);
  const std::vector<std::string> names = settings.texts("authorities");
  if (names.empty()) return settings.error("authorities", "at least one is needed");
  for (const std::string& name : names) authorities_.push_back(&host.authority(name));
  if (settings.has("issuer")) issuer_ = &host.authority(settings.text("issuer"));
  asks_ = &host.collection("asks");
  served_ = &host.metrics().counter("hanaper_crl_requests_total", "Requests for CRLs answered.");
  if (issuer_ != nullptr) add_lists(*issuer_, authorities_);
  for (StatusAuthority* authority : authorities_)
    if (issuer_ == nullptr) add_lists(*authority, {authority});
  for (StatusAuthority* authority : authorities_)
    host.watch(*authority, [this, authority](const RevocationRow& row) {
      for (List& list : lists_)
        if (list.is_of(*authority) && (list.shard() == row.shard || row.shard == every_shard) &&
            list.is_told())
          list.touch();
    });
  return {};
}

const StatusAuthority* Crl::find_authority(std::string_view name) const {
  const auto found = std::ranges::find(authorities_, name, &StatusAuthority::name);
  return found == authorities_.end() ? nullptr : *found;
}

std::optional<CrlPlan> Crl::crl_plan(std::string_view name) const {
  const StatusAuthority* authority = find_authority(name);
  if (authority == nullptr) return {};
  const auto last =
      std::ranges::count_if(shards_, [](std::uint32_t shard) { return shard != authority_shard; });
  return CrlPlan{.signer = issuer_ ? issuer_->name() : authority->name(),
                 .shards = static_cast<std::uint32_t>(last - 1),
                 .split = split_};
}

StatusUrls Crl::status_urls(std::string_view name, std::uint32_t shard) const {
  const StatusAuthority* authority = find_authority(name);
  // What is made for somebody else to serve is found where only that one knows.
  if (authority == nullptr || host_->public_url().empty()) return {};
  const std::string base = host_->public_url() + "/";
  StatusUrls urls;
  urls.issuer.push_back(base + authority->name() + ".cer");
  if (std::ranges::find(shards_, shard) == shards_.end()) return urls;
  const std::string list = base + stem_of(issuer_ ? *issuer_ : *authority, shard);
  urls.crl.push_back(list + ".crl");
  if (options_.delta.count() > 0) urls.delta_crl.push_back(list + "-delta.crl");
  return urls;
}

void Crl::add_lists(StatusAuthority& issuer, const std::vector<StatusAuthority*>& of) {
  for (std::uint32_t shard : shards_) add_shard(issuer, of, shard);
}

void Crl::add_shard(StatusAuthority& issuer, const std::vector<StatusAuthority*>& of, std::uint32_t shard) {
  const std::string stem = stem_of(issuer, shard);
  const std::string base = host_->public_url() + "/" + stem;
  List::Place place{.path = folder_ + "/" + stem + ".crl",
                    .distribution_point = shards_.size() > 1 || issuer_ != nullptr ? base + ".crl" : "",
                    .freshest = options_.delta.count() > 0 ? base + "-delta.crl" : "",
                    .of = of};
  if (issuer_ != nullptr) place.issuer_url = host_->public_url() + "/" + issuer.name() + ".cer";
  if (split_ && shard != 0) place.scope = shard == authority_shard ? Scope::authorities : Scope::users;
  List& complete = add(issuer, shard, nullptr, place, "/" + stem + ".crl");
  if (place.freshest.empty()) return;
  place.path = folder_ + "/" + stem + "-delta.crl";
  place.freshest.clear();
  add(issuer, shard, &complete, place, "/" + stem + "-delta.crl");
}

List& Crl::add(StatusAuthority& issuer, std::uint32_t shard, List* complete, const List::Place& place,
               const std::string& file) {
  List& list = lists_.emplace_back(options_, *host_, issuer, shard, complete, place);
  files_.emplace(file, &list);
  host_->health().check(
      "crl" + file, [&list] { return list.health(); }, Purpose::status);
  if (complete != nullptr) return list;
  for (StatusAuthority* authority : place.of)
    host_->offer_crl(*authority, shard, [&list](ByteCount limit) { return list.der(limit); });
  return list;
}

Status Crl::start() {
  HANAPER_CHECK(files::create_folder(folder_));
  std::call_once(told_apart_, [this] { tell_namesakes_apart(); });
  // What there is already is served from the first request on; what there is not, the first tick makes.
  for (List& list : lists_)
    if (list.waits())
      host_->log().warning("no CRL is made before the authority has a certificate",
                           {{"authority", list.issuer().name()}});
    else if (const auto held = list.held(); !held && held.error().code != Code::not_found)
      host_->log().warning("a CRL could not be loaded",
                           {{"path", list.path()}, {"error", held.error().detail}});
  host_->scheduler().every("crls", tick, [this](Call& call) { return tend(call); });
  return {};
}

// CRLs are found by their issuer's name. Of two authorities with one name either's complete CRL would speak
// for the other's certificates as well, unless it says whose place it has (RFC 5280 5.2.5).
void Crl::tell_namesakes_apart() {
  const auto subject = [](const StatusAuthority& authority) {
    const auto view = x509::parse_certificate(authority.certificate());
    return view ? view->subject : ByteView{};
  };
  for (List& list : lists_) {
    const StatusAuthority& issuer = list.issuer();
    if (list.has_distribution_point()) continue;
    const auto all = host_->authorities();
    const auto other = std::ranges::find_if(all, [&](const StatusAuthority* one) {
      return one != &issuer && !one->certificate().empty() && x509::same_name(subject(*one), subject(issuer));
    });
    if (other == all.end()) continue;
    if (host_->public_url().empty())
      host_->log().warning("two authorities have one name, and their CRLs no url that tells them apart",
                           {{"authority", issuer.name()}, {"other", (*other)->name()}});
    else
      list.set_distribution_point(host_->public_url() + "/" + stem_of(issuer, list.shard()) + ".crl");
  }
}

// What other nodes' operators have asked for: whoever has the right to makes it, or fails to, once.
Status Crl::answer_asks(Call& call) {
  HANAPER_TRY(const std::vector<Record> asks, asks_->find("", "", "", 100));
  Status first;
  for (const Record& ask : asks) {
    const auto list = std::ranges::find(lists_, ask.key, &List::ask_key);
    if (list == lists_.end()) continue;
    const auto made = list->make(call);
    if (!made && made.error().code == Code::conflict) continue;
    if (!made && first) first = made.error();
    RecordWrite done;
    done.key = ask.key;
    done.expected = ask.version;
    done.erase = true;
    if (Status erased = host_->commit({asks_->bind(std::move(done))}, call);
        !erased && erased.error().code != Code::conflict && first)
      first = std::move(erased);
  }
  return first;
}

Status Crl::tend(Call& call) {
  Status first = answer_asks(call);
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
  return issuer_ != nullptr && issuer_->name() == name ? issuer_ : find_authority(name);
}

bool Crl::answer_fast(const Request& request, FastReply& reply) {
  if (request.method != Method::get && request.method != Method::head) return false;
  const List* list = find(request.tail);
  const auto served = list ? list->current() : nullptr;
  if (!served) return false;
  served->send(served->answer(request, host_->clock().now()), reply);
  served_->add();
  return true;
}

Response Crl::handle(const Request& request, Call&) {
  const auto plain = [](int status, std::string text) {
    return Response{status, {{"Content-Type", "text/plain"}}, std::move(text)};
  };
  if (request.method != Method::get && request.method != Method::head)
    return plain(405, "405 Method Not Allowed\n").with("Allow", "GET, HEAD");
  if (const StatusAuthority* authority = find_certificate(request.tail);
      authority != nullptr && !authority->certificate().empty())
    return {200,
            {{"Content-Type", "application/pkix-cert"}, {"Cache-Control", "public, max-age=86400"}},
            std::string(as_text(authority->certificate()))};
  const bool pem = request.tail.ends_with(".crl.pem");
  const List* list = find(pem ? request.tail.substr(0, request.tail.size() - 4) : request.tail);
  if (list == nullptr) return plain(404, "404 Not Found\n");
  const auto served = list->current();
  if (!served) return plain(503, "the CRL has not been made yet\n").with("Retry-After", "2");
  served_->add();
  if (!pem) return served->answer(request, host_->clock().now());
  auto made = served->answer_pem(request, host_->clock().now());
  if (made) return *std::move(made);
  host_->log().warning("no CRL as PEM", {{"error", made.error().detail}});
  return plain(503, "the CRL cannot be written as PEM now\n").with("Retry-After", "60");
}

}  // namespace
}  // namespace hanaper::crl

HANAPER_PLUGIN(.kind = "protocol", .name = "crl", .version = "0.1.0", .licence = "Apache-2.0",
               .summary = "Certificate revocation lists, RFC 5280", .keys = hanaper::crl::keys,
               .key_count = std::size(hanaper::crl::keys),
               .create = hanaper::create_plugin<hanaper::crl::Crl>);
