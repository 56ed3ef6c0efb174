#include "authorities.hpp"

#include "../issuance/signing.hpp"
#include "../services/audit.hpp"
#include "authority_form.hpp"

#include <hanaper/toolkit/algorithms.hpp>
#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/cms.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/csr_builder.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>
#include <set>

namespace hanaper {
namespace {

using issuance::Authority;

constexpr KeySpec registrar_key_spec{KeyType::rsa, 2048};

}  // namespace

// How people tell it from another of its name.
std::string Authorities::fingerprint_of(const std::string& name) const {
  return ", SHA-256 " + to_hex(crypto::sha256(authorities_.at(name)->certificate()));
}

Result<std::optional<AuthorityRow>> Authorities::row_of(const std::string& name) const {
  HANAPER_TRY(std::vector<AuthorityRow> rows, shared_.storage->ledger().authorities());
  for (AuthorityRow& row : rows)
    if (row.name == name) return std::optional(std::move(row));
  return std::optional<AuthorityRow>();
}

Result<std::shared_ptr<Key>> Authorities::find_key(const config::AuthorityConfig& config) const {
  Keys* keys = find_keys_(config.keys);
  auto key = keys->find(config.label);
  if (!key) return std::move(key).error().within(config.key_position + ": authority." + config.name + ".key");
  return key;
}

Result<std::shared_ptr<Key>> Authorities::find_or_create_key(const config::AuthorityConfig& config) const {
  auto key = find_key(config);
  if (key || key.error().code != Code::not_found) return key;
  if (config.own_registrar && !algorithms::row(config.key_type.type).encrypts)
    return unsupported("authority." + config.name + ".registrar: an authority that is its own registrar " +
                       "needs an RSA key; set key_type, as in \"rsa-3072\"");
  auto created = find_keys_(config.keys)->create(config.label, config.key_type);
  if (!created) return std::move(created).error().within("authority." + config.name + ".key");
  return created;
}

// Two authorities of one key sign in each other's name. Labels do not tell where two providers lead to one
// token.
Status Authorities::check_own_key(const config::AuthorityConfig& config, ByteView spki) const {
  HANAPER_TRY(const std::vector<AuthorityRow> rows, shared_.storage->ledger().authorities());
  for (const AuthorityRow& row : rows) {
    const auto view = x509::parse_certificate(row.certificate);
    if (row.name != config.name && view && equal(view->spki, spki))
      return conflict("authority." + config.name + ".key: " + config.keys + ":" + config.label +
                      " is the key of authority \"" + row.name +
                      "\", which shares it with nobody; name another label");
  }
  return {};
}

Result<std::shared_ptr<Key>> Authorities::find_registrar_key(const config::AuthorityConfig& config) const {
  const std::string place = config.registrar_keys + ":" + config.registrar_label;
  auto key = find_keys_(config.registrar_keys)->find(config.registrar_label);
  if (!key && key.error().code == Code::not_found)
    return not_found("authority." + config.name + ".registrar: no key " + place +
                     "; run hanaper init, or bring it here from the node that has it");
  if (!key) return std::move(key).error().within("authority." + config.name + ".registrar");
  if (!algorithms::row((*key)->spec().type).encrypts)
    return unsupported("authority." + config.name + ".registrar: the key " + place + " is of type " +
                       to_string((*key)->spec()) + ", but a registrar decrypts, which takes RSA");
  return key;
}

// Tokens may hold RSA keys that only sign: better told now than to the first client.
Status Authorities::check_own_registrar(const config::AuthorityConfig& config, ByteView certificate,
                                        Key& key) const {
  const std::string what = "authority." + config.name + ".registrar: the authority's key ";
  if (!algorithms::row(key.spec().type).encrypts)
    return unsupported(what + "is of type " + to_string(key.spec()) +
                       ", but a registrar decrypts, which takes RSA; name another key here");
  const Bytes probe(16, 0x5a);
  cms::Recipient recipient;
  recipient.certificate = certificate;
  HANAPER_TRY(const Bytes envelope, cms::envelop(oid::data, probe, recipient, cms::Cipher::aes128_cbc));
  HANAPER_TRY(const cms::EnvelopedView view, cms::parse_enveloped(envelope));
  const auto content =
      cms::open(view, view.recipients.front(), [&](ByteView encrypted) { return key.decrypt(encrypted); });
  if (!content && content.error().code == Code::unavailable) return content.error();
  if (!content || !equal(as_bytes(content->reveal()), probe))
    return unsupported(what + "does not decrypt; name another key here");
  return {};
}

Status Authorities::create_registrar_key(const config::AuthorityConfig& config) const {
  if (config.registrar_keys.empty()) return {};
  auto key = find_registrar_key(config);
  if (!key && key.error().code == Code::not_found)
    key = find_keys_(config.registrar_keys)->create(config.registrar_label, registrar_key_spec);
  if (!key) return std::move(key).error();
  return {};
}

std::shared_ptr<issuance::SerialSource> Authorities::serials(const config::AuthorityConfig& config) const {
  if (!config.serial.range) return std::make_shared<issuance::RandomSerials>(shared_.clock);
  // Nodes that start at the same number share a lane and take turns in it; others must not overlap.
  const std::string start = config.serial.start.hex();
  return std::make_shared<issuance::RangeSerials>(
      config.serial, config.name, shared_.state_folder + "/serial-" + config.name + "-" + start + ".mark",
      shared_.storage->records(), *shared_.writer, shared_.logger);
}

// Where another authority signs the CRLs, its name has the octets that its certificate has.
Result<issuance::StatusPlan> Authorities::status_plan(const std::string& name) const {
  issuance::StatusPlan plan = status_plans_.at(name);
  if (plan.crl_signer.empty()) return plan;
  HANAPER_TRY(const std::optional<AuthorityRow> row, row_of(plan.crl_signer));
  if (!row || row->certificate.empty()) return plan;
  auto view = x509::parse_certificate(row->certificate);
  if (!view) return std::move(view).error().within("authority." + plan.crl_signer);
  plan.crl_issuer = to_bytes(view->subject);
  return plan;
}

Status Authorities::adopt(const config::AuthorityConfig& config, const AuthorityRow& row) {
  HANAPER_TRY(std::shared_ptr<Key> key, find_key(config));
  if (config.own_registrar) HANAPER_CHECK(check_own_registrar(config, row.certificate, *key));
  HANAPER_TRY(issuance::StatusPlan status, status_plan(config.name));
  HANAPER_TRY(std::vector<Bytes> chain, issuance::split_chain(row.chain));
  outside_.complete(row.certificate, chain);
  AuthorityRow whole = row;
  whole.chain = joined(chain);
  HANAPER_TRY(const std::shared_ptr<Authority> authority,
              Authority::assemble(config, std::move(whole), key, serials(config), std::move(status)));
  if (config.own_registrar) {
    authority->give_registrar_key(std::move(key));
  } else if (!config.registrar_keys.empty()) {
    HANAPER_TRY(std::shared_ptr<Key> registrar, find_registrar_key(config));
    authority->give_registrar_key(std::move(registrar));
  }
  authority->give_crl_addresses(std::make_unique<issuance::CrlAddresses>(
      config.name, row.id, shared_.storage->records(), *shared_.writer, shared_.logger));
  HANAPER_CHECK(authority->crl_addresses()->load());
  authorities_[config.name] = authority;
  return {};
}

Status Authorities::load() {
  HANAPER_CHECK(outside_.load(shared_.storage->records()));
  for (const auto& [name, config] : model_.authorities) {
    HANAPER_TRY(const std::optional<AuthorityRow> row, row_of(name));
    if (row && !row->certificate.empty()) HANAPER_CHECK(adopt(config, *row));
  }
  return {};
}

std::shared_ptr<Authority> Authorities::find(const std::string& name) const {
  const auto found = authorities_.find(name);
  return found == authorities_.end() ? nullptr : found->second;
}

bool Authorities::waits_outside(const std::string& name) const {
  for (std::string at = name; !at.empty() && !find(at); at = model_.authorities.at(at).issuer)
    if (model_.authorities.at(at).external) return true;
  return false;
}

Error Authorities::missing(const std::string& name) const {
  return unavailable("authority " + name + " has no certificate yet" +
                     (waits_outside(name)
                          ? ": an outside issuer has to sign one; then run hanaper init --install ANSWER.pem"
                          : "; run hanaper init"));
}

std::vector<Bytes> Authorities::path(const std::string& name) const {
  const auto authority = find(name);
  if (!authority) return {};
  std::vector<Bytes> path = authority->chain();
  const auto top = x509::parse_certificate(path.empty() ? authority->certificate() : path.back());
  if (!top) return path;
  const auto root = std::ranges::find_if(authorities_, [&](const auto& entry) {
    return entry.second->is_root() && is_signed_by(*top, entry.second->view());
  });
  if (root != authorities_.end()) {
    path.push_back(root->second->certificate());
  } else if (const Bytes* outside = outside_.issuer_of(*top)) {
    path.push_back(*outside);
  }
  return path;
}

std::string Authorities::roots_pem() const {
  std::vector<Bytes> roots;
  for (const auto& [name, authority] : authorities_) {
    const std::vector<Bytes> whole = path(name);
    const Bytes& top = whole.empty() ? authority->certificate() : whole.back();
    if (is_self_signed(top) && std::ranges::find(roots, top) == roots.end()) roots.push_back(top);
  }
  std::string text;
  for (const Bytes& root : roots) text += pem::encode("CERTIFICATE", root);
  return text;
}

Status Authorities::store(Write& write) {
  return shared_.writer->commit(write, std::chrono::steady_clock::now() + std::chrono::seconds{30});
}

Result<std::vector<Authorities::Outcome>> Authorities::init() {
  // Issuers before those they sign; the configuration has no circles.
  std::vector<Outcome> outcomes;
  std::set<std::string> done;
  while (done.size() < model_.authorities.size()) {
    for (const auto& [name, config] : model_.authorities) {
      if (done.contains(name) || (!config.issuer.empty() && !done.contains(config.issuer))) continue;
      HANAPER_TRY(Outcome outcome, init_one(config));
      outcomes.push_back(std::move(outcome));
      done.insert(name);
    }
  }
  return outcomes;
}

Result<Authorities::Outcome> Authorities::init_one(const config::AuthorityConfig& config) {
  HANAPER_TRY(std::optional<AuthorityRow> row, row_of(config.name));
  HANAPER_CHECK(create_registrar_key(config));
  if (row && !row->certificate.empty()) {
    HANAPER_CHECK(adopt(config, *row));
    return Outcome{config.name, "exists, " + x509::name_text(config.subject) + ", until " +
                                    time_text(authorities_.at(config.name)->not_after()) +
                                    fingerprint_of(config.name)};
  }
  HANAPER_TRY(const std::shared_ptr<Key> key, find_or_create_key(config));
  HANAPER_CHECK(check_own_key(config, key->spki()));
  if (!row) {
    Write write;
    write.authority = AuthorityRow{.id = 0,
                                   .name = config.name,
                                   .key = config.keys + ":" + config.label,
                                   .certificate = {},
                                   .chain = {}};
    write.audit = services::audit_line(shared_.clock.now(), "authority.created",
                                       {{"authority", config.name},
                                        {"key", config.keys + ":" + config.label},
                                        {"spki", to_hex(crypto::sha256(key->spki()))}});
    HANAPER_CHECK(store(write));
  }
  if (config.external) return request(config, *key);
  if (config.issuer.empty()) return issue(config, *key, nullptr);
  const auto issuer = find(config.issuer);
  if (!issuer) return Outcome{config.name, "waits for the certificate of authority " + config.issuer};
  return issue(config, *key, issuer.get());
}

Result<Authorities::Outcome> Authorities::issue(const config::AuthorityConfig& config, Key& key,
                                                const Authority* issuer) {
  if (issuer != nullptr && issuer->path_length() &&
      (!config.path_length || *config.path_length + 1 > *issuer->path_length())) {
    if (*issuer->path_length() == 0)
      return rejected("authority." + config.name + ": authority " + issuer->config().name +
                      " may have no authority below it (path_length = 0)");
    return rejected("authority." + config.name + ".path_length: must be given and below that of authority " +
                    issuer->config().name);
  }
  HANAPER_TRY(const x509::PublicKey public_key, x509::parse_public_key(key.spki()));
  const auto key_identifier = x509::key_identifier(public_key);
  const SignatureScheme scheme =
      issuer ? issuer->scheme() : config.scheme.value_or(x509::default_scheme(key.spec()));
  const Bytes subject = x509::encode_name(config.subject);
  // A self-signed certificate carries no addresses of its own status: nobody could revoke it (RFC
  // 5280 4.2.1.13 is about certificates of an issuer).
  const std::uint32_t shard = issuer ? issuer->shard_of_authorities() : 0;
  const x509::CertificateTemplate form(
      {.scheme = scheme,
       .issuer = issuer ? to_bytes(issuer->subject()) : subject,
       .authority_key_identifier = issuer ? to_bytes(issuer->key_identifier()) : Bytes{},
       .extensions =
           authority_extensions(config, issuer ? issuer->status() : issuance::StatusPlan{}, shard)});
  const Time now = std::chrono::floor<std::chrono::seconds>(shared_.clock.now());
  Time not_after = now + config.lifetime - std::chrono::seconds{1};
  if (issuer) not_after = std::min(not_after, issuer->not_after());
  const Deadline deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  if (issuer) HANAPER_CHECK(issuer->remember_crl(shard, issuer->status().of_shard(shard).crl, deadline));
  HANAPER_TRY(const Serial serial, issuer ? issuer->serials().draw(deadline)
                                          : issuance::RandomSerials(shared_.clock).draw(deadline));
  der::Writer writer(2048);
  form.render({.serial = serial,
               .not_before = now,
               .not_after = not_after,
               .subject = subject,
               .spki = key.spki(),
               .key_identifier = key_identifier,
               .key_usage = authority_usage(config),
               .names = {},
               .extensions = {}},
              writer);
  const Bytes tbs = writer.bytes();

  HANAPER_TRY(const std::optional<AuthorityRow> row, row_of(config.name));
  const AuthorityId signer = issuer ? issuer->id() : row->id;
  const auto sign = [&](ByteView message) {
    return issuer ? issuer->sign(scheme, message) : key.sign(scheme, message);
  };
  AuthorityRow made = *row;
  HANAPER_CHECK(issuance::sign_recorded(*shared_.writer, shared_.clock,
                                        {.authority = signer,
                                         .authority_name = issuer ? issuer->config().name : config.name,
                                         .serial = serial,
                                         .profile = "authority",
                                         .requester = "init",
                                         .not_before = now,
                                         .not_after = not_after,
                                         .shard = shard,
                                         .tbs = tbs,
                                         .subject = config.name},
                                        sign, {.record = [&](Write& record, ByteView certificate) -> Status {
                                          made.certificate = to_bytes(certificate);
                                          if (issuer) made.chain = joined(issuer->chain());
                                          record.authority = made;
                                          return {};
                                        }},
                                        deadline));
  HANAPER_CHECK(adopt(config, made));
  return Outcome{config.name,
                 std::string(issuer ? "created below " + issuer->config().name : "created, self-signed") +
                     ", " + x509::name_text(config.subject) + ", " + to_string(key.spec()) + ", until " +
                     time_text(not_after) + fingerprint_of(config.name)};
}

Result<Authorities::Outcome> Authorities::request(const config::AuthorityConfig& config, Key& key) {
  x509::CsrContent content;
  content.subject = config.subject;
  content.extensions = authority_extensions(config, {}, 0);
  content.extensions.push_back({to_bytes(oid::key_usage), true, x509::key_usage(authority_usage(config))});
  HANAPER_TRY(const Bytes csr, x509::build_csr(key, content));
  const std::string path = shared_.state_folder + "/" + config.name + ".csr";
  HANAPER_CHECK(files::replace(path, pem::encode("CERTIFICATE REQUEST", csr), 0644));
  return Outcome{config.name, "waits for an outside issuer; have it sign " + path +
                                  ", then run hanaper init --install ANSWER.pem"};
}

}  // namespace hanaper
