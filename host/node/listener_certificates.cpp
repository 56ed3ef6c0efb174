#include "listener_certificates.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/csr_builder.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/name_match.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/soft_key.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>

namespace hanaper {
namespace {

constexpr std::size_t max_file = 1024 * 1024;
constexpr std::chrono::hours ticket_key_life{12};

Result<x509::CertificateView> leaf_of(const std::vector<pem::Block>& blocks) {
  for (const pem::Block& block : blocks)
    if (block.label == "CERTIFICATE") return x509::parse_certificate(block.der);
  return malformed("no CERTIFICATE in the file");
}

std::vector<Identifier> names_of(const x509::CertificateView& certificate) {
  const auto* extension = certificate.find(oid::subject_alt_name);
  auto names = extension ? x509::parse_general_names(extension->value)
                         : Result<x509::GeneralNames>(x509::GeneralNames{});
  return names ? std::move(names->names) : std::vector<Identifier>{};
}

Result<http::TlsIdentity> identity_in_files(const config::ListenerConfig& listener) {
  HANAPER_TRY(std::string chain, files::read_trusted(listener.certificate_file, max_file));
  if (listener.key_file.empty()) return http::TlsIdentity{std::move(chain), {}, {}};
  HANAPER_TRY(std::string key, files::read_trusted(listener.key_file, max_file));
  return http::TlsIdentity{std::move(chain), Secret(std::move(key)), {}};
}

}  // namespace

Status ListenerCertificates::check(const config::ListenerConfig& listener) {
  if (listener.certificate_file.empty() || !listener.keys.empty()) return {};
  HANAPER_TRY(const http::TlsIdentity identity, identity_in_files(listener));
  return http::TlsContext(listener).install(identity);
}

Result<bool> ListenerCertificates::look(const config::ListenerConfig& listener) const {
  Held held{listener, std::make_shared<http::TlsContext>(listener), {}, {}, {}};
  if (!listener.certificate_file.empty()) {
    HANAPER_TRY(http::TlsIdentity identity, identity_in_files(listener));
    HANAPER_TRY(identity.provided, provided_key(held, false));
    HANAPER_CHECK(held.context->install(identity));
    return true;
  }
  const auto stored = files::read(stored_file(held), max_file);
  if (!stored) return false;
  const auto blocks = pem::decode(*stored);
  const auto leaf = blocks ? leaf_of(*blocks) : Result<x509::CertificateView>(blocks.error());
  if (!leaf || !still_good(held, leaf->der)) return false;
  auto provided = provided_key(held, false);
  if (!provided && provided.error().code == Code::not_found) return false;
  if (!provided) return std::move(provided).error();
  return held.context->install({*stored, Secret(*stored), *std::move(provided)}).has_value();
}

Result<std::shared_ptr<http::TlsContext>> ListenerCertificates::open(const config::ListenerConfig& listener) {
  Held held{listener, std::make_shared<http::TlsContext>(listener), {}, {}, shared_.clock.now()};
  Call call{"start", std::chrono::steady_clock::now() + std::chrono::seconds{30}};
  if (Status refreshed = refresh(held, true, call); !refreshed) {
    Error why = std::move(refreshed).error().within("listener." + listener.name + ".certificate");
    if (why.code != Code::unavailable || !listener.certificate_file.empty()) return why;
    // Its authority cannot certify it now. Other listeners serve meanwhile, and it is tried again.
    shared_.logger.error("a listener has no good certificate",
                         {{"listener", listener.name}, {"error", why.detail}});
    install_last(held);
  }
  const auto context = held.context;
  const Lock lock(mutex_);
  held_.insert_or_assign(listener.name, std::move(held));
  return context;
}

Status ListenerCertificates::renew(Call& call) {
  std::vector<Held> all;
  {
    const Lock lock(mutex_);
    for (const auto& [name, held] : held_) all.push_back(held);
  }
  Status result;
  for (Held& held : all) {
    rotate_tickets(held);
    if (Status refreshed = refresh(held, false, call); !refreshed)
      result = std::move(refreshed).error().within("listener." + held.config.name + ".certificate");
    const Lock lock(mutex_);
    held_.insert_or_assign(held.config.name, held);
  }
  return result;
}

// Whatever the clock does, no key stays for longer than the time between two of its readings and half a day.
void ListenerCertificates::rotate_tickets(Held& held) const {
  const Time now = shared_.clock.now();
  if (now >= held.tickets_since && now < held.tickets_since + ticket_key_life) return;
  held.context->rotate_tickets();
  held.tickets_since = now;
}

std::map<std::string, Time> ListenerCertificates::ends() const {
  std::map<std::string, Time> ends;
  const Lock lock(mutex_);
  for (const auto& [name, held] : held_) ends.emplace(name, held.not_after);
  return ends;
}

Status ListenerCertificates::health() const {
  const Lock lock(mutex_);
  for (const auto& [name, held] : held_) {
    if (held.not_after == Time{})
      return unavailable("listener." + name + " has no certificate; the log says why");
    if (held.not_after < shared_.clock.now())
      return unavailable("the certificate of listener." + name + " expired at " + time_text(held.not_after));
  }
  return {};
}

// The one that was issued last, whatever it is good for.
void ListenerCertificates::install_last(Held& held) {
  const auto stored = files::read(stored_file(held), max_file);
  auto provided = provided_key(held, false);
  if (stored && provided) static_cast<void>(install(held, {*stored, Secret(*stored), *std::move(provided)}));
}

Status ListenerCertificates::refresh(Held& held, bool at_start, Call& call) {
  if (!held.config.certificate_file.empty()) {
    HANAPER_TRY(http::TlsIdentity identity, identity_in_files(held.config));
    HANAPER_TRY(identity.provided, provided_key(held, false));
    return install(held, std::move(identity));
  }
  if (auto stored = files::read(stored_file(held), max_file)) {
    const auto blocks = pem::decode(*stored);
    const auto leaf = blocks ? leaf_of(*blocks) : Result<x509::CertificateView>(malformed("unreadable"));
    if (leaf && still_good(held, leaf->der)) {
      if (!at_start) return {};
      HANAPER_TRY(std::shared_ptr<Key> provided, provided_key(held, true));
      // A key that has moved to another place, or come from one, has no certificate yet.
      if (install(held, {*stored, Secret(*stored), std::move(provided)})) return {};
    }
  }
  return issue(held, call);
}

bool ListenerCertificates::still_good(const Held& held, ByteView certificate) const {
  const issuance::Pipeline* pipeline = pipelines_(held.config.issue);
  const auto view = x509::parse_certificate(certificate);
  if (pipeline == nullptr || !view || !x509::same_name(view->issuer, pipeline->signer()->subject()))
    return false;
  std::vector<Identifier> wanted = held.config.names, present = names_of(*view);
  std::ranges::sort(wanted);
  std::ranges::sort(present);
  const auto life = view->not_after - view->not_before;
  return wanted == present && view->not_after - shared_.clock.now() > life / 3;
}

Status ListenerCertificates::issue(Held& held, Call& call) {
  issuance::Pipeline* pipeline = pipelines_(held.config.issue);
  if (pipeline == nullptr)
    return unavailable("pipeline " + held.config.issue + " cannot issue yet; run hanaper init");
  HANAPER_TRY(std::shared_ptr<Key> provided, provided_key(held, true));
  std::shared_ptr<crypto::SoftKey> own;
  if (provided == nullptr) {
    HANAPER_TRY(own, crypto::SoftKey::generate({KeyType::ec_p256, 0}));
  }
  Key& key = own ? static_cast<Key&>(*own) : *provided;
  HANAPER_TRY(const Bytes csr, x509::build_csr(key, {{}, held.config.names, {}, {}}));
  IssueRequest request;
  request.requester = "listener:" + held.config.name;
  request.csr = csr;
  request.names = held.config.names;
  HANAPER_TRY(const Issued issued, pipeline->issue(request, call));
  std::string stored = pem::encode("CERTIFICATE", issued.certificate);
  for (const Bytes& certificate : issued.chain) stored += pem::encode("CERTIFICATE", certificate);
  Secret key_pem;
  if (own) {
    HANAPER_TRY(key_pem, own->to_pem());
  }
  stored += key_pem.reveal();
  HANAPER_CHECK(files::create_folder(shared_.state_folder + "/tls"));
  HANAPER_CHECK(files::replace(stored_file(held), stored, 0600));
  HANAPER_CHECK(install(held, {stored, std::move(key_pem), std::move(provided)}));
  shared_.logger.info("listener certificate issued", {{"listener", held.config.name},
                                                      {"serial", issued.serial.hex()},
                                                      {"until", time_text(issued.not_after)}});
  crypto::wipe({reinterpret_cast<std::uint8_t*>(stored.data()), stored.size()});
  return {};
}

// Null when the listener's key is not in a provider. A key of the listener's own is made when it is not
// there.
Result<std::shared_ptr<Key>> ListenerCertificates::provided_key(const Held& held, bool may_create) const {
  if (held.config.keys.empty()) return std::shared_ptr<Key>();
  Keys* keys = keys_(held.config.keys);
  if (keys == nullptr) return unavailable("keys." + held.config.keys + " is not there");
  auto key = keys->find(held.config.label);
  if (!key && key.error().code == Code::not_found && may_create)
    key = keys->create(held.config.label, {KeyType::ec_p256, 0});
  return key;
}

Status ListenerCertificates::install(Held& held, http::TlsIdentity identity) {
  HANAPER_CHECK(held.context->install(identity));
  HANAPER_TRY(const std::vector<pem::Block> blocks, pem::decode(identity.chain));
  HANAPER_TRY(const x509::CertificateView leaf, leaf_of(blocks));
  held.not_before = leaf.not_before;
  held.not_after = leaf.not_after;
  return {};
}

}  // namespace hanaper
