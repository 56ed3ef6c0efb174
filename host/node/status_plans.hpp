// What the protocols of a configuration say of where the status of certificates is found.
#pragma once

#include "instance.hpp"

#include <hanaper/status_urls.hpp>

namespace hanaper {

// By the name of the authority; every configured one has a plan.
using StatusPlans = std::map<std::string, issuance::StatusPlan, std::less<>>;

// [main] Asks every protocol that is configured about every authority. Each claim that does not fit is a line
// more in `failures`, and counts for nothing.
StatusPlans ask_status_services(const config::Model& model,
                                const std::vector<std::shared_ptr<Instance>>& instances,
                                std::vector<std::string>& failures);

}  // namespace hanaper
