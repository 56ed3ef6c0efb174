#include "server.hpp"

#include <charconv>
#include <filesystem>

namespace hanaper::sql {

Result<Place> parse_place(std::string_view text, std::uint16_t default_port) {
  const auto wrong = [&] {
    return malformed("\"" + std::string(text) +
                     "\" is neither host, host:port, [address]:port nor the absolute path of a socket");
  };
  Place place;
  place.port = default_port;
  if (text.starts_with('/')) {
    place.socket = text;
    return place;
  }
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return wrong();
    place.host = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && !rest.starts_with(':')) return wrong();
    if (!rest.empty() && rest.size() == 1) return wrong();
    port = rest.empty() ? rest : rest.substr(1);
  } else {
    const std::size_t colon = text.find(':');
    place.host = text.substr(0, colon);
    if (colon != std::string_view::npos) {
      port = text.substr(colon + 1);
      if (port.empty()) return wrong();
    }
  }
  if (place.host.empty() || place.host.find_first_of(" ,'\\/") != std::string::npos) return wrong();
  if (port.empty()) return place;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), place.port);
  if (error != std::errc{} || end != port.data() + port.size() || place.port == 0) return wrong();
  return place;
}

Result<Access> read_access(const Settings& settings, std::uint16_t default_port) {
  Access access;
  for (const std::string& text : settings.texts("hosts")) {
    auto place = parse_place(text, default_port);
    if (!place) return settings.error("hosts", place.error().detail);
    access.places.push_back(*std::move(place));
  }
  if (access.places.empty()) return settings.error("hosts", "no host; name at least one");
  access.database = settings.text("database");
  access.user = settings.text("user");
  if (settings.has("password")) access.password = settings.secret("password").clone();
  for (const auto& [key, file] : {std::pair{"tls.ca", &access.ca},
                                  {"tls.certificate", &access.certificate},
                                  {"tls.key", &access.key}}) {
    *file = settings.text_or(key, "");
    std::error_code ec;
    if (!file->empty() && !std::filesystem::is_regular_file(*file, ec))
      return settings.error(key, "no file " + *file);
  }
  if (access.certificate.empty() != access.key.empty())
    return settings.error("tls.certificate", "tls.certificate and tls.key go together");
  if (access.ca.empty() && !access.certificate.empty())
    return settings.error("tls.ca", "is needed with tls.certificate: it proves who the server is");
  access.timeout = std::chrono::ceil<std::chrono::seconds>(settings.duration("timeout"));
  return access;
}

}  // namespace hanaper::sql
