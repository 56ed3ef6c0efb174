// Validity: what whoever publishes the status of certificates needs of the authority that issued them.
#pragma once

#include <hanaper/keys.hpp>
#include <hanaper/protocol.hpp>
#include <hanaper/storage.hpp>

#include <functional>
#include <memory>

namespace hanaper {

// Who signs OCSP responses: a certificate and the one thing its key does here. Thread-safe.
class Responder {
 public:
  virtual ~Responder() = default;

  // [any] DER; the authority's own when it signs itself, and then delegated() is false.
  virtual ByteView certificate() const noexcept = 0;
  virtual bool delegated() const noexcept = 0;
  // [any] RFC 6960 4.2.1 KeyHash: SHA-1 of the certificate's key bits.
  virtual ByteView key_hash() const noexcept = 0;
  // [any] No response may be valid for longer.
  virtual Time not_after() const noexcept = 0;
  virtual SignatureScheme scheme() const noexcept = 0;  // [any]

  // [worker] The signature over DER ResponseData (RFC 6960 4.2.1); malformed for anything else.
  virtual Result<Bytes> sign(ByteView response_data) = 0;

 protected:
  Responder() = default;
};

// A number that was given out, and with it the right to sign one CRL and store it.
struct CrlTicket {
  CrlRow row;
  Fence fence;
};

// The shard of authorities' certificates where they are on a CRL of their own. The others' are below.
inline constexpr std::uint32_t authority_shard = 1'000'000;
// What is revoked by its serial number alone: nobody knows which CRL its certificate names, so that every CRL
// of its authority lists it.
inline constexpr std::uint32_t every_shard = 1'000'001;

// One authority as those see it who publish what became of its certificates. Its key signs CRLs and OCSP
// responses for them, and nothing else. Thread-safe.
class StatusAuthority {
 public:
  using Watcher = std::function<void(const RevocationRow&)>;

  virtual const std::string& name() const = 0;  // [any] as configured

  // [any] 0 and empty while it has no certificate; the same for ever once it has. DER.
  virtual AuthorityId id() const = 0;
  virtual ByteView certificate() const = 0;
  virtual ByteView key_identifier() const = 0;

  // [any] Where certificates of that shard say that their complete CRL is: new ones first, then earlier ones.
  virtual std::vector<std::string> crl_urls(std::uint32_t shard) const = 0;

  // [worker] The ledger's answers about this authority's certificates; see Ledger.
  virtual Result<CertificateRow> find(const Serial& serial) = 0;
  virtual Result<std::vector<CertificateRow>> search(CertificateQuery query) = 0;
  // A CRL of a shard has the revocations of that shard and those of every_shard.
  virtual Result<std::vector<RevocationRow>> revocations(std::uint32_t shard, const Serial& after,
                                                         std::uint32_t limit) = 0;
  virtual Result<std::vector<CrlRow>> crls(std::uint32_t shard, std::uint32_t limit) = 0;
  virtual Result<CrlRow> newest_crl(std::uint32_t shard, bool delta) = 0;

  // [worker] Who signs its OCSP responses. With a key type: a responder that the host has certified with a
  // key of that kind, and certifies again in time; without: the authority itself. unavailable.
  virtual Result<std::shared_ptr<Responder>> responder(std::optional<KeyType> delegate, Call& call) = 0;

  // How its CRLs are signed. [any]
  virtual SignatureScheme crl_scheme() const = 0;

  // [worker] Takes the right to make CRLs of that shard, before what is on the next one is read; the number
  // that it will have. conflict while another node has that right.
  virtual Result<std::uint64_t> claim_crl(std::uint32_t shard) = 0;

  // [worker] Spends the number that was claimed on the CRL that `row` describes; the authority is filled in.
  // conflict when another CRL of that shard was begun since, on which there may be more, or while another
  // node has the right to make them.
  virtual Result<CrlTicket> begin_crl(CrlRow row, Call& call) = 0;

  // [worker] The signature of the TBSCertList with that digest; for Ed25519, which has no such form, the
  // TBSCertList itself.
  virtual Result<Bytes> sign_crl(const CrlTicket& ticket, ByteView digest, Call& call) = 0;

  // [worker] Remembers a CRL that is whole and signed. conflict when the right to make it was lost meanwhile:
  // then it must not be published.
  virtual Status finish_crl(const CrlTicket& ticket, const Fingerprint& hash, std::uint64_t size,
                            Call& call) = 0;

  // The complete CRL of one shard as it is published now: DER. not_found while there is none; unsupported
  // when it is larger than `limit`; unavailable.
  using CrlSource = std::function<Result<Bytes>(ByteCount limit)>;
  // [worker] What the source says; not_found when nobody publishes it.
  virtual Result<Bytes> crl(std::uint32_t shard, ByteCount limit) = 0;

 protected:
  ~StatusAuthority() = default;
};

}  // namespace hanaper
