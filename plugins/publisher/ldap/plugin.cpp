// The door of publisher/ldap: certificates and CRLs in a directory, as RFC 4523 has them.
#include "directory.hpp"

#include <hanaper/toolkit/event_text.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/mutex.hpp>

namespace hanaper::directory {
namespace {

using enum SettingType;

constexpr SettingKey keys[] = {
    {"url", text, nullptr, nullptr,
     "the server: ldap://HOST or ldaps://HOST, with :PORT where it is another"},
    {"starttls", boolean, "true", nullptr,
     "whether ldap:// is TLS from StartTLS on; without, all is in the open"},
    {"ca", path, "", nullptr, "PEM file with whom servers are certified by; the system's without"},
    {"bind", text, "", nullptr, "distinguished name to bind as; anonymous without"},
    {"password", secret, "", nullptr, "password of that name"},
    {"certificates", text, "none", nullptr,
     "distinguished name of a certificate's entry, with {fields} of the event: "
     "\"cn={common_name},ou=devices,dc=example,dc=test\"; \"none\" for none"},
    {"authorities", text, "none", nullptr, "the same for authorities: \"cn={authority},dc=example,dc=test\""},
    {"crls", text, "", nullptr,
     "the same for CRLs; without, the authority's entry has the CRL of shard 0, and the others are not "
     "published"},
    {"create", boolean, "true", nullptr, "whether entries that are missing are made"},
    {"object_class", text, "device", nullptr,
     "structural object class of entries that are made for certificates"},
    {"revoked", text, "remove", "keep|remove", "what becomes of a certificate that is revoked"},
    {"timeout", duration, "5s", "100ms..20s", "how long a connection and each operation may take"},
};

// RFC 4523 2.1, 2.2, 2.3: ";binary", whatever is stored.
constexpr const char* user_certificate = "userCertificate;binary";
constexpr const char* authority_certificate = "cACertificate;binary";
constexpr const char* revocation_list = "certificateRevocationList;binary";

using Change = Connection::Change;

// What is done to which entry.
struct Order {
  std::string dn;
  Change change = Change::add;
  Attribute attribute;
  std::string auxiliary;                  // object class that allows the attribute
  std::vector<std::string> when_missing;  // object classes of an entry that is made for it
};

// Connections are used by one thread at a time; up to two are kept.
class Ldap final : public Publisher {
 public:
  Status configure(const Settings& settings, Host&) override {
    place_.url = settings.text("url");
    place_.start_tls = settings.boolean("starttls");
    if (!place_.url.starts_with("ldap://") && !place_.url.starts_with("ldaps://"))
      return settings.error("url", "\"" + place_.url + "\" begins with neither ldap:// nor ldaps://");
    place_.ca = settings.text_or("ca", {});
    // libldap reads it by its path, with each connection.
    if (!place_.ca.empty())
      if (const auto trusted = files::open_trusted(place_.ca); !trusted)
        return settings.error("ca", trusted.error().detail);
    place_.bind = settings.text_or("bind", {});
    place_.timeout = settings.duration("timeout");
    if (settings.has("password")) place_.password = settings.secret("password").clone();
    const bool encrypted = place_.start_tls || place_.url.starts_with("ldaps://");
    if (!encrypted && settings.has("password"))
      return settings.error("starttls", "a password is never sent in the open; use StartTLS or ldaps://");
    // RFC 4513 5.1.2: "unauthenticated" would succeed and prove nothing.
    if (!place_.bind.empty() && place_.password.empty())
      return settings.error("password", "must be given with bind, and not be empty");
    for (const auto& [key, pattern] : {std::pair{"certificates", &certificates_},
                                       std::pair{"authorities", &authorities_}, std::pair{"crls", &crls_}}) {
      *pattern = settings.text_or(key, {});
      if (pattern->empty() || *pattern == "none") continue;
      if (const Status checked = check(*pattern); !checked)
        return settings.error(key, checked.error().detail);
    }
    if (certificates_ == "none" && authorities_ == "none" && (crls_.empty() || crls_ == "none"))
      return settings.error("certificates",
                            "nothing is published; name entries here, in authorities or in crls");
    create_ = settings.boolean("create");
    object_class_ = settings.text("object_class");
    remove_ = settings.text("revoked") == "remove";
    return {};
  }

