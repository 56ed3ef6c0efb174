// What published CRLs say, taken into a ledger that is older than they are.
#pragma once

#include "caller.hpp"

#include "../node/node.hpp"
#include "../validity/crl_reader.hpp"

#include <hanaper/toolkit/json.hpp>

namespace hanaper::operations {

// A CRL as it was published.
struct CrlFile {
  std::string path;
  Bytes der;
};

// Those in a file, DER or PEM. malformed when there is something else in it; not_found; unavailable.
Result<std::vector<CrlFile>> read_crls(const std::string& path);

// CRLs of authorities that the ledger has: their signatures hold. Belongs to one thread; the node and the
// files outlive it.
class CrlIntake {
 public:
  // forbidden when one of them is not signed by an authority of the ledger; malformed and unsupported as
  // parse_crl; unavailable. `backup` is when the ledger was copied.
  static Result<CrlIntake> open(Node& node, const std::vector<CrlFile>& files, Time backup);

  // The highest number of the authority's; 0: there is none.
  std::uint64_t newest_number(AuthorityId authority) const;

  // Revokes what is on them and good to the ledger, and says of each CRL what became of it. unavailable.
  Result<json::Array> take(const Caller& caller);

 private:
  struct Issuer {
    AuthorityId id;
    std::string name;
    Bytes subject, spki;
  };
  struct Known {
    const CrlFile* file;
    const Issuer* signer;
    validity::CrlView view;
  };
  struct Tally {
    std::int64_t entries = 0, taken = 0, unknown = 0;
  };
  CrlIntake(Node& node, Time backup) : node_(node), backup_(backup) {}
  Status load_issuers();
  Status add(const CrlFile& file);
  Result<Tally> take(const Known& crl, const std::string& requester);
  // Nothing when the ledger does not know it.
  Result<std::optional<CertificateRow>> find(const Known& crl, const validity::CrlEntry& entry) const;
  bool adds_to(const CertificateRow& row, const validity::CrlEntry& entry, const Known& crl) const;
  Result<Write> write_of(const CertificateRow& row, const validity::CrlEntry& entry, const Known& crl,
                         const std::string& requester) const;

  Node& node_;
  Time backup_;
  std::list<Issuer> issuers_;
  std::vector<Known> crls_;
};

}  // namespace hanaper::operations
