// Cryptographic Message Syntax (RFC 5652), as far as enrolment protocols use it: SignedData read, verified
// and written, EnvelopedData read and written. Private keys act through Key or Registrar only, so that they
// may live in a token.
//
// Readers take DER. What may come as BER goes through to_der first. Nothing here holds state.
#pragma once

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/der.hpp>

#include <functional>

namespace hanaper::cms {

// One message; larger ones are malformed.
inline constexpr std::size_t max_size = 1024 * 1024;

// The same value in definite, minimal lengths and with strings of one piece: what X.690 8 allows beyond 10,
// as far as senders of CMS use it. Sets keep their order. malformed for what is no BER, is nested more than
// 32 levels deep or has more than 20,000 elements.
Result<Bytes> to_der(ByteView ber);

// A ContentInfo of SignedData without content and signers (RFC 5652 5.2, RFC 5272 4.1), certificates and
// CRLs in the order given.
Bytes certs_only(const std::vector<ByteView>& certificates, const std::vector<ByteView>& crls = {});

// Attribute ::= SEQUENCE { type, values }.
struct Attribute {
  Bytes type;    // OID content
  Bytes values;  // the elements of the SET, one after the other
};

// SignedData with one signer, by issuerAndSerialNumber, with signed attributes: contentType and
// messageDigest are added to `attributes`.
struct SignedContent {
  ByteView content_type;            // OID content
  std::optional<ByteView> content;  // nothing: the SignedData has none, and the digest is that of no octets
  std::vector<Attribute> attributes;
  crypto::Hash hash = crypto::Hash::sha256;
  std::optional<SignatureScheme> scheme =
      {};                              // of the signature, and of the digest; nothing: RSA with `hash`
  ByteView signer;                     // DER certificate, of a key that fits
  std::vector<ByteView> certificates;  // to send along
};
// Signs DER SignedAttributes.
using Sign = std::function<Result<Bytes>(SignatureScheme scheme, ByteView signed_attributes)>;

// [worker] A ContentInfo, DER. Failures are those of `sign`.
Result<Bytes> sign(const SignedContent& content, const Sign& sign);

struct SignerInfo {
  ByteView issuer, serial;  // whole Name and INTEGER content; empty when named by key_identifier
  ByteView key_identifier;
  ByteView digest_algorithm;     // OID content
  ByteView signed_attributes;    // content of the SET; empty: none
  ByteView signature_algorithm;  // whole AlgorithmIdentifier
  ByteView signature;

  // The only value of an attribute, whole; malformed when it is there with another number of values or
  // twice, not_found when absent.
  Result<der::Element> attribute(ByteView type) const;
};

struct SignedView {
  ByteView content_type;            // OID content
  std::optional<ByteView> content;  // content of the OCTET STRING
  std::vector<ByteView> certificates;
  std::vector<SignerInfo> signers;
};

// A ContentInfo of SignedData: at most 16 certificates and 4 signers. Views into the input.
Result<SignedView> parse_signed(ByteView der);

// The parts of a self-signed certificate that a message refers to. It must be readable and nothing more,
// because it vouches for nothing: devices use serial numbers in it that no CA would give.
struct Holder {
  ByteView der;
  ByteView issuer, subject;  // whole Names
  ByteView serial;           // INTEGER content
  ByteView spki;
  ByteView key_identifier;  // empty: none
};
Result<Holder> parse_holder(ByteView der);

// The certificate among `certificates` that the signer names; not_found when it is not there.
Result<Holder> find_signer(const SignedView& view, const SignerInfo& signer);

// The hash of a digest algorithm; unsupported for all but SHA-256, SHA-384 and SHA-512, and SHA-1 where
// `legacy` says so.
Result<crypto::Hash> hash_of(ByteView digest_algorithm, bool legacy);

// Whether the signer's signed attributes are there, name the content's type and digest, and are signed under
// `spki`. malformed, forbidden when digest or signature is wrong, unsupported for an algorithm, bad_key.
Status verify(const SignedView& view, const SignerInfo& signer, ByteView spki, bool legacy = false);

enum class Cipher : std::uint8_t { aes128_cbc, aes192_cbc, aes256_cbc, des3_cbc };

struct EnvelopedView {
  struct Recipient {
    ByteView issuer, serial;  // of its certificate; empty when named by key_identifier
    ByteView key_identifier;  // its certificate's subjectKeyIdentifier
    ByteView encrypted_key;   // RSA PKCS#1 v1.5
  };
  std::vector<Recipient> recipients;  // those of RSA keys; others are passed over
  ByteView content_type;
  Cipher cipher = Cipher::aes128_cbc;
  ByteView iv;
  Bytes ciphertext;  // in one piece, however it came
};

// A ContentInfo of EnvelopedData: at most 16 recipients. unsupported for another cipher.
Result<EnvelopedView> parse_enveloped(ByteView der);

// [worker] The content, where `decrypt` opens one recipient's encrypted key. Whatever fails fails alike and
// after like work: a key that cannot be opened is replaced by a random one (RFC 3218 2.3.2), and the only
// error is malformed (and unavailable, of the key's provider). Not for those who answer strangers: see
// open_der.
using Decrypt = std::function<Result<Secret>(ByteView encrypted_key)>;
Result<Secret> open(const EnvelopedView& view, const EnvelopedView::Recipient& recipient,
                    const Decrypt& decrypt);

// What an envelope holds that is one DER value, or claims to.
struct DerContent {
  Secret octets;        // as long as the DER says
  bool intact = false;  // they were whole, and the right padding followed
};

// [worker] As open, for envelopes from strangers. A sender that can tell, by word or by time, whether the
// padding of a changed envelope was right can decrypt it, an octet every 256 messages. So the padding does
// not decide what `octets` are. Treat them as if they were intact, judge `intact` together with the last
// proof that the sender knew them (a signature within), and give one answer for both.
Result<DerContent> open_der(const EnvelopedView& view, const EnvelopedView::Recipient& recipient,
                            const Decrypt& decrypt);

// Who an envelope is for.
struct Recipient {
  ByteView certificate;            // DER, of an RSA or EC key; or
  const Secret* secret = nullptr;  // an AES key, and
  ByteView secret_identifier;      // its name
  bool by_key_identifier = false;  // name the certificate by its subjectKeyIdentifier
};

// A ContentInfo of EnvelopedData, DER. bad_key when the recipient's key is of no use for it.
Result<Bytes> envelop(ByteView content_type, ByteView content, const Recipient& recipient, Cipher cipher);

}  // namespace hanaper::cms
