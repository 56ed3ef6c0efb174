// Certificate Management over CMS (RFC 5272): what a Full PKI Request says, and what answers it.
#pragma once

#include <hanaper/toolkit/cms.hpp>

namespace hanaper::est::cmc {

// INTEGER (0..4294967295), unique within one message; 0 is the message itself.
using BodyPartId = std::uint32_t;

// RFC 5272 6.1.3.
enum class CmcStatus : std::uint8_t { success = 0, failed = 2, pending = 3, no_support = 4 };

// RFC 5272 6.1.4.
enum class FailInfo : std::uint8_t {
  bad_algorithm = 0,
  bad_message_check = 1,
  bad_request = 2,
  bad_identity = 7,
  pop_failed = 9,
  internal_error = 11,
  try_later = 12
};

struct IdentityProof {
  BodyPartId id = 0;
  crypto::Hash hash = crypto::Hash::sha256;
  bool supported = false;  // both algorithms: SHA-2, and HMAC with SHA-256
  ByteView witness;
};

// RFC 5272 3.2.1. Views into the message.
struct PkiData {
  struct Request {
    enum class Kind : std::uint8_t { pkcs10, crmf, other };

    BodyPartId id = 0;
    Kind kind = Kind::pkcs10;
    ByteView csr;  // whole CertificationRequest, where it is one
  };
  struct Query {
    BodyPartId id = 0;
    ByteView token;
  };

  std::optional<ByteView> transaction;  // INTEGER content
  std::optional<ByteView> sender_nonce;
  std::optional<ByteView> data_return;
  std::optional<ByteView> identification;  // UTF-8
  std::optional<IdentityProof> proof;
  std::vector<Query> queries;
  std::vector<BodyPartId> refused;  // controls that are not known here, are there twice, or say nothing
  std::vector<Request> requests;
  ByteView request_sequence;  // whole: what identity is proven over
};

// At most 16 requests and 32 controls. malformed for what is no PKIData, or names a body part twice.
Result<PkiData> parse_pki_data(ByteView der);

// What became of body parts (RFC 5272 6.1.1).
struct Outcome {
  struct Pending {
    Bytes token;
    Time again;
  };

  CmcStatus status = CmcStatus::success;
  std::vector<BodyPartId> of;  // not empty
  std::string text = {};
  std::optional<FailInfo> fail_info = {};  // with failed
  std::optional<Pending> wait = {};        // with pending
};

// DER PKIResponse (RFC 5272 4.2.1): the outcomes, and what of the request has to come back.
Bytes pki_response(const std::vector<Outcome>& outcomes, const PkiData& request);

// RFC 5272 6.2.1, 6.2.3: whether the proof was made with that secret.
bool is_proven(const PkiData& request, std::string_view secret);

}  // namespace hanaper::est::cmc
