// Reading certificates and certification requests: views into the input, nothing copied, nothing decoded
// that was not asked for.
#pragma once

#include <hanaper/toolkit/der.hpp>
#include <hanaper/toolkit/signature_algorithm.hpp>

namespace hanaper::x509 {

struct ExtensionView {
  ByteView oid;
  bool critical = false;
  ByteView value;  // content of extnValue
};

// A TBSCertificate (RFC 5280 4.1.2). Input: at most 64 KiB, at most 64 extensions, none twice.
struct TbsView {
  ByteView whole;
  unsigned version = 0;  // 3 for v3
  Serial serial;
  ByteView signature_algorithm;  // whole AlgorithmIdentifier
  ByteView issuer;               // whole Name
  std::uint8_t not_before_tag = 0;
  std::uint8_t not_after_tag = 0;
  Time not_before;
  Time not_after;
  ByteView subject;  // whole Name
  ByteView spki;     // whole SubjectPublicKeyInfo
  bool has_unique_identifiers = false;
  std::vector<ExtensionView> extensions;

  const ExtensionView* find(ByteView oid) const noexcept {
    for (const ExtensionView& extension : extensions)
      if (equal(extension.oid, oid)) return &extension;
    return nullptr;
  }
};

struct CertificateView : TbsView {
  ByteView der;
  ByteView outer_algorithm;  // whole AlgorithmIdentifier
  ByteView signature;
};

// Readers have one of two attitudes. These two are strict: for certificates that somebody relies on, of ours
// or of another authority. foreign_extension is for certificates that vouch for nothing, in which a protocol
// gives a meaning to one extension.
Result<TbsView> parse_tbs(ByteView tbs);
Result<CertificateView> parse_certificate(ByteView der);

// One extension of a certificate; nothing when it has none of that kind. The rest is passed over unread:
// programs make such certificates with serial numbers, dates, versions, names and keys that no authority
// would give. malformed when it is no certificate of at most 64 KiB, or has the extension twice.
Result<std::optional<ExtensionView>> foreign_extension(ByteView certificate, ByteView oid);

// Certificate ::= SEQUENCE { tbs, its own signature algorithm, signature }; `tbs` must be one that
// parse_tbs accepts.
Bytes assemble_certificate(ByteView tbs, ByteView signature);

// A PKCS#10 CertificationRequest (RFC 2986 4). Input: at most 64 KiB. Strict in what is certified or proves
// something (names, extensions, key, signature), lenient in the rest: any version is taken.
struct CsrView {
  ByteView der;
  ByteView info;     // whole CertificationRequestInfo, what the signature covers
  ByteView subject;  // whole Name
  ByteView spki;
  ByteView attributes;  // Attribute values one after the other, each well formed
  std::vector<ExtensionView>
      extensions;                  // of extensionRequest, or of the attribute that Microsoft has for it
  std::string challenge_password;  // RFC 2985 5.4.1, UTF-8 where it is a BMPString; empty when absent
  ByteView algorithm;              // AlgorithmIdentifier of the signature; looked at with it, by verify_csr
  ByteView signature;

  const ExtensionView* find(ByteView oid) const noexcept {
    for (const ExtensionView& extension : extensions)
      if (equal(extension.oid, oid)) return &extension;
    return nullptr;
  }
};

// The content octets of an attribute's SET of values; nothing when the request has no such attribute.
std::optional<ByteView> find_attribute(const CsrView& csr, ByteView oid);

// bad_csr when it is not one; the signature is not looked at.
Result<CsrView> parse_csr(ByteView der);
// Proof of possession: the signature under the request's own key; RSA with SHA-1 only with `sha1`. bad_csr,
// bad_key.
Status verify_csr(const CsrView& csr, bool sha1 = false);

}  // namespace hanaper::x509
