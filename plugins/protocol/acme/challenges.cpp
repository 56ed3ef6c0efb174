// Validation of challenges (RFC 8555 8), as background jobs that a restart takes up again.
#include "service.hpp"

#include <algorithm>

namespace hanaper::acme {
namespace {

constexpr int attempts = 3;
constexpr std::uint32_t page = 500;

}  // namespace

Status Service::resume() {
  for (std::string after;;) {
    HANAPER_TRY(const std::vector<Record> records, orders_.find("open", "validating", after, page));
    for (const Record& record : records) {
      HANAPER_TRY(const Order order, read_order(record));
      for (std::size_t index = 0; index < order.authorizations.size(); ++index)
        for (const Challenge& challenge : order.authorizations[index].challenges)
          if (challenge.status == "processing")
            HANAPER_CHECK(schedule_validation(order.id, index, challenge.type));
    }
    if (records.size() < page) break;
    after = records.back().key;
  }
  // An order claimed for a certificate that was never recorded: the client may finalize it again.
  Call call{"resume", std::chrono::steady_clock::now() + std::chrono::seconds{30}};
  for (std::string after;;) {
    HANAPER_TRY(const std::vector<Record> records, orders_.find("open", "processing", after, page));
    for (const Record& record : records)
      HANAPER_CHECK(change_order(
          record.key,
          [](Order& order) {
            if (order.status != "processing") return false;
            order.status = "ready";
            return true;
          },
          call));
    if (records.size() < page) return {};
    after = records.back().key;
  }
}

Status Service::schedule_validation(const std::string& order, std::size_t index, const std::string& type) {
  return host_.scheduler().soon(
      "validate", [this, order, index, type](Call& call) { return validate(order, index, type, call); });
}

Status Service::validate(const std::string& order_id, std::size_t index, const std::string& type,
                         Call& call) {
  HANAPER_TRY(const Record record, orders_.get(order_id));
  HANAPER_TRY(const Order order, read_order(record));
  if (index >= order.authorizations.size()) return {};
  const Authorization& authorization = order.authorizations[index];
  const auto challenge = std::ranges::find(authorization.challenges, type, &Challenge::type);
  if (challenge == authorization.challenges.end() || challenge->status != "processing") return {};
  HANAPER_TRY(const Record account_record, accounts_.get(order.account));
  HANAPER_TRY(const Account account, read_account(account_record));

  Status checked;
  for (int attempt = 1; attempt <= attempts; ++attempt) {
    checked = check_http_01(authorization.identifier, challenge->token, account.thumbprint, call);
    // A wrong answer is final; a host that does not answer may be a moment late (RFC 8555 8.2).
    if (checked || checked.error().code != Code::unavailable) break;
  }
  (checked ? validations_ : validations_failed_).add();
  host_.log().info(checked ? "challenge met" : "challenge failed",
                   {{"order", order_id},
                    {"type", type},
                    {"name", authorization.identifier.value},
                    {"error", checked ? "" : checked.error().detail}});
  return change_order(
      order_id,
      [&](Order& current) {
        Authorization& target = current.authorizations[index];
        const auto stored = std::ranges::find(target.challenges, type, &Challenge::type);
        if (stored == target.challenges.end() || stored->status != "processing") return false;
        if (checked) {
          stored->status = "valid";
          stored->validated = host_.clock().now();
          target.status = "valid";
          target.expires = host_.clock().now() + options_.authorization_lifetime;
          return true;
        }
        const Problem problem{403,
                              checked.error().code == Code::not_found     ? "dns"
                              : checked.error().code == Code::forbidden   ? "unauthorized"
                              : checked.error().code == Code::unavailable ? "connection"
                                                                          : "incorrectResponse",
                              checked.error().detail};
        stored->status = "invalid";
        stored->error = to_json(problem);
        target.status = "invalid";
        current.error = to_json(problem);
        return true;
      },
      call);
}

// RFC 8555 8.3
Status Service::check_http_01(const Identifier& identifier, const std::string& token,
                              const std::string& thumbprint, Call& call) {
  OutboundRequest request;
  request.host = identifier.value;
  request.port = options_.http_01_port;
  request.target = "/.well-known/acme-challenge/" + token;
  request.body_limit = ByteCount{4096};
  request.redirects = 10;
  HANAPER_TRY(const OutboundAnswer answer, host_.outbound().get(request, call));
  if (answer.status != 200) return malformed(answer.address + " answered " + std::to_string(answer.status));
  std::string_view body = answer.body;
  while (!body.empty() && std::string_view(" \t\r\n").find(body.back()) != std::string_view::npos)
    body.remove_suffix(1);
  const std::string expected = token + "." + thumbprint;
  if (body != expected)
    return malformed(answer.address + " answered \"" + std::string(body.substr(0, 100)) + "\" instead of \"" +
                     expected + "\"");
  return {};
}

}  // namespace hanaper::acme
