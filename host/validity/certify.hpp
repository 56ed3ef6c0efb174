// Certificates that an authority makes out to the host itself, for those who act in its name.
#pragma once

#include "../issuance/authority.hpp"
#include "../services/roles.hpp"
#include "../services/writer.hpp"

#include <hanaper/protocol.hpp>

namespace hanaper::validity {

// The host's parts that code acting for an authority uses. They outlive that code.
struct Context {
  Storage& storage;
  services::Writer& writer;
  const Clock& clock;
  Log& log;
  std::string node;
  services::Roles& roles;
};

struct Delegation {
  std::string profile;  // "ocsp-responder": in the ledger and the audit
  Bytes subject;        // whole Name, DER
  ByteView spki;
  Bytes key_identifier = {};  // empty: made of the key (RFC 5280 4.2.1.2)
  std::uint16_t key_usage = 0;
  std::vector<x509::Extension> extensions;
  Time not_after;
  std::optional<Time> not_before = {};  // nothing: a little before now, for clients whose clocks are behind
  std::uint32_t shard = 0;              // of the CRL that will list it
  // Committed with the intent, and with the signature.
  std::vector<RecordWrite> with_intent = {};
  std::function<std::vector<RecordWrite>(ByteView certificate)> with_record = {};
};

// [worker] The certificate, DER, durable. conflict when a record of the intent has moved; unavailable.
Result<Bytes> certify(const issuance::Authority& authority, const Context& context,
                      const Delegation& delegation, Call& call);

}  // namespace hanaper::validity