  Status publish(const Event& event, Call& call) override {
    HANAPER_TRY(const EventText fields, EventText::read(event));
    HANAPER_TRY(const std::optional<Order> order, order_for(event, fields));
    if (!order) return {};
    // A connection that was kept may be gone; then a new one shows whether the server is.
    for (;;) {
      const bool kept_one = has_idle();
      HANAPER_TRY(std::unique_ptr<Connection> connection, take());
      Status done = carry_out(*connection, *order);
      const bool good = connection->is_good();
      if (good) keep(std::move(connection));
      if (good || !kept_one || std::chrono::steady_clock::now() >= call.deadline) return done;
    }
  }

  void stop(Deadline) override {
    const Lock lock(mutex_);
    idle_.clear();
  }

 private:
  static Status check(const std::string& pattern) {
    HANAPER_CHECK(check_pattern(pattern));
    std::string sample;
    bool inside = false;
    for (char c : pattern) {
      if (c == '{') sample.push_back('x');
      inside = c == '{' || (inside && c != '}');
      if (!inside && c != '}') sample.push_back(c);
    }
    return check_dn(sample);
  }

  Result<std::optional<Order>> order_for(const Event& event, const EventText& fields) const {
    const bool issued = event.type == "certificate.issued", released = event.type == "certificate.released",
               revoked = event.type == "certificate.revoked";
    Order order;
    std::string pattern;
    if (issued || (remove_ && (released || revoked))) {
      pattern = certificates_;
      order.change = revoked ? Change::remove : Change::add;
      order.attribute = {user_certificate, event.object};
      order.auxiliary = "pkiUser";
      order.when_missing = {"top", object_class_, "pkiUser"};
    } else if (event.type == "authority.certified") {
      pattern = authorities_;
      order.attribute = {authority_certificate, event.object};
      order.auxiliary = "pkiCA";
      order.when_missing = {"top", "applicationProcess", "pkiCA"};
    } else if (event.type == "crl.made") {
      const bool own = !crls_.empty();
      pattern = own ? crls_ : fields.field("shard") == "0" ? authorities_ : "none";
      order.change = Change::replace;
      order.attribute = {revocation_list, event.object};
      order.auxiliary = own ? "" : "pkiCA";
      order.when_missing = own ? std::vector<std::string>{"top", "cRLDistributionPoint"}
                               : std::vector<std::string>{"top", "applicationProcess", "pkiCA"};
    }
    if (pattern.empty() || pattern == "none") return std::optional<Order>();
    HANAPER_TRY(order.dn, fields.expand(pattern, escaped));
    return std::optional(std::move(order));
  }

  Status carry_out(Connection& connection, const Order& order) const {
    Status done = connection.change(order.dn, order.change, order.attribute);
    if (done) return done;
    if (done.error().code == Code::conflict && !order.auxiliary.empty()) {
      HANAPER_CHECK(connection.add_class(order.dn, order.auxiliary));
      done = connection.change(order.dn, order.change, order.attribute);
    }
    if (!done && done.error().code == Code::not_found) {
      if (order.change == Change::remove) return {};
      if (create_) done = connection.add(order.dn, order.when_missing, order.attribute);
      // The entry above may still be to come.
      if (!done && done.error().code == Code::not_found) return unavailable(done.error().detail);
    }
    return done;
  }

  bool has_idle() {
    const Lock lock(mutex_);
    return !idle_.empty();
  }
  Result<std::unique_ptr<Connection>> take() {
    {
      const Lock lock(mutex_);
      if (!idle_.empty()) {
        std::unique_ptr<Connection> one = std::move(idle_.back());
        idle_.pop_back();
        return one;
      }
    }
    return Connection::open(place_);
  }
  void keep(std::unique_ptr<Connection> connection) {
    const Lock lock(mutex_);
    if (idle_.size() < 2) idle_.push_back(std::move(connection));
  }

  // Constant after configure.
  Place place_;
  std::string certificates_, authorities_, crls_, object_class_;
  bool create_ = true, remove_ = true;

  Mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_ HANAPER_GUARDED_BY(mutex_);
};

}  // namespace
}  // namespace hanaper::directory

HANAPER_PLUGIN(.kind = "publisher", .name = "ldap", .version = "0.1.0", .licence = "Apache-2.0",
               .summary = "puts certificates and CRLs into an LDAP directory, RFC 4523",
               .keys = hanaper::directory::keys, .key_count = std::size(hanaper::directory::keys),
               .create = hanaper::create_plugin<hanaper::directory::Ldap>);
