#include <hanaper/testing/fake_host.hpp>

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/certificate_template.hpp>
#include <hanaper/toolkit/cms.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/oids.hpp>

#include <algorithm>

namespace hanaper::fakes {

void RecordingLog::write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  constexpr std::string_view levels[] = {"debug", "info", "warning", "error"};
  std::string line = std::string(levels[static_cast<std::size_t>(level)]) + " " + std::string(message);
  for (const LogField& field : fields) line += " " + std::string(field.name) + "=" + field.value;
  const Lock lock(mutex_);
  lines_.push_back(std::move(line));
}

std::vector<std::string> RecordingLog::lines() const {
  const Lock lock(mutex_);
  return lines_;
}

FakeMetrics::Key FakeMetrics::key(std::string_view name, const std::vector<Label>& labels) {
  std::vector<std::string> values;
  for (const Label& label : labels) values.push_back(label.value);
  return {std::string(name), std::move(values)};
}
Counter& FakeMetrics::counter(std::string_view name, std::string_view, std::vector<Label> labels) {
  return counters_[key(name, labels)];
}
Gauge& FakeMetrics::gauge(std::string_view name, std::string_view, std::vector<Label> labels) {
  return gauges_[key(name, labels)];
}
Histogram& FakeMetrics::histogram(std::string_view name, std::string_view, std::vector<Label> labels) {
  return histograms_[key(name, labels)];
}
std::uint64_t FakeMetrics::value(std::string_view name, std::vector<std::string> labels) const {
  const auto found = counters_.find({std::string(name), std::move(labels)});
  return found == counters_.end() ? 0 : found->second.value();
}

Status FakeScheduler::run_waiting() {
  Status first;
  while (!waiting.empty()) {
    const Job job = std::move(waiting.front().second);
    waiting.pop_front();
    Call call = test_call();
    if (Status status = job(call); !status && first) first = std::move(status);
  }
  return first;
}

Result<OutboundAnswer> FakeOutbound::get(const OutboundRequest& request, Call&) {
  asked.push_back(request);
  if (!answer) return unavailable(request.host + ": connection refused");
  return answer(request);
}

Result<OutboundAnswer> FakeOutbound::send(const OutboundMessage& message, Call&) {
  if (!answer_send) return unavailable(message.url + ": connection refused");
  return answer_send(message);
}

Result<HandshakeAnswer> FakeOutbound::handshake(const OutboundHandshake& request, Call&) {
  if (!shake) return unavailable(request.host + ": connection refused");
  return shake(request);
}

Result<std::vector<Bytes>> FakeOutbound::records(const std::string& name, DnsType type, Call&) {
  if (!look_up) return unavailable("dns: no answer for " + name + " in time");
  return look_up(name, type);
}

Status commit_one(Storage& storage, Write& write) {
  HANAPER_TRY(const WriterState state, storage.ledger().writer("test"));
  Write* writes[] = {&write};
  Batch batch;
  batch.node = "test";
  batch.number = state.number + 1;
  crypto::random(batch.token);
  batch.writes = writes;
  return storage.commit(batch);
}

Result<Fence> take_lease(Leases& leases, std::string_view name, std::string_view holder) {
  HANAPER_TRY(const std::vector<LeaseRow> rows, leases.all());
  const auto found = std::ranges::find(rows, name, &LeaseRow::name);
  LeaseRow seen;
  seen.name = name;
  if (found != rows.end()) seen = *found;
  if (seen.holder == holder) return Fence{seen.name, seen.epoch};
  HANAPER_TRY(const std::uint64_t epoch, leases.take(seen, holder));
  return Fence{seen.name, epoch};
}

namespace {

Serial new_serial() {
  std::array<std::uint8_t, 16> octets;
  crypto::random(octets);
  octets[0] = 0x01;
  return *Serial::from_magnitude(octets);
}

}  // namespace

FakePipeline::FakePipeline(MemoryStorage& storage, const Clock& clock)
    : storage_(storage), clock_(clock), key_(*crypto::SoftKey::generate({KeyType::ec_p256, 0})) {
  const Bytes name = x509::encode_name({{"2.5.4.3", "Fake"}});
  certificate_ = sign(
      draw_up(*Serial::from_text("01"), name, key_->spki(), x509::key_cert_sign, {}, *validity({}, {}, {})));
}

Bytes FakePipeline::draw_up(const Serial& serial, ByteView subject, ByteView spki, std::uint16_t usage,
                            std::span<const Identifier> names, const ValidityPeriod& period) const {
  const x509::CertificateTemplate form({.scheme = SignatureScheme::ecdsa_sha256,
                                        .issuer = x509::encode_name({{"2.5.4.3", "Fake"}}),
                                        .authority_key_identifier = {},
                                        .extensions = {}});
  const auto key = x509::parse_public_key(spki);
  if (!key) throw std::logic_error(key.error().detail);
  const auto identifier = x509::key_identifier(*key);
  der::Writer writer;
  form.render({.serial = serial,
               .not_before = period.not_before,
               .not_after = period.not_after,
               .subject = subject,
               .spki = spki,
               .key_identifier = identifier,
               .key_usage = usage,
               .names = names,
               .extensions = {}},
              writer);
  return writer.bytes();
}

