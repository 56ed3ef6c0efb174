// The certificate that answers a tls-alpn-01 validation.
#include "fuzz.hpp"
#include "methods.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  const ByteView certificate(data, size);
  for (const Identifier& identifier : {Identifier{Identifier::Kind::dns, "host.example.test"},
                                       Identifier{Identifier::Kind::ip, "192.0.2.1"}}) {
    fuzz::require(!acme::judge_tls_alpn_01(identifier, certificate, "h2", "token.thumbprint").has_value());
    (void)acme::judge_tls_alpn_01(identifier, certificate, "acme-tls/1", "token.thumbprint");
    (void)acme::tls_server_name(identifier);
  }
  return 0;
}
