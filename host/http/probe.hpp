// A look at a PKI from outside, as its clients have it.
#pragma once

#include "fetch.hpp"

namespace hanaper::http::outside {

struct ProbeOptions {
  Anchors trust;
  std::chrono::milliseconds warn{std::chrono::days{7}};  // before a certificate of the server ends
};

// The states, and exit statuses, of monitoring plugins.
enum class ProbeState : std::uint8_t { good, warning, critical, unknown };

struct Finding {
  std::string check;
  ProbeState state;
  std::string text;
};

// Asks for the address, then for the state of the server's own certificate by OCSP and CRL, as far as it says
// where.
std::vector<Finding> probe(const std::string& url, const ProbeOptions& options);

}  // namespace hanaper::http::outside
