// The door of notifier/mail: tells people by mail.
#include "letter.hpp"
#include "smtp.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/unicode.hpp>

namespace hanaper::mail {
namespace {

using enum SettingType;

constexpr SettingKey keys[] = {
    {"server", text, nullptr, nullptr,
     "SMTP server: smtp://HOST:587, or smtps://HOST for TLS from the first octet"},
    {"starttls", boolean, "true", nullptr, "whether smtp:// goes on with STARTTLS or not at all"},
    {"ca", path, "", nullptr, "PEM file with whom servers are certified by; the system's without"},
    {"user", text, "", nullptr, "who logs in; nobody without"},
    {"password", secret, "", nullptr, "password of that user"},
    {"from", text, nullptr, nullptr, "address that mails come from"},
    {"to", texts, nullptr, nullptr, "addresses that mails go to"},
    {"subject", text, "Hanaper: {type} {subject}", nullptr, "the subject, with {fields} of the event"},
    {"timeout", duration, "20s", "1s..25s", "how long a mail may take"},
};

// A mail for each event. Every call has a connection of its own.
class Mail final : public Notifier {
 public:
  Status configure(const Settings& settings, Host&) override {
    table_ = settings.table();
    server_.url = settings.text("server");
    const bool tls = server_.url.starts_with("smtps://");
    if (!tls && !server_.url.starts_with("smtp://"))
      return settings.error("server", "\"" + server_.url + "\" begins with neither smtp:// nor smtps://");
    server_.start_tls = settings.boolean("starttls");
    server_.ca = settings.text_or("ca", {});
    // libcurl reads it by its path, whenever a mail is sent.
    if (!server_.ca.empty())
      if (const auto trusted = files::open_trusted(server_.ca); !trusted)
        return settings.error("ca", trusted.error().detail);
    server_.user = settings.text_or("user", {});
    if (settings.has("password")) server_.password = settings.secret("password").clone();
    if (server_.user.empty() != server_.password.empty())
      return settings.error("user", "user and password go together");
    if (!server_.user.empty() && !tls && !server_.start_tls)
      return settings.error("starttls", "a password is never sent in the open; use STARTTLS or smtps://");
    server_.timeout = settings.duration("timeout");
    from_ = settings.text("from");
    if (const Status good = check_address(from_); !good) return settings.error("from", good.error().detail);
    to_ = settings.texts("to");
    if (to_.empty()) return settings.error("to", "at least one is needed");
    for (const std::string& address : to_)
      if (const Status good = check_address(address); !good) return settings.error("to", good.error().detail);
    subject_ = settings.text("subject");
    if (const Status good = check_pattern(subject_); !good)
      return settings.error("subject", good.error().detail);
    return {};
  }

  Status start() override { return prepare(); }

  Status notify(const Event& event, Call& call) override {
    HANAPER_TRY(const EventText fields, EventText::read(event));
    Letter letter;
    letter.from = from_;
    letter.to = to_;
    letter.subject = subject_of(fields);
    letter.body = body_of(event, fields);
    letter.at = event.at;
    // Who gets it twice sees that it is the same.
    letter.id =
        to_hex(crypto::sha256({as_bytes(table_), as_bytes(event.source), as_bytes(event.id)})).substr(0, 40);
    return send(server_, from_, to_, write(letter), call.deadline);
  }

 private:
  // A field that this event does not have leaves a gap; it is no reason to tell nobody.
  std::string subject_of(const EventText& fields) const {
    std::string text;
    for (std::string_view left = subject_; !left.empty();) {
      const std::size_t open = std::min(left.find('{'), left.size());
      text += left.substr(0, open);
      left.remove_prefix(open);
      if (left.empty()) break;
      const std::size_t close = left.find('}');
      text += unicode::shown(fields.field(left.substr(1, close - 1)).value_or(""));
      left.remove_prefix(close + 1);
    }
    return text;
  }

  // Constant after configure.
  std::string table_;
  Server server_;
  std::string from_, subject_;
  std::vector<std::string> to_;
};

}  // namespace
}  // namespace hanaper::mail

HANAPER_PLUGIN(.kind = "notifier", .name = "mail", .version = "0.1.0", .licence = "Apache-2.0",
               .summary = "tells people of events by mail", .keys = hanaper::mail::keys,
               .key_count = std::size(hanaper::mail::keys),
               .create = hanaper::create_plugin<hanaper::mail::Mail>);