Bytes FakePipeline::sign(ByteView tbs) const {
  return x509::assemble_certificate(tbs, *key_->sign(SignatureScheme::ecdsa_sha256, tbs));
}

// An RSA key made when it is first wanted; the certificate is in the ledger like the host's.
class FakePipeline::FakeRegistrar final : public Registrar {
 public:
  FakeRegistrar(std::shared_ptr<crypto::SoftKey> key, Bytes certificate, Time not_after)
      : key_(std::move(key)), certificate_(std::move(certificate)), not_after_(not_after) {}
  ByteView certificate() const noexcept override { return certificate_; }
  ByteView spki() const noexcept override { return key_->spki(); }
  Time not_after() const noexcept override { return not_after_; }
  Result<Bytes> sign(SignatureScheme scheme, ByteView signed_attributes) override {
    return key_->sign(scheme, signed_attributes);
  }
  Result<Secret> decrypt(ByteView ciphertext) override { return key_->decrypt(ciphertext); }

 private:
  const std::shared_ptr<crypto::SoftKey> key_;
  const Bytes certificate_;
  const Time not_after_;
};

Result<std::shared_ptr<Registrar>> FakePipeline::registrar(Call&) {
  if (registrar_) return registrar_;
  HANAPER_TRY(const std::shared_ptr<crypto::SoftKey> key, crypto::SoftKey::generate({KeyType::rsa, 2048}));
  const Bytes name = x509::encode_name({{"2.5.4.3", "Registrar"}});
  registrar_ = std::make_shared<FakeRegistrar>(
      key,
      sign(draw_up(new_serial(), name, key->spki(), x509::digital_signature | x509::key_encipherment, {},
                   *validity({}, {}, {}))),
      clock_.now() + std::chrono::days{90});
  return registrar_;
}

Status FakePipeline::commit(Write& write) { return commit_one(storage_, write); }

Result<Issued> FakePipeline::issue(const IssueRequest& request, Call&) {
  if (before_issuing) HANAPER_CHECK(before_issuing(request));
  HANAPER_TRY(const x509::CsrView csr, x509::parse_csr(request.csr));
  HANAPER_CHECK(x509::verify_csr(csr, request.sha1));
  std::vector<Identifier> names;
  if (const auto* extension = csr.find(oid::subject_alt_name)) {
    HANAPER_TRY(x509::GeneralNames parsed, x509::parse_general_names(extension->value));
    names = std::move(parsed.names);
  }
  if (request.names) {
    std::vector<Identifier> wanted = *request.names;
    std::ranges::sort(wanted);
    std::ranges::sort(names);
    if (wanted != names) return bad_csr("the request names something else");
  }
  HANAPER_CHECK(x509::parse_public_key(csr.spki));
  if (const auto before = asked_once_.find(request.once); before != asked_once_.end()) {
    const auto& [info, id] = before->second;
    if (info != to_bytes(csr.info)) return conflict("another request was made under this name before");
    HANAPER_TRY(CertificateStatus known, status(id));
    if (const Status current = check_current(known.row, clock_.now(), "the certificate"); !current)
      return forbidden(current.error().detail);
    return Issued{.authority = id.authority,
                  .serial = id.serial,
                  .certificate = std::move(known.certificate),
                  .chain = {},
                  .not_before = known.row.not_before,
                  .not_after = known.row.not_after};
  }
  HANAPER_TRY(const ValidityPeriod period, validity({}, request.not_before, request.not_after));
  const Serial serial = new_serial();
  const Time now = std::chrono::floor<std::chrono::seconds>(clock_.now());
  const Bytes tbs = draw_up(serial, csr.subject, csr.spki, x509::digital_signature, names, period);

  const std::string profile = request.profile.empty() ? known_profiles.front() : request.profile;
  Write intent;
  intent.records = request.with_intent;
  intent.reservation = Reservation{.authority = 1,
                                   .serial = serial,
                                   .profile = profile,
                                   .requester = request.requester,
                                   .not_before = period.not_before,
                                   .not_after = period.not_after,
                                   .shard = 0,
                                   .tbs = tbs};
  HANAPER_CHECK(commit(intent));
  if (fail_with) return *fail_with;
  HANAPER_TRY(const Bytes signature, key_->sign(SignatureScheme::ecdsa_sha256, tbs));
  Issued issued{.authority = 1,
                .serial = serial,
                .certificate = x509::assemble_certificate(tbs, signature),
                .chain = {},
                .not_before = period.not_before,
                .not_after = period.not_after};
  Write record;
  if (request.with_record) record.records = request.with_record(issued);
  record.recording = Recording{1, serial, signature, now};
  HANAPER_CHECK(commit(record));
  if (!request.once.empty()) asked_once_[request.once] = {to_bytes(csr.info), {1, serial}};
  return issued;
}

