#include "signing.hpp"

#include "../services/audit.hpp"

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/crypto.hpp>

namespace hanaper::issuance {

Write intent_of(const Signing& signing, Time now) {
  Write write;
  write.reservation = Reservation{.authority = signing.authority,
                                  .serial = signing.serial,
                                  .profile = signing.profile,
                                  .requester = signing.requester,
                                  .not_before = signing.not_before,
                                  .not_after = signing.not_after,
                                  .shard = signing.shard,
                                  .tbs = signing.tbs,
                                  .pipeline = signing.pipeline};
  std::vector<LogField> fields{{"authority", std::string(signing.authority_name)},
                               {"serial", signing.serial.hex()}};
  if (signing.subject.empty()) {
    fields.push_back({"profile", std::string(signing.profile)});
    fields.push_back({"requester", std::string(signing.requester)});
  } else {
    fields.push_back({"for", std::string(signing.subject)});
  }
  fields.push_back({"tbs", to_hex(crypto::sha256(signing.tbs))});
  if (!signing.call.empty()) fields.push_back({"call", std::string(signing.call)});
  write.audit = services::audit_line(now, "sign.intent", fields);
  return write;
}

Write record_of(const Signing& signing, ByteView signature, ByteView certificate, Time now) {
  Write write;
  write.recording = Recording{signing.authority, signing.serial, signature, now};
  std::vector<LogField> fields{{"authority", std::string(signing.authority_name)},
                               {"serial", signing.serial.hex()},
                               {"certificate", to_hex(crypto::sha256(certificate))}};
  if (!signing.call.empty()) fields.push_back({"call", std::string(signing.call)});
  write.audit = services::audit_line(now, "signed", fields);
  return write;
}

Result<Bytes> sign_recorded(services::Writer& writer, const Clock& clock, const Signing& signing,
                            const std::function<Result<Bytes>(ByteView tbs)>& sign, const Extensions& extend,
                            Deadline deadline) {
  Write intent = intent_of(signing, clock.now());
  if (extend.intent) extend.intent(intent);
  HANAPER_CHECK(writer.commit(intent, deadline));
  HANAPER_TRY(const Bytes signature, sign(signing.tbs));
  Bytes certificate = x509::assemble_certificate(signing.tbs, signature);
  Write record = record_of(signing, signature, certificate, clock.now());
  if (extend.record) HANAPER_CHECK(extend.record(record, certificate));
  HANAPER_CHECK(writer.commit(record, deadline, ExpiryChange{expiry_day(signing.not_after), 1}));
  return certificate;
}

}  // namespace hanaper::issuance
