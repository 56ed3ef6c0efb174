// The wiring in words: one line for each way a certificate or a status can leave the node.
#pragma once

#include "model.hpp"

namespace hanaper::config {

// "acme  https://0.0.0.0:8443/acme → web: policy(names) validate(lint) sign(issuing @ soft) record(main)"
std::vector<std::string> plan(const Model& model);

}  // namespace hanaper::config
