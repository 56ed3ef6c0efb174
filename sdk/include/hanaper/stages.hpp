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

  // Drawn up for a self-test; nobody will get it. Its names belong to nobody and its key is random octets.
  bool rehearsal = false;
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
  // tells the peer no more than which kind. forbidden when they are known to be bad: then nobody else is
  // asked.
  virtual Result<Identity> authenticate(const Request& request, Call& call) = 0;

  // [any] The WWW-Authenticate value (RFC 9110 11.6.1) that asks for such credentials; empty when HTTP has
  // none for them, as for certificates.
  virtual std::string challenge() const { return {}; }
};

// The authenticators of one pipeline, as the host asks them for a protocol. Thread-safe; the host owns it and
// keeps it until it ends.
class Authentication {
 public:
  // [worker] Who sends the request, as the first authenticator says that knows the sender. Where the
  // configuration says `all`, every one has to know the sender: the name is then the first one's, and the
  // roles are those of all. unauthenticated when nobody knows the sender, or the pipeline has no
  // authenticators; unavailable.
  virtual Result<Identity> authenticate(const Request& request, Call& call) = 0;

  // [any] The WWW-Authenticate values (RFC 9110 11.6.1) of a 401, one for each authenticator that has one.
  virtual std::vector<std::string> challenges() const = 0;

 protected:
  ~Authentication() = default;
};

// Decides who may have which certificate. Thread-safe.
class Policy : public Plugin {
 public:
  // [worker] Success, with a draft that it may have amended, or a refusal: rejected, forbidden, rate_limited;
  // unavailable when it cannot decide now. The draft and what it views live until the call returns.
  virtual Status decide(Draft& draft, Call& call) = 0;
};

// Looks at the finished certificate before it is signed. Thread-safe.
//
// The host calls validators for self-tests too: at start, at a reload and for `hanaper check --deep` it draws
// up a certificate of each profile and key type, and a refusal ends the start or the reload. Then
// `Draft::rehearsal` is set, and the call comes on [main].
class Validator : public Plugin {
 public:
  // [worker] Success, or why this certificate must not be: rejected, bad_csr, bad_key; unavailable when that
  // cannot be found out now. The draft and what it views live until the call returns.
  virtual Status validate(const Draft& draft, Call& call) = 0;
};

}  // namespace hanaper
