// The rule that everything signed here follows, written once: what will be signed is stored as intent, then
// the key is asked, then the signature is stored. Whatever dies in between, the ledger knows of every
// certificate that anybody can hold.
#pragma once

#include "../services/writer.hpp"

namespace hanaper::issuance {

// One signature over a TBSCertificate. Views live as long as the steps that use them.
struct Signing {
  AuthorityId authority = 0;
  std::string_view authority_name;
  Serial serial;
  std::string_view profile;  // "authority", "ocsp-responder": in the ledger and the audit
  std::string_view requester;
  Time not_before, not_after;
  std::uint32_t shard = 0;  // of the CRL that will list it
  ByteView tbs;
  std::string_view pipeline = {};  // through which it was asked for; empty: the host makes it out to itself
  std::string_view subject = {};   // whom the host makes it out to, for the audit; empty: whoever asks
  std::string_view call = {};      // id of the work, for the audit; empty: none
};

// The intent, to be committed before the key is asked.
Write intent_of(const Signing& signing, Time now);

// The signature, to be committed before anybody gets the certificate, whose DER is given.
Write record_of(const Signing& signing, ByteView signature, ByteView certificate, Time now);

// The days since 1970 under which an expiry is counted.
inline std::int64_t expiry_day(Time not_after) {
  return std::chrono::floor<std::chrono::days>(not_after).time_since_epoch().count();
}

// [worker] All three steps, for certificates that the host makes out to itself. `extend` adds to the intent
// and, with the certificate, to the record. The certificate, DER, durable. conflict when a document of the
// intent has moved; unavailable.
struct Extensions {
  std::function<void(Write&)> intent = {};
  std::function<Status(Write&, ByteView certificate)> record = {};
};
Result<Bytes> sign_recorded(services::Writer& writer, const Clock& clock, const Signing& signing,
                            const std::function<Result<Bytes>(ByteView tbs)>& sign, const Extensions& extend,
                            Deadline deadline);

}  // namespace hanaper::issuance
