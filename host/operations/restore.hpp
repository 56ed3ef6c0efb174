// A backup goes into an empty state folder, and the ledger learns what it cannot know: that numbers were used
// since, and what was revoked.
#pragma once

#include "crl_intake.hpp"

namespace hanaper::operations {

// [main] Puts the backup in `file` into the state folder of a node that is configured and not started, and
// takes in what the CRLs say. CRLs go on with numbers far above those that the backup and these CRLs know;
// every certificate that is on one of them and good to the ledger is revoked. Ends with the node stopped.
// conflict when there is something in the state folder already; malformed and unsupported for what is no
// backup; forbidden when a CRL is not signed by an authority of the backup: then no CRL was taken in, and
// what is there is marked as unfinished, so that nobody serves it.
Result<json::Value> restore(Node& node, const Caller& caller, const std::string& file,
                            const std::vector<CrlFile>& crls);

}  // namespace hanaper::operations
