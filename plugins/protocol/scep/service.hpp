// The operations of one endpoint.
#pragma once

#include "challenges.hpp"
#include "message.hpp"
#include "webhook.hpp"

#include <hanaper/host.hpp>
#include <hanaper/toolkit/certificate.hpp>

namespace hanaper::scep {

// What GetCACert answers.
enum class CaCertificates : std::uint8_t {
  as_many,   // one certificate as it is, several as SignedData
  one,       // the one that answers clients, and no other
  in_a_list  // SignedData, also of one
};

struct Options {
  std::optional<Secret> challenge;             // one for everybody
  std::optional<Webhook::Place> webhook = {};  // knows challenges that we do not
  bool legacy = false;                         // 3DES and SHA-1 as well
  bool chain = true;                           // send the authority's certificates with the issued one
  std::chrono::milliseconds renewal_grace{};   // after its end a certificate renews itself still
  bool renewals = true;                        // a certificate of ours speaks for its owner
  bool list_renewals = true;                   // and GetCACaps says so
  CaCertificates ca_certificates = CaCertificates::as_many;
};

inline constexpr std::uint64_t body_limit = 256 * 1024;

// Thread-safe.
class Service {
 public:
  Service(Options options, Host& host, std::string_view pipeline);

  Response handle(const Request& request, Call& call);

  // [worker] A challenge that is good once, durable when it returns. malformed for names without a subject.
  Result<Challenges::Made> make_challenge(const Challenge& wanted, std::chrono::milliseconds lifetime,
                                          Call& call);
  Result<std::vector<Challenges::Listed>> challenges() const { return challenges_.list(); }
  // not_found.
  Status withdraw_challenge(std::string_view id, Call& call);

 private:
  // A request whose signature is good. Everybody can sign one, around a content that somebody else has
  // encrypted: what the content is must not show before it has proved that the signer knew it.
  struct Opened {
    Message message;
    cms::Holder signer;  // into the message
    crypto::Hash hash = crypto::Hash::sha256;
    cms::Cipher cipher = cms::Cipher::aes128_cbc;
    cms::DerContent content;
    std::optional<CertificateStatus> known;  // the signer's certificate, when it is one of ours
    std::string transaction;                 // key of its record
  };
  // Why a request may be granted, and what is to be written with the grant.
  struct Grant {
    std::string requester;
    std::string profile;
    Bytes csr;
    std::vector<RecordWrite> writes;
    bool by_challenge = false;
    bool keep = false;            // remember it whatever comes: it cannot be granted again
    std::uint64_t version = 0;    // of the transaction's record
    std::int64_t generation = 0;  // how often the same was asked before and is over
    bool remembered = false;
  };
  // An answer, a FAILURE, or an error that only HTTP can present.
  template <class T>
  using Outcome = std::variant<T, Failure, Error>;

  std::string capabilities() const;
  std::vector<Bytes> ca_certificates_to_send(const Registrar& registrar) const;
  Result<Response> ca_certificates(Call& call);
  Result<Response> next_ca_certificates();
  Result<Response> pki_operation(const Request& request, Call& call);

  Outcome<Opened> open(Message message, Registrar& registrar, crypto::Hash& hash);
  Outcome<cms::DerContent> decrypt(ByteView enveloped, Registrar& registrar, cms::Cipher& cipher);
  bool is_ours(const cms::EnvelopedView::Recipient& recipient, Registrar& registrar);

  Outcome<Bytes> answer(const Opened& opened, Call& call);
  Outcome<x509::CsrView> read_request(const Opened& opened) const;
  Outcome<Bytes> enrol(const Opened& opened, Call& call);
  Outcome<Bytes> issue_anew(const Opened& opened, Grant grant, const std::optional<Grant>& before,
                            Call& call);
  Outcome<Bytes> poll(const Opened& opened, Call& call);
  Outcome<Bytes> get_certificate(const Opened& opened);
  Outcome<Bytes> get_crl(const Opened& opened);
  Outcome<CertificateId> certificate_named(const Opened& opened) const;
  Outcome<Bytes> seal(const Opened& opened, ByteView content) const;
  Outcome<Bytes> issue(const Opened& opened, const Grant& grant, Call& call);
  Outcome<Grant> authorise(const Opened& opened, const x509::CsrView& csr, Call& call);
  Outcome<Grant> authorise_renewal(const Opened& opened, const x509::CsrView& csr,
                                   const CertificateStatus& known) const;
  bool is_revoked(const CertificateStatus& known) const;
  Outcome<Grant> authorise_challenge(const Opened& opened, const x509::CsrView& csr, Call& call);
  Outcome<Grant> authorise_elsewhere(const Opened& opened, const x509::CsrView& csr, Call& call);
  Result<std::optional<Grant>> remembered(const Opened& opened) const;
  RecordWrite remember(const Opened& opened, const Grant& grant) const;

  void report(const Header& header, const Failure& failure, const Request& request, Call& call);
  Response present(const Error& error, Call& call) const;

  const Options options_;
  Host& host_;
  Issuer& issuer_;
  Trust& trust_;
  Collection& transactions_;
  Challenges challenges_;
  std::optional<Webhook> webhook_;  // constant once constructed
  Counter& issued_;
  Counter& pending_;
  Counter& failed_;
};

}  // namespace hanaper::scep