Status FakePipeline::revoke(const CertificateId& id, RevocationReason reason, std::string_view, Call&,
                            bool key_proven) {
  HANAPER_TRY(const CertificateRow row, storage_.certificate(id.authority, id.serial));
  Write write;
  write.revocation = Revocation{.authority = id.authority,
                                .serial = id.serial,
                                .shard = 0,
                                .reason = reason,
                                .at = clock_.now(),
                                .invalidity = {},
                                .not_after = row.not_after,
                                .block_key = {}};
  if (reason == RevocationReason::key_compromise && key_proven) {
    HANAPER_TRY(const x509::TbsView tbs, x509::parse_tbs(row.tbs));
    write.revocation->block_key = crypto::sha256(tbs.spki);
  }
  return commit(write);
}

Result<CertificateStatus> FakePipeline::status(const CertificateId& id) {
  HANAPER_TRY(CertificateRow row, storage_.certificate(id.authority, id.serial));
  Bytes certificate = x509::assemble_certificate(row.tbs, row.signature);
  return CertificateStatus{std::move(row), std::move(certificate)};
}

Result<CertificateStatus> FakePipeline::identify(ByteView certificate) {
  HANAPER_TRY(const x509::CertificateView view, x509::parse_certificate(certificate));
  auto known = status({1, view.serial});
  if (!known || !equal(known->certificate, certificate))
    return not_found("the certificate was not issued here");
  return known;
}

Result<Bytes> FakePipeline::next_message() {
  if (wanted_roll_over.next.empty()) return not_found("no authority is to take over");
  const Bytes content = cms::certs_only({wanted_roll_over.next.begin(), wanted_roll_over.next.end()});
  return cms::sign(
      {.content_type = oid::data,
       .content = content,
       .attributes = {},
       .scheme = SignatureScheme::ecdsa_sha256,
       .signer = certificate_,
       .certificates = {certificate_}},
      [&](SignatureScheme scheme, ByteView attributes) { return key_->sign(scheme, attributes); });
}

Result<CertificateId> FakePipeline::find(ByteView, const Serial& serial) {
  HANAPER_CHECK(storage_.certificate(1, serial));
  return CertificateId{1, serial};
}

Result<Bytes> FakePipeline::crl(const CertificateId& id, ByteCount limit) {
  HANAPER_CHECK(storage_.certificate(id.authority, id.serial));
  if (published_crl.empty()) return not_found("no CRL is published");
  if (published_crl.size() > limit.value) return unsupported("the CRL is too large");
  return published_crl;
}

Result<ValidityPeriod> FakePipeline::validity(std::string_view, std::optional<Time> not_before,
                                              std::optional<Time> not_after) const {
  const Time now = std::chrono::floor<std::chrono::seconds>(clock_.now());
  const ValidityPeriod period{not_before.value_or(now), not_after.value_or(now + std::chrono::days{90})};
  if (period.not_after <= period.not_before || period.not_after > period.not_before + std::chrono::days{90})
    return rejected("such a validity is not issued");
  return period;
}

Status FakePipeline::permits(std::string_view, const std::vector<Identifier>& names, std::string_view,
                             Call&) {
  for (const Identifier& name : names)
    if (forbidden_names.contains(name.value)) return rejected("\"" + name.value + "\" is forbidden");
  return {};
}

class FakeHost::MemoryCollection final : public Collection {
 public:
  MemoryCollection(MemoryStorage& storage, std::string name) : storage_(storage), name_(std::move(name)) {}
  Result<Record> get(std::string_view key) override { return storage_.get(name_, key); }
  Result<std::vector<Record>> find(std::string_view field, std::string_view value, std::string_view after,
                                   std::uint32_t limit) override {
    return storage_.find(name_, field, value, after, limit);
  }
  RecordWrite bind(RecordWrite write) const override {
    write.collection = name_;
    return write;
  }

 private:
  MemoryStorage& storage_;
  const std::string name_;
};

FakeHost::FakeHost(std::string public_url, std::string state_folder)
    : url_(std::move(public_url)), folder_(std::move(state_folder)) {}

Collection& FakeHost::collection(std::string_view name) {
  auto& collection = collections_[std::string(name)];
  if (!collection) collection = std::make_shared<MemoryCollection>(memory_storage, std::string(name));
  return *collection;
}

FakeAuthority& FakeHost::authority(std::string_view name) {
  auto& authority = authorities_[std::string(name)];
  if (!authority)
    authority = std::make_unique<FakeAuthority>(
        memory_storage, manual_clock, static_cast<AuthorityId>(authorities_.size()), std::string(name));
  return *authority;
}

std::vector<StatusAuthority*> FakeHost::authorities() {
  std::vector<StatusAuthority*> all;
  for (const auto& [name, authority] : authorities_) all.push_back(authority.get());
  return all;
}

Status FakeHost::commit(std::vector<RecordWrite> writes, Call&) {
  Write write;
  write.records = std::move(writes);
  return commit_one(memory_storage, write);
}

void FakeHost::audit(std::string_view event, std::initializer_list<LogField> fields, Call&) {
  audited.write(LogLevel::info, event, fields);
}

}  // namespace hanaper::fakes
