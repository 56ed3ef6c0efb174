// The operations of one label.
#pragma once

#include "full_cmc.hpp"
#include "key_delivery.hpp"

#include <hanaper/host.hpp>
#include <hanaper/toolkit/certificate.hpp>

namespace hanaper::est {

enum class ChannelBinding : std::uint8_t { off, if_present, required };

struct Options {
  ChannelBinding channel_binding = ChannelBinding::if_present;
  std::vector<Bytes> csr_attributes;  // elements of CsrAttrs
  bool csr_template = false;          // one more of them, from the profile
  std::optional<KeySpec> server_key;  // what serverkeygen makes; nothing: not offered
  TransportKeys transport_keys;
  std::optional<CmcSecrets> full_cmc = {};  // nothing: not offered
  bool lines = false;                       // base64 in lines
};

// A CSR of 64 KiB in base64 with line breaks.
inline constexpr std::uint64_t body_limit = 96 * 1024;

// Whether a label would be taken for an operation. RFC 7030 3.2.2: "the CA label MUST NOT be the same as any
// defined operation path segment."
bool is_operation(std::string_view segment);

// Thread-safe.
class Service {
 public:
  Service(Options options, Host& host, std::string_view pipeline);

  Response handle(const Request& request, Call& call);

 private:
  // Who asks, and for what: what enrolments have in common.
  struct Asked {
    Identity identity;
    Bytes body;  // `csr` looks into it
    x509::CsrView csr;
    std::string profile = {};
    ByteView renews = {};  // the certificate shown, where the request stands on it
  };

  Result<Response> dispatch(const Request& request, Call& call);
  Result<Response> ca_certificates() const;
  Result<Response> csr_attributes() const;
  Result<Response> simple_enroll(const Request& request, Call& call);
  Result<Response> simple_reenroll(const Request& request, Call& call);
  Result<Response> server_keygen(const Request& request, Call& call);

  Result<Response> full_cmc(const Request& request, Call& call);

  Result<Asked> read(const Request& request, Call& call);
  Status check_channel_binding(const Request& request, const Identity& identity,
                               const x509::CsrView& csr) const;
  Status check_bound(const Identity& identity, const x509::CsrView& csr) const;
  Result<std::string> check_holder(const Request& request, const Identity& identity,
                                   const x509::CsrView& csr) const;
  Result<std::string> check_renewal(const Request& request, const Asked& asked) const;
  Result<Issued> issue(const Asked& asked, ByteView csr, Call& call);
  Response certificate_response(ByteView certificate) const;
  void report(const Error& error, const Request& request, Call& call);
  Response present(const Error& error, Call& call) const;
  std::string encoded(ByteView octets) const;

  const Options options_;
  Host& host_;
  Issuer& issuer_;
  Trust& trust_;
  Authentication& authentication_;
  std::optional<FullCmc> full_cmc_;  // constant once constructed
  Counter& enrolled_;
  Counter& pending_;
  Counter& refused_;
};

}  // namespace hanaper::est
