// What published CRLs say, taken into a ledger that is older than they are.
#pragma once

#include "caller.hpp"

#include "../node/node.hpp"
#include "../validity/crl_reader.hpp"
#include "foreign.hpp"

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

  // Revokes what is on them and good to the ledger, or unknown to it, and says of each CRL what became of it.
  // unavailable.
  Result<json::Array> take(const Caller& caller);

 private:
  struct Issuer {
    AuthorityId id;
    std::string name;
    Bytes subject, spki;
    Time not_before, not_after;
  };
  struct Signed {
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
  Result<Tally> take(const Signed& crl, const std::string& requester);
  // Whose certificate it is, and how the ledger has it.
  struct Found {
    const Issuer* issuer = nullptr;  // null: of nobody whom the ledger knows for certain
    std::optional<CertificateRow> row = {};
  };
  Result<Found> find(const Signed& crl, const validity::CrlEntry& entry) const;
  // Whether the ledger has it as better than the CRL does.
  bool is_news(const CertificateRow& row, const validity::IndexEntry& said, const Signed& crl) const;

  Node& node_;
  Time backup_;
  std::list<Issuer> issuers_;
  std::vector<Signed> crls_;
};

}  // namespace hanaper::operations
