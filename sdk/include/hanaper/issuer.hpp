// Issuing: from "may I" to a certificate on disk, with the same refusals whichever protocol asks.
#pragma once

#include <hanaper/keys.hpp>
#include <hanaper/protocol.hpp>
#include <hanaper/stages.hpp>
#include <hanaper/storage.hpp>

#include <functional>

namespace hanaper {

// A certificate that is durable.
struct Issued {
  AuthorityId authority = 0;
  Serial serial;
  Bytes certificate;         // DER
  std::vector<Bytes> chain;  // DER; issuer first, self-signed root left out
  Time not_before;
  Time not_after;
};

// One wish for one certificate. Everything it views lives until issue() returns.
struct IssueRequest {
  std::string profile;    // one of the pipeline's; empty: its first
  std::string requester;  // "acme:account/...": for policies, ledger and audit
  ByteView csr;           // DER PKCS#10 (RFC 2986)
  // What the client has sent, where `csr` is made from it anew each time: a request that waits for approval
  // is known again by these octets.
  ByteView asked;
  // When set, the request must name exactly these, and nothing else is believed.
  std::optional<std::vector<Identifier>> names;
  // Wishes of the client: refused where the profile takes none, and beyond its lifetime.
  std::optional<Time> not_before;
  std::optional<Time> not_after;
  // How the names were proven, for policies and validators; see Draft.
  std::string account_uri;
  std::vector<Proof> proofs;
  // A name for this request among the pipeline's, at most 200 octets. For 90 days the same request under the
  // same name gives the same certificate, never a second one. Empty: each call is a request of its own; where
  // the pipeline wants approval, `approved_as` takes its place.
  std::string once;
  // A name for what is approved, of the same form as `once`. Empty: the requester, and the subject, key and
  // attributes of the request. challengePassword is not among them: a client has to change it when it comes
  // back (RFC 7030 4.2.3).
  std::string approved_as;
  // DER of the certificate that this is a renewal of; empty: it is none. A client that keeps its key asks for
  // the same each time, and an approval is for one renewal.
  ByteView renews;
  bool sha1 = false;  // the request may be signed with SHA-1, as old devices do; somebody vouches for its key
  // Committed with the intent, before the signature exists: claims the order for this very issuance.
  std::vector<RecordWrite> with_intent;
  // Called once; what it returns is committed with the signature: the order's memory of its certificate.
  std::function<std::vector<RecordWrite>(const Issued&)> with_record;
  // Called when the request begins to wait for approval, with its id; what it returns is committed with the
  // request: the order's memory that it waits.
  std::function<std::vector<RecordWrite>(std::string_view request)> with_pending;
  // notBefore and notAfter are no wishes of the client but the protocol's own (RFC 8739): cut to what the
  // authority allows, within the profile's lifetime.
  bool own_period = false;
};

// What a profile wants of certification requests, for protocols that tell clients beforehand.
struct RequestForm {
  enum class Subject : std::uint8_t { none, common_name, request };

  std::vector<KeySpec> key_types;  // the preferred one first
  Subject subject = Subject::none;
  std::vector<Identifier::Kind> names;     // kinds of subjectAltName; empty: none
  std::optional<std::uint16_t> key_usage;  // bits of RFC 5280 4.2.1.3 that every certificate gets
  std::vector<Bytes> extended_usages;      // OID contents that every certificate gets
};

struct ValidityPeriod {
  Time not_before;
  Time not_after;
};

struct CertificateStatus {
  CertificateRow row;
  Bytes certificate;  // DER; empty when never signed

  CertificateId id() const { return {row.authority, row.serial}; }
};

// One pipeline issues, revokes and knows its certificates. They are those of its authority, and of the
// authorities that this one has taken over from. Thread-safe; the host owns it and keeps it until it ends.
class Issuer {
 public:
  // [worker] Whether names and requester would be refused, before anybody proves anything. rejected,
  // forbidden, rate_limited; unsupported when the pipeline has no such profile.
  virtual Status permits(std::string_view profile, const std::vector<Identifier>& names,
                         std::string_view requester, Call& call) = 0;

  // [worker] A certificate, durable when this returns. bad_csr, bad_key, rejected, forbidden, rate_limited,
  // unsupported; conflict when a record written with it has moved, or `once` names another request; pending
  // where the pipeline wants approval, until somebody approves, and rejected when that is denied; forbidden
  // when what was issued under `once` has expired or was revoked; unavailable.
  virtual Result<Issued> issue(const IssueRequest& request, Call& call) = 0;

  // [worker] Revokes it, durably when this returns. not_found when no authority of this pipeline issued it;
  // conflict when it is revoked already; malformed for remove_from_crl; unavailable. A certificate on hold
  // may still be revoked for another reason. key_compromise blocks the key for ever and for everybody, where
  // whoever asks has shown the key or is an operator; false in `key_proven` says that only a name or an
  // order was shown, and the key stays free.
  virtual Status revoke(const CertificateId& id, RevocationReason reason, std::string_view requester,
                        Call& call, bool key_proven = true) = 0;

  // [worker] The certificate and what the ledger knows of it. not_found; unavailable.
  virtual Result<CertificateStatus> status(const CertificateId& id) = 0;

  // [worker] The same for a certificate given in DER. not_found unless this pipeline's authorities issued
  // exactly these octets; malformed; unavailable.
  virtual Result<CertificateStatus> identify(ByteView certificate) = 0;

  // [worker] The certificate with that serial number, of the authority with that key identifier: the octets
  // of an authorityKeyIdentifier. not_found; unavailable.
  virtual Result<CertificateId> find(ByteView authority_key, const Serial& serial) = 0;

  // [any] What a certificate with those wishes would get. rejected when they go beyond the profile;
  // unsupported when the pipeline has no such profile.
  virtual Result<ValidityPeriod> validity(std::string_view profile, std::optional<Time> not_before,
                                          std::optional<Time> not_after) const = 0;

  // [any] Names of the profiles it may issue, the default first.
  virtual std::vector<std::string> profiles() const = 0;

  // [any] What requests for that profile ought to look like; empty: for the default. unsupported when the
  // pipeline has no such profile.
  virtual Result<RequestForm> request_form(std::string_view profile) const = 0;

 protected:
  ~Issuer() = default;
};

// forbidden when it is revoked, on hold or not of that time; "the client certificate", say, begins the
// sentence.
inline Status check_current(const CertificateRow& row, Time now, std::string_view which) {
  if (row.revoked && !row.released) return forbidden(std::string(which) + " is revoked");
  if (now < row.not_before || row.not_after < now) return forbidden(std::string(which) + " has expired");
  return {};
}

// The profile that a certificate is renewed under: its own. forbidden when the pipeline does not have it.
inline Result<std::string> renewed_profile(const Issuer& issuer, const CertificateRow& row) {
  for (std::string& profile : issuer.profiles())
    if (profile == row.profile) return std::move(profile);
  return forbidden("certificates of profile " + row.profile + " are not renewed here");
}

}  // namespace hanaper
