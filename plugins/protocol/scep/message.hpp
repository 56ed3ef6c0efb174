// PKI messages (RFC 8894 3): what a request says of itself, and what answers it.
#pragma once

#include <hanaper/registrar.hpp>
#include <hanaper/toolkit/cms.hpp>

namespace hanaper::scep {

// RFC 8894 3.2.1.2; others have no meaning here. 17 and 18: renewal, and its older name.
enum class MessageType : std::uint8_t {
  renewal = 17,
  update = 18,
  enrolment = 19,
  poll = 20,
  get_certificate = 21,
  get_crl = 22,
};

// RFC 8894 3.2.1.4.
enum class FailInfo : std::uint8_t {
  bad_algorithm = 0,
  bad_message_check = 1,
  bad_request = 2,
  bad_time = 3,
  bad_certificate_id = 4,
};

// A FAILURE and its failInfoText.
struct Failure {
  FailInfo info = FailInfo::bad_request;
  std::string text;
  std::string cause = {};  // what the log may say and the answer not
  bool over = false;       // forbidden by the pipeline: what it had given may be over
};

// What a client can be answered under, read before anything is believed.
struct Header {
  std::string transaction;
  Bytes sender_nonce;
  int type = 0;
};

// A signed message, its signature not yet looked at. Views into `der`.
struct Message {
  Bytes der;
  cms::SignedView content;
  Header header;

  const cms::SignerInfo& signer() const { return content.signers.front(); }
};

// BER is welcome. malformed when there is nobody to answer: no SignedData of one signer with transactionID,
// messageType and senderNonce.
Result<Message> parse_message(ByteView ber);

enum class PkiStatus : std::uint8_t { success = 0, failure = 2, pending = 3 };

struct Reply {
  PkiStatus status = PkiStatus::failure;
  std::optional<Failure> failure;
  std::optional<Bytes> content;  // DER EnvelopedData, with success
};

// [worker] A CertRep, DER. `hash`: as the client signs.
Result<Bytes> sign_reply(const Header& header, const Reply& reply, crypto::Hash hash, Registrar& registrar);

}  // namespace hanaper::scep
