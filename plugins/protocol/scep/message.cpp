#include "message.hpp"

#include <hanaper/toolkit/oids.hpp>

#include <charconv>

namespace hanaper::scep {
namespace {

using namespace der::literals;

// RFC 8894 3.2.1, 3.2.1.4.1.
constexpr der::Oid message_type_oid = "2.16.840.1.113733.1.9.2"_oid;
constexpr der::Oid pki_status_oid = "2.16.840.1.113733.1.9.3"_oid;
constexpr der::Oid fail_info_oid = "2.16.840.1.113733.1.9.4"_oid;
constexpr der::Oid sender_nonce_oid = "2.16.840.1.113733.1.9.5"_oid;
constexpr der::Oid recipient_nonce_oid = "2.16.840.1.113733.1.9.6"_oid;
constexpr der::Oid transaction_oid = "2.16.840.1.113733.1.9.7"_oid;
constexpr der::Oid fail_info_text_oid = "1.3.6.1.5.5.7.24.1"_oid;

constexpr std::size_t max_transaction = 128;
constexpr std::size_t max_nonce = 64;
constexpr std::size_t nonce_size = 16;
constexpr const char* cert_rep = "3";

Result<std::string> text_attribute(const cms::SignerInfo& signer, der::Oid oid, std::string_view name,
                                   std::size_t limit) {
  const auto value = signer.attribute(oid);
  const bool text = value && (value->tag == der::printable_string || value->tag == der::utf8_string ||
                              value->tag == der::ia5_string);
  if (!text || value->content.empty() || value->content.size() > limit)
    return malformed("the message has no " + std::string(name) + " that could be answered");
  return std::string(as_text(value->content));
}

Result<Header> read_header(const cms::SignerInfo& signer) {
  Header header;
  HANAPER_TRY(header.transaction, text_attribute(signer, transaction_oid, "transactionID", max_transaction));
  for (char c : header.transaction)
    if (c < ' ' || c > '~') return malformed("the message's transactionID is no PrintableString");
  HANAPER_TRY(const std::string type, text_attribute(signer, message_type_oid, "messageType", 3));
  const auto [end, error] = std::from_chars(type.data(), type.data() + type.size(), header.type);
  if (error != std::errc{} || end != type.data() + type.size())
    return malformed("the message's messageType is no number");
  const auto nonce = signer.attribute(sender_nonce_oid);
  if (!nonce || nonce->tag != der::octet_string || nonce->content.empty() ||
      nonce->content.size() > max_nonce)
    return malformed("the message has no senderNonce that could be answered");
  header.sender_nonce = to_bytes(nonce->content);
  return header;
}

cms::Attribute attribute(der::Oid oid, std::uint8_t tag, ByteView content) {
  der::Writer value(content.size() + 8);
  value.primitive(tag, content);
  return {to_bytes(oid), value.bytes()};
}

cms::Attribute text(der::Oid oid, std::string_view content) {
  return attribute(oid, der::printable_string, as_bytes(content));
}

}  // namespace

Result<Message> parse_message(ByteView ber) {
  Message message;
  HANAPER_TRY(message.der, cms::to_der(ber));
  HANAPER_TRY(message.content, cms::parse_signed(message.der));
  if (message.content.signers.size() != 1) return malformed("the message has not one signer");
  HANAPER_TRY(message.header, read_header(message.signer()));
  return message;
}

Result<Bytes> sign_reply(const Header& header, const Reply& reply, crypto::Hash hash, Registrar& registrar) {
  cms::SignedContent content;
  content.content_type = oid::data;
  // RFC 8894 3.3.2.2, 3.3.2.3: "The pkcsPKIEnvelope (Section 3.2.2) MUST be omitted."
  if (reply.content) content.content = ByteView(*reply.content);
  Bytes nonce(nonce_size);
  crypto::random(nonce);
  content.attributes = {text(transaction_oid, header.transaction), text(message_type_oid, cert_rep),
                        text(pki_status_oid, std::to_string(static_cast<int>(reply.status))),
                        attribute(sender_nonce_oid, der::octet_string, nonce),
                        attribute(recipient_nonce_oid, der::octet_string, header.sender_nonce)};
  if (reply.failure) {
    content.attributes.push_back(text(fail_info_oid, std::to_string(static_cast<int>(reply.failure->info))));
    content.attributes.push_back(
        attribute(fail_info_text_oid, der::utf8_string, as_bytes(reply.failure->text)));
  }
  content.hash = hash;
  content.signer = registrar.certificate();
  content.certificates = {registrar.certificate()};
  return cms::sign(content, [&](SignatureScheme scheme, ByteView attributes) {
    return registrar.sign(scheme, attributes);
  });
}

}  // namespace hanaper::scep
