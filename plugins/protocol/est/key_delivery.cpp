#include "key_delivery.hpp"

#include "named_lines.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/cms.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/oids.hpp>

namespace hanaper::est {
namespace {

constexpr std::size_t max_file = 1024 * 1024;
constexpr std::size_t max_identifier = 64;

Status load_secrets(const std::string& path, TransportKeys& keys) {
  return each_named_line(path, "identifier:key is wanted, hexadecimal, the key of 16, 24 or 32 octets",
                         [&](std::string_view name, std::string_view value) {
                           const auto identifier = from_hex(name);
                           auto key = from_hex(value);
                           const bool good = identifier && key && !identifier->empty() &&
                                             identifier->size() <= max_identifier &&
                                             (key->size() == 16 || key->size() == 24 || key->size() == 32);
                           if (good)
                             keys.secrets.insert_or_assign(*identifier, Secret(std::string(as_text(*key))));
                           if (key) crypto::wipe(*key);
                           return good;
                         });
}

// The octets that requests name a certificate by; empty when it has none.
ByteView identifier_of(const x509::CertificateView& certificate) {
  const auto* extension = certificate.find(oid::subject_key_identifier);
  if (extension == nullptr) return {};
  const auto identifier = x509::parse_subject_key_identifier(extension->value);
  return identifier ? *identifier : ByteView{};
}

// RFC 7030 4.4.1.2: "the key MUST either explicitly support keyTransport or keyAgreement or its use MUST be
// unrestricted."
Status check_usage(const x509::CertificateView& certificate) {
  const auto* extension = certificate.find(oid::key_usage);
  if (extension == nullptr) return {};
  HANAPER_TRY(const std::uint16_t usage, x509::parse_key_usage(extension->value));
  if (usage & (x509::key_encipherment | x509::key_agreement)) return {};
  return malformed("its key usage is neither keyEncipherment nor keyAgreement");
}

Status load_recipients(const std::string& path, TransportKeys& keys) {
  HANAPER_TRY(const std::string text, files::read_trusted(path, max_file));
  auto blocks = pem::decode(text);
  if (!blocks) return std::move(blocks).error().within(path);
  int number = 0;
  for (pem::Block& block : *blocks) {
    if (block.label != "CERTIFICATE") continue;
    const std::string place = path + ": certificate " + std::to_string(++number);
    const auto view = x509::parse_certificate(block.der);
    if (!view) return malformed(place + ": " + view.error().detail);
    if (Status usable = check_usage(*view); !usable) return std::move(usable).error().within(place);
    const ByteView identifier = identifier_of(*view);
    if (identifier.empty()) return malformed(place + ": it has no subjectKeyIdentifier to be named by");
    keys.recipients.insert_or_assign(to_bytes(identifier), block.der);
  }
  if (number == 0) return malformed(path + ": no CERTIFICATE in it");
  return {};
}

// The one OCTET STRING of an attribute; nothing when it is not there.
Result<std::optional<Bytes>> octets_of(const x509::CsrView& csr, ByteView attribute) {
  const auto values = x509::find_attribute(csr, attribute);
  if (!values) return std::optional<Bytes>{};
  const auto only = der::only(*values, der::octet_string);
  if (!only || only->content.empty() || only->content.size() > max_identifier)
    return bad_csr("a key identifier is no OCTET STRING of 1 to 64 octets");
  return std::optional(to_bytes(only->content));
}

cms::Cipher cipher_as_strong_as(std::size_t key_size) {
  return key_size == 16   ? cms::Cipher::aes128_cbc
         : key_size == 24 ? cms::Cipher::aes192_cbc
                          : cms::Cipher::aes256_cbc;
}

// SignedData over an AsymmetricKeyPackage (RFC 5958 2), by the registrar: the party that generated the key.
Result<Bytes> sign_package(const Secret& pkcs8, Trust& trust, Call& call) {
  auto registrar = trust.registrar(call);
  if (!registrar) return std::move(registrar).error().within("private keys cannot be signed");
  der::Writer package(pkcs8.reveal().size() + 16);
  package.sequence([&] { package.raw(as_bytes(pkcs8.reveal())); });
  cms::SignedContent content;
  content.content_type = oid::asymmetric_key_package;
  content.content = package.view();
  content.signer = (*registrar)->certificate();
  content.certificates = {(*registrar)->certificate()};
  return cms::sign(content, [&](SignatureScheme scheme, ByteView attributes) {
    return (*registrar)->sign(scheme, attributes);
  });
}

}  // namespace

Result<TransportKeys> TransportKeys::load(const std::string& secrets, const std::string& recipients) {
  TransportKeys keys;
  if (!secrets.empty()) HANAPER_CHECK(load_secrets(secrets, keys));
  if (!recipients.empty()) HANAPER_CHECK(load_recipients(recipients, keys));
  return keys;
}

Result<Delivery> Delivery::plan(const x509::CsrView& csr, const TransportKeys& keys, const TlsPeer* tls) {
  HANAPER_TRY(const std::optional<Bytes> symmetric, octets_of(csr, oid::decrypt_key_identifier));
  HANAPER_TRY(const std::optional<Bytes> asymmetric, octets_of(csr, oid::asymmetric_decrypt_key_identifier));
  Delivery delivery;
  if (!symmetric && !asymmetric) return delivery;
  if (symmetric && asymmetric) return bad_csr("the request names two keys to encrypt with");
  delivery.identifier_ = symmetric ? *symmetric : *asymmetric;
  if (symmetric) {
    const auto found = keys.secrets.find(*symmetric);
    if (found == keys.secrets.end()) return bad_csr("no key of the DecryptKeyIdentifier is known here");
    delivery.secret_ = &found->second;
    return delivery;
  }
  // The certificate that the client shows has proved its owner; others an operator has put here.
  if (tls != nullptr && !tls->chain.empty()) {
    const auto view = x509::parse_certificate(tls->chain.front());
    if (view && equal(identifier_of(*view), *asymmetric)) {
      if (Status usable = check_usage(*view); !usable)
        return bad_csr("nothing may be encrypted to the client certificate: " + usable.error().detail);
      delivery.recipient_ = tls->chain.front();
      return delivery;
    }
  }
  const auto found = keys.recipients.find(*asymmetric);
  if (found == keys.recipients.end())
    return bad_csr("no key of the AsymmetricDecryptKeyIdentifier is known here");
  delivery.recipient_ = found->second;
  return delivery;
}

Result<Part> Delivery::wrap(const crypto::SoftKey& key, Trust& trust, bool lines, Call& call) const {
  HANAPER_TRY(const Secret pkcs8, key.to_pkcs8());
  if (secret_ == nullptr && recipient_.empty())
    return Part{"application/pkcs8", encode_body(as_bytes(pkcs8.reveal()), lines)};
  HANAPER_TRY(const Bytes package, sign_package(pkcs8, trust, call));
  // What is encrypted is the SignedData itself: its type stands beside it.
  HANAPER_TRY(der::Reader info, der::open(package, der::sequence));
  HANAPER_CHECK(info.read_oid());
  HANAPER_TRY(der::Reader wrapped, info.enter(der::context(0)));
  HANAPER_TRY(const der::Element signed_data, wrapped.expect(der::sequence));
  cms::Recipient recipient;
  recipient.certificate = recipient_;
  recipient.secret = secret_;
  recipient.secret_identifier = identifier_;
  recipient.by_key_identifier = true;
  const auto cipher = secret_ ? cipher_as_strong_as(secret_->reveal().size()) : cms::Cipher::aes256_cbc;
  HANAPER_TRY(const Bytes envelope, cms::envelop(oid::signed_data, signed_data.whole, recipient, cipher));
  return Part{"application/pkcs7-mime; smime-type=server-generated-key", encode_body(envelope, lines)};
}

}  // namespace hanaper::est
