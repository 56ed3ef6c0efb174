#include "status_authority.hpp"

#include "../services/audit.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>

namespace hanaper::validity {
namespace {

// As in the CRL's address; empty where there are no shards.
std::string shard_name(std::uint32_t shard) {
  if (shard == authority_shard) return "ca";
  return shard == 0 ? "" : std::to_string(shard);
}

}  // namespace

void NodeAuthority::attach(Context context, std::shared_ptr<const issuance::Authority> authority) {
  context_.emplace(std::move(context));
  authority_ = std::move(authority);
  if (authority_) responders_ = std::make_unique<Responders>(*context_, authority_);
}

Status NodeAuthority::attached() const {
  if (authority_) return {};
  return unavailable("authority " + name_ + " has no certificate yet; run hanaper init");
}

std::vector<std::string> NodeAuthority::crl_urls(std::uint32_t shard) const {
  return authority_ ? authority_->crl_urls(shard) : std::vector<std::string>{};
}

Result<CertificateRow> NodeAuthority::find(const Serial& serial) {
  HANAPER_CHECK(attached());
  return context_->storage.ledger().certificate(id(), serial);
}

Result<std::vector<CertificateRow>> NodeAuthority::search(CertificateQuery query) {
  HANAPER_CHECK(attached());
  query.authority = id();
  return context_->storage.ledger().search(query);
}

Result<std::vector<RevocationRow>> NodeAuthority::revocations(std::uint32_t shard, const Serial& after,
                                                              std::uint32_t limit) {
  HANAPER_CHECK(attached());
  return context_->storage.ledger().revocations(id(), shard, after, limit);
}

Result<std::vector<CrlRow>> NodeAuthority::crls(std::uint32_t shard, std::uint32_t limit) {
  HANAPER_CHECK(attached());
  return context_->storage.ledger().crls(id(), shard, limit);
}

Result<CrlRow> NodeAuthority::newest_crl(std::uint32_t shard, bool delta) {
  HANAPER_CHECK(attached());
  return context_->storage.ledger().newest_crl(id(), shard, delta);
}

std::function<void()> NodeAuthority::watch(Watcher watcher) {
  return feed_.subscribe([this, watcher = std::move(watcher)](const RevocationRow& row) {
    if (row.authority == id()) watcher(row);
  });
}

Result<std::shared_ptr<Responder>> NodeAuthority::responder(std::optional<KeyType> delegate, Call& call) {
  HANAPER_CHECK(attached());
  return responders_->find(delegate, call);
}

Result<Fence> NodeAuthority::role() { return context_->roles.hold("crl:" + name_); }

Result<std::uint64_t> NodeAuthority::claim_crl(std::uint32_t shard) {
  HANAPER_CHECK(attached());
  HANAPER_CHECK(role());
  // RFC 5280 5.2.3: complete CRLs and deltas "share one numbering sequence".
  HANAPER_TRY(const std::vector<CrlRow> last, crls(shard, 1));
  return last.empty() ? 1 : last.front().number + 1;
}

Result<CrlTicket> NodeAuthority::begin_crl(CrlRow row, Call& call) {
  HANAPER_CHECK(attached());
  row.authority = id();
  CrlTicket ticket{row, {}};
  // While it was read what is on it, another node may have got the role, and with it the number.
  HANAPER_TRY(ticket.fence, role());
  Write write;
  write.fence = ticket.fence;
  write.crl = ticket.row;
  write.audit = services::audit_line(context_->clock.now(), "crl.intent",
                                     {{"authority", name_},
                                      {"shard", shard_name(row.shard)},
                                      {"number", std::to_string(ticket.row.number)},
                                      {"base", row.base == 0 ? "" : std::to_string(row.base)},
                                      {"entries", std::to_string(row.entries)},
                                      {"this_update", time_text(row.this_update)},
                                      {"next_update", time_text(row.next_update)},
                                      {"call", call.id}});
  HANAPER_CHECK(context_->writer.commit(write, call.deadline));
  return ticket;
}

Result<Bytes> NodeAuthority::sign_crl(const CrlTicket& ticket, ByteView digest, Call&) {
  HANAPER_CHECK(attached());
  if (ticket.row.authority != id() || ticket.row.number == 0)
    return internal("the ticket is not for a CRL of authority " + name_);
  return authority_->sign_crl(digest);
}

Status NodeAuthority::finish_crl(const CrlTicket& ticket, const Fingerprint& hash, std::uint64_t size,
                                 Call& call) {
  HANAPER_CHECK(attached());
  Write write;
  write.fence = ticket.fence;
  write.crl = ticket.row;
  write.crl->hash = hash;
  write.crl->size = size;
  write.audit = services::audit_line(context_->clock.now(), "crl.signed",
                                     {{"authority", name_},
                                      {"shard", shard_name(ticket.row.shard)},
                                      {"number", std::to_string(ticket.row.number)},
                                      {"crl", to_hex(hash)},
                                      {"call", call.id}});
  return context_->writer.commit(write, call.deadline);
}

std::function<void()> NodeAuthority::offer_crl(std::uint32_t shard, CrlSource source) {
  const Lock lock(mutex_);
  crls_[shard] = std::move(source);
  return [this, shard] {
    const Lock held(mutex_);
    crls_.erase(shard);
  };
}

Result<Bytes> NodeAuthority::crl(std::uint32_t shard, ByteCount limit) {
  CrlSource source;
  {
    const Lock lock(mutex_);
    if (const auto found = crls_.find(shard); found != crls_.end()) source = found->second;
  }
  if (!source) return not_found("no CRL of authority " + name_ + " is published");
  return source(limit);
}

}  // namespace hanaper::validity
