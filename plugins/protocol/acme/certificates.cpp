// Downloading certificates (RFC 8555 7.4.2, 9.1).
#include "service.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/cms.hpp>

#include <charconv>

namespace hanaper::acme {
namespace {

constexpr std::string_view pem_type = "application/pem-certificate-chain";
constexpr std::string_view pkcs7_type = "application/pkcs7-mime";
constexpr std::string_view der_type = "application/pkix-cert";

std::string_view trim_blanks(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// The first type of ours that Accept names with a quality above 0 (RFC 9110 12.5.1), best quality first; PEM
// when it names none: "application/pem-certificate-chain ... is the default".
std::string_view negotiate(std::string_view accept) {
  std::string_view best = pem_type;
  double best_quality = 0;
  while (!accept.empty()) {
    const std::size_t comma = accept.find(',');
    std::string_view item = accept.substr(0, comma);
    accept = comma == std::string_view::npos ? std::string_view{} : accept.substr(comma + 1);
    double quality = 1;
    // RFC 9110 5.6.6: "parameters = *( OWS ";" OWS [ parameter ] )"
    std::string_view parameters = item.substr(std::min(item.find(';'), item.size()));
    item = trim_blanks(item.substr(0, item.size() - parameters.size()));
    while (!parameters.empty()) {
      parameters.remove_prefix(1);
      const std::string_view parameter = trim_blanks(parameters.substr(0, parameters.find(';')));
      parameters.remove_prefix(std::min(parameters.find(';'), parameters.size()));
      if (!parameter.starts_with("q=") && !parameter.starts_with("Q=")) continue;
      std::from_chars(parameter.data() + 2, parameter.data() + parameter.size(), quality);
    }
    for (std::string_view type : {pem_type, pkcs7_type, der_type})
      if (Request::same_name(item, type) && quality > best_quality) {
        best = type;
        best_quality = quality;
      }
  }
  return best;
}

}  // namespace

Response Service::present_chain(const Request& request, const std::string& path,
                                std::vector<Bytes> chain) const {
  const std::string_view type = negotiate(request.header("accept"));
  Response response{200, {}, {}};
  if (type == pem_type) {
    response.with("Content-Type", std::string(pem_type));
    for (const Bytes& one : chain) response.body += pem::encode("CERTIFICATE", one);
  } else if (type == pkcs7_type) {
    response.with("Content-Type", std::string(pkcs7_type) + "; smime-type=certs-only");
    response.body = as_text(cms::certs_only({chain.begin(), chain.end()}));
  } else {
    response.with("Content-Type", std::string(der_type));
    response.body = as_text(chain.front());
    // 7.4.2: "the server MUST ... Link ... up" where the format holds no chain
    if (chain.size() > 1) response.with("Link", "<" + url(path + "/up") + ">;rel=\"up\"");
  }
  return response;
}

// "ORDER", "ORDER/up", "ORDER/up/up", "ORDER/alternate/1", "ORDER/alternate/1/up"
Outcome<Response> Service::certificate(const Request& request, std::string_view name, Call& call) {
  const std::string_view id = name.substr(0, name.find('/'));
  std::string_view rest = name.substr(id.size());
  ACME_TRY(const SignedRequest signed_request, open_post_as_get(request, call));
  ACME_TRY(const Order order, load_order(id, *signed_request.account, call));
  if (!order.certificate || order.renew) return malformed_problem("the order has no certificate", 404);
  const auto status = issuer_.status(*order.certificate);
  if (!status) return problem_of(status.error(), call);
  // They are for the key that issues now.
  const std::size_t alternates =
      order.certificate->authority == trust_.authority() ? options_.alternates.size() : 0;
  std::size_t alternate = 0;
  if (constexpr std::string_view prefix = "/alternate/"; rest.starts_with(prefix)) {
    rest.remove_prefix(prefix.size());
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), alternate);
    if (error != std::errc{} || alternate == 0 || alternate > alternates)
      return malformed_problem("no such chain", 404);
    rest = rest.substr(static_cast<std::size_t>(end - rest.data()));
  }
  const std::string base = "/certificate/" + std::string(id);
  const std::string path = alternate == 0 ? base : base + "/alternate/" + std::to_string(alternate);
  std::vector<Bytes> chain{status->certificate};
  const std::vector<Bytes> above =
      alternate == 0 ? trust_.chain(order.certificate->authority) : options_.alternates[alternate - 1];
  chain.insert(chain.end(), above.begin(), above.end());
  std::string up;
  while (rest.starts_with("/up") && chain.size() > 1) {
    rest.remove_prefix(3);
    up += "/up";
    chain.erase(chain.begin());
  }
  if (!rest.empty()) return malformed_problem("no such certificate", 404);
  Response response = present_chain(request, path + up, std::move(chain));
  for (std::size_t i = 0; up.empty() && i <= alternates; ++i)
    if (i != alternate)
      response.with("Link", "<" + url(i == 0 ? base : base + "/alternate/" + std::to_string(i)) +
                                ">;rel=\"alternate\"");
  return response;
}

}  // namespace hanaper::acme
