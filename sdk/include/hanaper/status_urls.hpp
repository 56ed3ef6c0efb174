// Where the status of certificates is found: what protocols that serve CRLs or OCSP tell the host.
#pragma once

#include <hanaper/plugin.hpp>

#include <optional>

namespace hanaper {

// CRLs that divide one authority's certificates, beside shard 0 and authority_shard (validity.hpp).
inline constexpr std::uint32_t max_shards = 1024;

// What new certificates of one authority and shard say: absolute URLs of printable ASCII, each of at most
// 1,024 octets.
struct StatusUrls {
  std::vector<std::string> ocsp;       // RFC 5280 4.2.2.1, id-ad-ocsp
  std::vector<std::string> issuer;     // RFC 5280 4.2.2.1, id-ad-caIssuers: the authority's own certificate
  std::vector<std::string> crl;        // RFC 5280 4.2.1.13: the complete CRL
  std::vector<std::string> delta_crl;  // RFC 5280 4.2.1.15: its deltas
};

// How the CRLs are made that list an authority's certificates.
struct CrlPlan {
  std::string signer;        // name of the authority that signs them: itself, or another for indirect CRLs
  std::uint32_t shards = 0;  // new certificates are spread over the shards 1 to this; 0: all are in shard 0
  bool split = false;        // new certificates of authorities are in authority_shard; then shards is not 0
};

// Optional, for protocols: clients look for the status of certificates here. The host asks each protocol
// about each authority, once, when all instances are configured; what a reload changes holds from the next
// start on. It refuses to go on when a claim does not fit, or when two instances make the CRLs of one
// authority.
class StatusService {
 public:
  static constexpr std::string_view ability_id = "hanaper.status-urls/1";

  // [main] How this instance makes the CRLs that list that authority's certificates; nothing when it makes
  // none.
  virtual std::optional<CrlPlan> crl_plan(std::string_view authority) const = 0;

  // [main] What certificates of that authority and shard have to say of this instance; empty lists when it
  // serves nothing for them. Asked for shard 0 and for those of the authority's plan, whoever has made it.
  virtual StatusUrls status_urls(std::string_view authority, std::uint32_t shard) const = 0;

 protected:
  ~StatusService() = default;
};

}  // namespace hanaper
