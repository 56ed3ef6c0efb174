// From a message to what its signer asks for.
#include "service.hpp"

#include <hanaper/toolkit/name_match.hpp>
#include <hanaper/toolkit/oids.hpp>

namespace hanaper::scep {

// `hash`: what the signer can read, as soon as it is known.
Service::Outcome<Service::Opened> Service::open(Message message, Registrar& registrar, crypto::Hash& hash) {
  const auto failed = [](FailInfo info, std::string text) { return Failure{info, std::move(text)}; };
  const auto digest = cms::hash_of(message.signer().digest_algorithm, options_.legacy);
  if (!digest) return failed(FailInfo::bad_algorithm, digest.error().detail);
  if (*digest != crypto::Hash::sha1) hash = *digest;
  Opened opened;
  opened.hash = *digest;
  const auto signer = cms::find_signer(message.content, message.signer());
  if (!signer) return failed(FailInfo::bad_message_check, signer.error().detail);
  opened.signer = *signer;
  const Status verified = cms::verify(message.content, message.signer(), signer->spki, options_.legacy);
  if (!verified)
    return failed(
        verified.error().code == Code::unsupported ? FailInfo::bad_algorithm : FailInfo::bad_message_check,
        verified.error().detail);
  // RFC 8894 3.2: "The eContentType in encapsulatedContentInfo MUST be data".
  if (oid::data != message.content.content_type)
    return failed(FailInfo::bad_message_check, "what is signed is not data");
  if (!message.content.content) return failed(FailInfo::bad_message_check, "the message has no content");
  auto content = decrypt(*message.content.content, registrar, opened.cipher);
  if (auto* failure = std::get_if<Failure>(&content)) return std::move(*failure);
  if (auto* error = std::get_if<Error>(&content)) return std::move(*error);
  opened.content = std::move(std::get<cms::DerContent>(content));
  auto known = issuer_.identify(signer->der);
  if (!known && known.error().code != Code::not_found && known.error().code != Code::malformed)
    return std::move(known).error();
  // Clients make the transactionID of their key, and many keep their key: a renewal is told from the
  // enrolment before it, and from the renewal before, by the certificate that signs. Self-signed ones are
  // made for each message.
  Fingerprint who = crypto::sha256(signer->spki);
  if (known) {
    who = crypto::sha256({who, crypto::sha256(signer->der)});
    opened.known = *std::move(known);
  }
  opened.transaction = "scep:" + to_hex(crypto::sha256({as_bytes(message.header.transaction), who}));
  opened.message = std::move(message);
  return opened;
}

Service::Outcome<cms::DerContent> Service::decrypt(ByteView octets, Registrar& registrar,
                                                   cms::Cipher& cipher) {
  const auto der = cms::to_der(octets);
  const auto enveloped = der ? cms::parse_enveloped(*der) : Result<cms::EnvelopedView>(der.error());
  if (!enveloped)
    return Failure{
        enveloped.error().code == Code::unsupported ? FailInfo::bad_algorithm : FailInfo::bad_message_check,
        enveloped.error().detail};
  if (enveloped->cipher == cms::Cipher::des3_cbc && !options_.legacy)
    return Failure{FailInfo::bad_algorithm, "3DES is not taken here"};
  // RFC 8894 3.2.2: "contentType in encryptedContentInfo MUST be data".
  if (oid::data != enveloped->content_type)
    return Failure{FailInfo::bad_message_check, "what is encrypted is not data"};
  cipher = enveloped->cipher;
  for (const cms::EnvelopedView::Recipient& recipient : enveloped->recipients) {
    if (!is_ours(recipient, registrar)) continue;
    auto content = cms::open_der(*enveloped, recipient,
                                 [&](ByteView encrypted) { return registrar.decrypt(encrypted); });
    if (content) return *std::move(content);
    if (content.error().code == Code::unavailable) return std::move(content).error();
    return Failure{FailInfo::bad_message_check, content.error().detail};
  }
  return Failure{FailInfo::bad_message_check, "the message is encrypted to somebody else"};
}

// The registrar's certificate of today, or one of before: the key has stayed.
bool Service::is_ours(const cms::EnvelopedView::Recipient& recipient, Registrar& registrar) {
  if (!recipient.key_identifier.empty()) {
    const auto own = cms::parse_holder(registrar.certificate());
    return own && equal(own->key_identifier, recipient.key_identifier);
  }
  const auto current = x509::parse_certificate(registrar.certificate());
  if (!current || !x509::same_name(current->issuer, recipient.issuer)) return false;
  if (equal(current->serial.octets(), recipient.serial)) return true;
  const auto today = issuer_.identify(registrar.certificate());
  const auto serial = Serial::from_der(recipient.serial);
  if (!today || !serial) return false;
  const auto earlier = issuer_.status({today->row.authority, *serial});
  const auto view = earlier ? x509::parse_certificate(earlier->certificate)
                            : Result<x509::CertificateView>(earlier.error());
  return view && equal(view->spki, registrar.spki());
}

// All failures up to the request's own signature get the same answer. Only that signature shows that the
// sender knew the content; different answers would let it decrypt other people's envelopes.
Service::Outcome<x509::CsrView> Service::read_request(const Opened& opened) const {
  auto csr = x509::parse_csr(as_bytes(opened.content.octets.reveal()));
  const Status good = csr ? x509::verify_csr(*csr, options_.legacy) : Status(csr.error());
  if (good && opened.content.intact) return *std::move(csr);
  // Time must not tell either: what is no request costs a signature as well, that of the message once more.
  if (!csr)
    static_cast<void>(
        cms::verify(opened.message.content, opened.message.signer(), opened.signer.spki, options_.legacy));
  return Failure{FailInfo::bad_message_check,
                 "the message cannot be decrypted, or holds no request that its own key has signed",
                 good ? "the padding is wrong" : good.error().detail};
}

}  // namespace hanaper::scep
