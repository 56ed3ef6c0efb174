// The open slots of the issuing spine. The configuration fills them; it never reorders them.
//
//   authenticate -> policy -> (the host draws up the certificate) -> validate -> (reserve, sign, record)
//
// What comes after that, publish and notify, is in events.hpp.
#pragma once

#include <hanaper/http.hpp>
#include <hanaper/keys.hpp>
#include <hanaper/plugin.hpp>
#include <hanaper/protocol.hpp>

namespace hanaper {

// One attribute of a distinguished name: dotted object identifier and UTF-8 value. One that is `joined`
// stands in the same relative distinguished name as the one before it ("CN=a+serialNumber=1").
struct NameAttribute {
  std::string oid;
  std::string value;
  bool joined = false;
  auto operator<=>(const NameAttribute&) const = default;
};

// How control over a name was shown.
struct Proof {
  Identifier name;     // as in the certificate
  std::string method;  // the name of the ACME challenge: "dns-01"
};

// The certificate that is about to be made. Policies may amend what is not const to them; validators see the
// very octets that would be signed.
struct Draft {
  std::string_view pipeline;
  std::string_view profile;
  std::string_view authority;
  std::string_view requester;  // "acme:account/...": who asked, for policies and the audit
  ByteView csr;                // DER; empty when the host made the key itself
  ByteView spki;               // DER SubjectPublicKeyInfo, already checked
  KeySpec key;

  std::vector<NameAttribute> subject;  // amendable
  std::vector<Identifier> names;       // amendable
  Time not_before;                     // amendable
  Time not_after;                      // amendable

  ByteView tbs;  // DER TBSCertificate; empty before validation

  std::string_view account_uri;   // whose request it is (RFC 8657 3); empty: nobody's with an account
  std::span<const Proof> proofs;  // at most one for each name; none when names were not proven
};

// Who sends an HTTP request.
struct Identity {
  std::string name;                // "mtls:3f2a...", "password:router-7": becomes the requester
  std::vector<std::string> roles;  // "ra": may ask for certificates of others (RFC 7030 3.7)
  // Nothing but a certificate of ours says so, the one that TLS has shown: who is known by it, and is no
  // "ra", may ask for what it certifies already and for nothing else.
  bool by_certificate = false;
  // Which names it may ask for, where that was said, as patterns (toolkit/name_pattern.hpp); each of these
  // lists has to cover each name. None: any. An "ra" asks for others.
  std::vector<std::vector<std::string>> bound_to = {};
};

// Finds out who sends an HTTP request.
class Authenticator : public Plugin {
 public:
  // [worker] unauthenticated when the request carries no credentials of this kind or wrong ones; the detail
  // tells the peer no more than which kind. forbidden when they are known to be bad: then nobody else is asked.
  virtual Result<Identity> authenticate(const Request& request, Call& call) = 0;

  // [any] The WWW-Authenticate value (RFC 9110 11.6.1) that asks for such credentials; empty when HTTP has
  // none for them, as for certificates.
  virtual std::string challenge() const { return {}; }
};

class Policy : public Plugin {
 public:
  // [worker] May amend the draft, or refuse it: rejected, forbidden, rate_limited.
  virtual Status decide(Draft& draft, Call& call) = 0;
};

class Validator : public Plugin {
 public:
  // [worker] May only refuse: rejected, bad_csr, bad_key.
  virtual Status validate(const Draft& draft, Call& call) = 0;
};

}  // namespace hanaper
