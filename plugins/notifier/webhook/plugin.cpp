// The door of notifier/webhook: posts events as CloudEvents, signed.
#include <hanaper/host.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>
#include <charconv>

namespace hanaper::webhook {
namespace {

using enum SettingType;

constexpr SettingKey keys[] = {
    {"url", text, nullptr, nullptr, "where events are posted, https or http"},
    {"secret", secret, "", nullptr, "signs what is posted, HMAC-SHA-256; without, nothing is signed"},
    {"authorization", secret, "", nullptr, "value of the Authorization field, such as \"Bearer ...\""},
    {"ca", path, "", nullptr, "PEM file with whom https servers are certified by; the system's without"},
};

constexpr std::size_t roots_limit = 1024 * 1024;
constexpr std::size_t shortest_secret = 16;

// RFC 9110 10.2.3: delay-seconds or a date.
std::optional<std::chrono::seconds> retry_after(std::string_view value, Time now) {
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error == std::errc{} && end == value.data() + value.size()) return std::chrono::seconds{seconds};
  const auto date = parse_http_date(value, now);
  if (!date || *date <= now) return std::nullopt;
  return std::chrono::ceil<std::chrono::seconds>(*date - now);
}

// RFC 9110 15.5: what this event will never be taken for. Whatever else is wrong, a password, a path, a
// proxy, somebody mends, and events must not be lost meanwhile.
bool is_final(int status) {
  constexpr int never[] = {400, 405, 410, 411, 413, 414, 415, 422, 431};
  return std::ranges::find(never, status) != std::end(never);
}

class Webhook final : public Notifier {
 public:
  Status configure(const Settings& settings, Host& host) override {
    host_ = &host;
    url_ = settings.text("url");
    if (!url_.starts_with("https://") && !url_.starts_with("http://"))
      return settings.error("url", "\"" + url_ + "\" begins with neither https:// nor http://");
    if (settings.has("secret")) secret_ = settings.secret("secret").clone();
    if (settings.has("secret") && secret_.reveal().size() < shortest_secret)
      return settings.error("secret", "has fewer than " + std::to_string(shortest_secret) + " octets");
    if (settings.has("authorization")) authorization_ = settings.secret("authorization").clone();
    if (settings.has("ca")) {
      auto roots = files::read_trusted(settings.text("ca"), roots_limit);
      if (!roots) return settings.error("ca", roots.error().detail);
      roots_ = *std::move(roots);
    }
    return {};
  }

  Status notify(const Event& event, Call& call) override {
    OutboundMessage message;
    message.url = url_;
    message.content_type = "application/cloudevents+json";  // CloudEvents 1.0, HTTP binding 3.2: structured
    message.body = event.json;
    message.roots = roots_;
    if (!authorization_.empty()) message.authorization = &authorization_;
    sign(message);
    const auto answer = host_->outbound().send(message, call);
    if (!answer) return unavailable(answer.error().detail);
    if (answer->status >= 200 && answer->status < 300) return {};
    const std::string said = answer->address + " answers " + std::to_string(answer->status);
    if (is_final(answer->status)) return Error{Code::rejected, said};
    Error later = unavailable(said);
    if (const auto pause = retry_after(answer->field("Retry-After"), host_->clock().now()))
      later.retry_after = *pause;
    return later;
  }

 private:
  // Over the time as well, so that what somebody has recorded is worth nothing later.
  void sign(OutboundMessage& message) const {
    const std::string seconds = std::to_string(
        std::chrono::floor<std::chrono::seconds>(host_->clock().now()).time_since_epoch().count());
    message.fields.push_back({"Hanaper-Timestamp", seconds});
    if (secret_.empty()) return;
    const Fingerprint mac =
        crypto::hmac_sha256(as_bytes(secret_.reveal()), as_bytes(seconds + "." + message.body));
    message.fields.push_back({"Hanaper-Signature", "v1=" + to_hex(mac)});
  }

  // Constant after configure.
  Host* host_ = nullptr;
  std::string url_;
  Secret secret_, authorization_;
  std::string roots_;
};

}  // namespace
}  // namespace hanaper::webhook

HANAPER_PLUGIN(.kind = "notifier", .name = "webhook", .version = "0.1.0", .licence = "Apache-2.0",
               .summary = "posts events to an HTTP server as signed CloudEvents",
               .keys = hanaper::webhook::keys, .key_count = std::size(hanaper::webhook::keys),
               .create = hanaper::create_plugin<hanaper::webhook::Webhook>);
