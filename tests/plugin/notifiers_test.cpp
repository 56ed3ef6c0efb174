// notifier/webhook and notifier/mail: which answers end an event, and which are waited out.
#include "loader/catalog.hpp"

#include <hanaper/testing/fake_host.hpp>

#include "../unit/scratch.hpp"
#include "../unit/socket_support.hpp"

#include <functional>
#include <thread>

namespace hanaper {
namespace {

Event event() {
  Event event;
  event.type = "certificate.issued";
  event.id = "1";
  event.source = "pki";
  event.json = R"({"type":"certificate.issued","id":"1","source":"pki","data":{}})";
  return event;
}

class Notifiers : public ::testing::Test {
 protected:
  // "told", "dead" or "later", whatever has to be done about it.
  std::string outcome(Plugin& plugin) {
    Call call = fakes::test_call();
    const Event told = event();
    const Status status = static_cast<Notifier&>(plugin).notify(told, call);
    if (status) return "told";
    if (status.error().code == Code::rejected) return "dead";
    return status.error().code == Code::unavailable ? "later" : status.error().detail;
  }

  fakes::FakeHost host_;
  loader::Catalog catalog_{HANAPER_PLUGINS};
};

// An operator's mistake is mended within hours: no event may be lost by it. What this event will never be
// taken for is not asked again.
TEST_F(Notifiers, OfTheWebGiveUpOnlyWhatWillNeverBeTaken) {
  const struct {
    const char* outcome;
    std::vector<int> answers;
  } rows[] = {
      {"told", {200, 202, 204}},
      {"later", {301, 304, 401, 402, 403, 404, 406, 407, 408, 409, 421, 423, 425, 426, 428, 429, 451}},
      {"later", {500, 501, 502, 503, 504, 511}},
      {"dead", {400, 405, 410, 411, 413, 414, 415, 422, 431}},
  };
  const auto plugin = *catalog_.create("notifier", "webhook");
  Settings settings("notifier.hook", "pki.toml:1:1");
  settings.set("url", {std::string("https://hook.example.test/"), "pki.toml:2:1"});
  for (const char* key : {"secret", "authorization", "ca"}) settings.set(key, {});
  ASSERT_TRUE(plugin->configure(settings, host_));
  for (const auto& row : rows)
    for (const int answer : row.answers) {
      host_.fake_outbound.answer_send = [&](const OutboundMessage&) {
        return OutboundAnswer{answer, "", "hook", {}};
      };
      EXPECT_EQ(outcome(*plugin), row.outcome) << answer;
    }
}

// Says its greeting, then to each command what a test wants, else that all is well.
class MailServer {
 public:
  MailServer(std::string greeting, std::string command, std::string reply)
      : thread_(
            [this, greeting = std::move(greeting), command = std::move(command), reply = std::move(reply)] {
              const int socket = listening_.accept();
              say(socket, greeting);
              std::string text;
              while (true) {
                const std::size_t end = text.find("\r\n");
                char chunk[4096];
                if (end == std::string::npos) {
                  const ssize_t n = ::recv(socket, chunk, sizeof chunk, 0);
                  if (n <= 0) break;
                  text.append(chunk, static_cast<std::size_t>(n));
                  continue;
                }
                const std::string line = text.substr(0, end);
                text.erase(0, end + 2);
                take(socket, line, command, reply);
              }
              ::close(socket);
            }) {}
  ~MailServer() {
    static_cast<void>(sockets::Client(port()));  // where nobody else has come
    thread_.join();
  }
  MailServer(const MailServer&) = delete;
  MailServer& operator=(const MailServer&) = delete;
  std::uint16_t port() const { return listening_.port(); }

 private:
  static void say(int socket, const std::string& line) {
    const std::string whole = line + "\r\n";
    ::send(socket, whole.data(), whole.size(), MSG_NOSIGNAL);
  }
  void take(int socket, const std::string& line, const std::string& command, const std::string& reply) {
    if (in_text_ && line != ".") return;
    const bool meant = line.starts_with(command);
    in_text_ = line.starts_with("DATA") && !meant;
    say(socket, meant ? reply : in_text_ ? "354 go on" : "250 well");
  }

