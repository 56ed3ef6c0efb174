#include <hanaper/testing/fake_authority.hpp>
#include <hanaper/testing/fake_host.hpp>

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/certificate_template.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/oids.hpp>

namespace hanaper::fakes {
namespace {

class FakeResponder final : public Responder {
 public:
  FakeResponder(Bytes certificate, std::shared_ptr<Key> key, bool delegated, std::atomic<int>& signatures)
      : certificate_(std::move(certificate)),
        key_(std::move(key)),
        key_hash_(crypto::digest(crypto::Hash::sha1, x509::parse_public_key(key_->spki())->key_bits)),
        delegated_(delegated),
        not_after_(x509::parse_certificate(certificate_)->not_after),
        signatures_(signatures) {}

  ByteView certificate() const noexcept override { return certificate_; }
  bool delegated() const noexcept override { return delegated_; }
  ByteView key_hash() const noexcept override { return key_hash_; }
  Time not_after() const noexcept override { return not_after_; }
  SignatureScheme scheme() const noexcept override { return x509::default_scheme(key_->spec()); }
  Result<Bytes> sign(ByteView response_data) override {
    ++signatures_;
    return key_->sign(scheme(), response_data);
  }

 private:
  const Bytes certificate_;
  const std::shared_ptr<Key> key_;
  const Bytes key_hash_;
  const bool delegated_;
  const Time not_after_;
  std::atomic<int>& signatures_;
};

Serial serial_of(std::uint64_t number) {
  std::array<std::uint8_t, 9> octets{0x01};
  for (std::size_t i = 0; i < 8; ++i) octets[8 - i] = static_cast<std::uint8_t>(number >> (8 * i));
  return *Serial::from_magnitude(octets);
}

}  // namespace

FakeAuthority::FakeAuthority(MemoryStorage& storage, const Clock& clock, AuthorityId id, std::string name,
                             KeySpec key)
    : storage_(storage),
      clock_(clock),
      id_(id),
      name_(std::move(name)),
      key_(*crypto::SoftKey::generate(key)) {
  const auto identifier = x509::key_identifier(*x509::parse_public_key(key_->spki()));
  key_identifier_.assign(identifier.begin(), identifier.end());
  certificate_ = certify(x509::encode_name({{std::string(x509::common_name_oid), "Fake " + name_}}),
                         key_->spki(), x509::key_cert_sign | x509::crl_sign,
                         {{to_bytes(oid::basic_constraints), true, x509::basic_constraints(true, {})}},
                         clock_.now() + std::chrono::days{3650}, serial_of(1));
}

Bytes FakeAuthority::certify(ByteView subject, ByteView spki, std::uint16_t usage,
                             std::vector<x509::Extension> extensions, Time not_after, const Serial& serial) {
  const bool authority = (usage & x509::key_cert_sign) != 0;
  const x509::CertificateTemplate form(
      {.scheme = x509::default_scheme(key_->spec()),
       .issuer = x509::encode_name({{std::string(x509::common_name_oid), "Fake " + name_}}),
       .authority_key_identifier = authority ? Bytes{} : key_identifier_,
       .extensions = std::move(extensions)});
  const auto identifier = x509::key_identifier(*x509::parse_public_key(spki));
  der::Writer writer;
  form.render({.serial = serial,
               .not_before = clock_.now() - std::chrono::hours{1},
               .not_after = not_after,
               .subject = subject,
               .spki = spki,
               .key_identifier = identifier,
               .key_usage = usage,
               .names = {},
               .extensions = {}},
              writer);
  const Bytes tbs = writer.bytes();
  return x509::assemble_certificate(tbs, *key_->sign(x509::default_scheme(key_->spec()), tbs));
}

Bytes FakeAuthority::issue(std::uint64_t number, ByteView spki, std::vector<x509::Extension> extensions,
                           std::chrono::days life) {
  const Serial serial = serial_of(number);
  Bytes certificate =
      certify(x509::encode_name({{std::string(x509::common_name_oid), "fake " + std::to_string(number)}}),
              spki, x509::digital_signature, std::move(extensions), clock_.now() + life, serial);
  const auto view = x509::parse_certificate(certificate);
  if (!view) throw std::logic_error(view.error().detail);
  store(serial, view->whole, view->signature, 0, life);
  return certificate;
}

Serial FakeAuthority::add(std::uint64_t number, bool sign, std::uint32_t shard, std::chrono::days life) {
  const Serial serial = serial_of(number);
  const Bytes octets{0x30, 0x00};
  store(serial, octets, sign ? ByteView(octets) : ByteView(), shard, life);
  return serial;
}

void FakeAuthority::add(const Serial& serial) {
  const Bytes octets{0x30, 0x00};
  store(serial, octets, octets, 0, std::chrono::days{90});
}

void FakeAuthority::store(const Serial& serial, ByteView tbs, ByteView signature, std::uint32_t shard,
                          std::chrono::days life) {
  Write intent;
  intent.reservation = Reservation{.authority = id_,
                                   .serial = serial,
                                   .profile = "fake",
                                   .requester = "test",
                                   .not_before = clock_.now(),
                                   .not_after = clock_.now() + life,
                                   .shard = shard,
                                   .tbs = tbs};
  if (!commit_one(storage_, intent)) throw std::logic_error("the serial number is taken");
  Write record;
  record.recording = Recording{id_, serial, signature, clock_.now()};
  if (!signature.empty() && !commit_one(storage_, record)) throw std::logic_error("cannot be recorded");
}

void FakeAuthority::revoke(const Serial& serial, RevocationReason reason, std::optional<Time> invalidity,
                           bool tell) {
  const CertificateRow row = *storage_.certificate(id_, serial);
  Write write;
  write.revocation =
      Revocation{.authority = id_,
                 .serial = serial,
                 .shard = row.shard,
                 .reason = reason,
                 .replaces = row.released ? std::optional(RevocationReason::remove_from_crl) : row.revoked,
                 .at = clock_.now(),
                 .invalidity = invalidity,
                 .not_after = row.not_after,
                 .block_key = {}};
  if (!commit_one(storage_, write)) throw std::logic_error("cannot be revoked");
  if (!tell) return;
  for (const Watcher& watcher : watchers_)
    watcher({id_, serial, row.shard, reason, clock_.now(), invalidity, row.not_after});
}

Result<CertificateRow> FakeAuthority::find(const Serial& serial) {
  if (ledger_is_away) return unavailable("the ledger is away");
  return storage_.certificate(id_, serial);
}

Result<std::vector<CertificateRow>> FakeAuthority::search(CertificateQuery query) {
  query.authority = id_;
  return storage_.search(query);
}

Result<std::vector<RevocationRow>> FakeAuthority::revocations(std::uint32_t shard, const Serial& after,
                                                              std::uint32_t limit) {
  if (ledger_is_away) return unavailable("the ledger is away");
  auto rows = storage_.revocations(id_, shard, after, limit);
  if (const auto told = std::exchange(read, {})) told();
  return rows;
}

Result<std::vector<CrlRow>> FakeAuthority::crls(std::uint32_t shard, std::uint32_t limit) {
  if (ledger_is_away) return unavailable("the ledger is away");
  return storage_.crls(id_, shard, limit);
}

Result<CrlRow> FakeAuthority::newest_crl(std::uint32_t shard, bool delta) {
  if (ledger_is_away) return unavailable("the ledger is away");
  return storage_.newest_crl(id_, shard, delta);
}

Result<std::shared_ptr<Responder>> FakeAuthority::responder(std::optional<KeyType> delegate, Call&) {
  if (key_is_away) return unavailable("the key is away");
  const Lock lock(mutex_);
  std::shared_ptr<Responder>& known = responders_[delegate];
  if (known && known->not_after() > clock_.now()) return known;
  if (!delegate) {
    known = std::make_shared<FakeResponder>(certificate_, key_, false, signatures);
    return known;
  }
  const auto bits = static_cast<std::uint16_t>(*delegate == KeyType::rsa ? 2048 : 0);
  const std::shared_ptr<crypto::SoftKey> key = *crypto::SoftKey::generate({*delegate, bits});
  Bytes certificate = certify(
      x509::encode_name({{std::string(x509::common_name_oid), "Fake responder"}}), key->spki(),
      x509::digital_signature,
      {{to_bytes(oid::extended_key_usage), false, x509::extended_key_usage({to_bytes(oid::ocsp_signing)})},
       {to_bytes(oid::ocsp_no_check), false, Bytes{der::null, 0}}},
      clock_.now() + std::chrono::days{30}, serial_of(2));
  known = std::make_shared<FakeResponder>(std::move(certificate), key, true, signatures);
  return known;
}

SignatureScheme FakeAuthority::crl_scheme() const { return x509::default_scheme(key_->spec()); }

// Whoever has not asked for two minutes is gone.
Result<Fence> FakeAuthority::role() {
  const std::string name = "crl:" + name_;
  HANAPER_TRY(const std::vector<LeaseRow> rows, storage_.all());
  const auto found = std::ranges::find(rows, name, &LeaseRow::name);
  const bool anothers = found != rows.end() && !found->holder.empty() && found->holder != node;
  if (anothers && clock_.now() < asked_ + std::chrono::minutes{2})
    return conflict("role " + name + " is held by " + found->holder);
  asked_ = clock_.now();
  return take_lease(storage_, name, node);
}

Result<std::uint64_t> FakeAuthority::claim_crl(std::uint32_t shard) {
  HANAPER_CHECK(role());
  HANAPER_TRY(const std::vector<CrlRow> last, crls(shard, 1));
  return last.empty() ? 1 : last.front().number + 1;
}

Result<CrlTicket> FakeAuthority::begin_crl(CrlRow row, Call&) {
  row.authority = id_;
  CrlTicket ticket{row, {}};
  HANAPER_TRY(ticket.fence, role());
  Write write;
  write.fence = ticket.fence;
  write.crl = ticket.row;
  HANAPER_CHECK(commit_one(storage_, write));
  return ticket;
}

Result<Bytes> FakeAuthority::sign_crl(const CrlTicket&, ByteView digest, Call&) {
  if (key_is_away) return unavailable("the key is away");
  return crl_scheme() == SignatureScheme::ed25519 ? key_->sign(crl_scheme(), digest)
                                                  : key_->sign_digest(crl_scheme(), digest);
}

Status FakeAuthority::finish_crl(const CrlTicket& ticket, const Fingerprint& hash, std::uint64_t size,
                                 Call&) {
  Write write;
  write.fence = ticket.fence;
  write.crl = ticket.row;
  write.crl->hash = hash;
  write.crl->size = size;
  return commit_one(storage_, write);
}

}  // namespace hanaper::fakes