  sockets::Listening listening_;
  bool in_text_ = false;  // of the thread
  std::thread thread_;
};

TEST_F(Notifiers, ByMailGiveUpOnlyWhatTheServerSaysOfTheMail) {
  constexpr const char* ready = "220 ready";
  const struct {
    const char* name;
    const char* greeting;
    const char* command;
    const char* reply;
    const char* outcome;
  } rows[] = {
      {"all well", ready, "none", "", "told"},
      {"no service (RFC 5321 3.1)", "554 no SMTP service here", "none", "", "later"},
      {"no service for now", "421 busy", "none", "", "later"},
      {"no mail here (RFC 7504)", "521 no mail", "none", "", "later"},
      {"an old server", ready, "EHLO", "502 what", "told"},
      {"a client that is not wanted", ready, "", "550 who are you", "later"},
      {"a sender that is refused", ready, "MAIL", "550 not from you", "dead"},
      {"a login that is wanted", ready, "MAIL", "530 log in first", "later"},
      {"a login that is not enough", ready, "MAIL", "535 no", "later"},
      {"a mailbox that there is not", ready, "RCPT", "550 no such user", "dead"},
      {"a mailbox that is full", ready, "RCPT", "452 full", "later"},
      {"a mail that is refused", ready, "DATA", "554 no valid recipients", "dead"},
      {"a text that is refused", ready, ".", "554 spam", "dead"},
      {"a text that is not taken now", ready, ".", "451 later", "later"},
  };
  for (const auto& row : rows) {
    MailServer server(row.greeting, row.command, row.reply);
    const auto plugin = *catalog_.create("notifier", "mail");
    Settings settings("notifier.mail", "pki.toml:1:1");
    settings.set("server", {"smtp://127.0.0.1:" + std::to_string(server.port()), "pki.toml:2:1"});
    settings.set("starttls", {false, "pki.toml:3:1"});
    settings.set("from", {std::string("pki@example.test"), "pki.toml:4:1"});
    settings.set("to", {std::vector<std::string>{"one@example.test"}, "pki.toml:5:1"});
    settings.set("subject", {std::string("{type}"), "pki.toml:6:1"});
    settings.set("timeout", {std::chrono::milliseconds{20'000}, "pki.toml:7:1"});
    for (const char* key : {"ca", "user", "password"}) settings.set(key, {});
    ASSERT_TRUE(plugin->configure(settings, host_));
    ASSERT_TRUE(plugin->start());
    EXPECT_EQ(outcome(*plugin), row.outcome) << row.name;
  }
}

// Who may change the file with the roots chooses who is taken for the receiver.
TEST_F(Notifiers, TakeRootsOnlyFromFilesThatNobodyElseMayWrite) {
  const struct {
    const char* kind;
    const char* plugin;
    const char* place;
    const char* url;
    std::vector<const char*> absent;
  } rows[] = {
      {"notifier", "webhook", "url", "https://hook.example.test/", {"secret", "authorization"}},
      {"notifier", "mail", "server", "smtps://mail.example.test", {"user", "password"}},
      {"publisher", "ldap", "url", "ldaps://ldap.example.test", {"bind_dn", "password"}},
  };
  const test::Scratch scratch;
  for (const auto& row : rows) {
    const auto plugin = *catalog_.create(row.kind, row.plugin);
    Settings settings("notifier.one", "pki.toml:1:1");
    settings.set(row.place, {std::string(row.url), "pki.toml:2:1"});
    settings.set("starttls", {true, "pki.toml:3:1"});
    for (const char* key : row.absent) settings.set(key, {});
    settings.set("ca", {scratch.file("roots.pem", "", 0666), "pki.toml:4:1"});
    const Status taken = plugin->configure(settings, host_);
    ASSERT_FALSE(taken) << row.plugin;
    EXPECT_NE(taken.error().detail.find("roots.pem: others may write it"), std::string::npos)
        << taken.error().detail;
  }
}

}  // namespace
}  // namespace hanaper
