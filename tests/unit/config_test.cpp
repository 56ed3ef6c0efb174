#include "config/model.hpp"
#include "config/plan.hpp"
#include "loader/catalog.hpp"
#include "scratch.hpp"

#include <gtest/gtest.h>

namespace hanaper::config {
namespace {

namespace fs = std::filesystem;

const fs::path data = fs::path(HANAPER_TEST_DATA) / "config" / "good";

// Manifests of plugins that the sample configuration names, with the keys it uses.
constexpr SettingKey sqlite_keys[] = {{"file", SettingType::path, "hanaper.db", nullptr, "the database"}};
constexpr SettingKey softtoken_keys[] = {{"folder", SettingType::path, "keys", nullptr, "where the keys are"},
                                         {"pin", SettingType::secret, nullptr, nullptr, "what opens them"}};
constexpr SettingKey names_keys[] = {{"permit", SettingType::texts, "[]", nullptr, "names to permit"}};
constexpr SettingKey acme_keys[] = {
    {"pipeline", SettingType::reference, nullptr, "pipeline", "what issues"},
    {"challenges", SettingType::texts, "[\"http-01\"]", "http-01|dns-01|tls-alpn-01", "challenges offered"}};
constexpr SettingKey status_keys[] = {
    {"authorities", SettingType::references, nullptr, "authority", "whose status is told"}};

template <std::size_t N>
Manifest manifest(const char* kind, const char* name, const SettingKey (&keys)[N]) {
  return {sizeof(Manifest), kind, name, "1", "Apache-2.0", "", keys, N, nullptr};
}

Result<const Manifest*> find_manifest(std::string_view kind, std::string_view name) {
  static const Manifest known[] = {
      manifest("storage", "sqlite", sqlite_keys), manifest("keys", "softtoken", softtoken_keys),
      manifest("policy", "names", names_keys),    manifest("validator", "lint", names_keys),
      manifest("protocol", "acme", acme_keys),    manifest("protocol", "ocsp", status_keys),
      manifest("protocol", "crl", status_keys)};
  for (const Manifest& candidate : known)
    if (candidate.kind == kind && candidate.name == name) return &candidate;
  return not_found("no such plugin");
}

struct Outcome {
  Table table;
  Model model;
  std::vector<std::string> messages;
};

Outcome load(const fs::path& file, const std::vector<std::string>& overrides = {}) {
  Messages messages;
  Outcome outcome;
  outcome.table = read(file.string(), overrides, messages);
  if (messages.empty()) outcome.model = make_model(outcome.table, find_manifest, false, messages);
  outcome.messages = messages.lines();
  return outcome;
}

TEST(GoodConfig, OfTheDesignHasNothingWrongInIt) {
  const Outcome design = load(data / "design.toml");
  EXPECT_EQ(design.messages, std::vector<std::string>{});
}

TEST(GoodConfig, OfTheDesignIsPlannedAsTheDesignSays) {
  const Outcome design = load(data / "design.toml");
  ASSERT_EQ(design.messages, std::vector<std::string>{});
  const std::string web = "web: policy(names) validate(lint) sign(issuing @ soft) record(main)";
  const std::vector<std::string> expected = {
      "acme  https://pki.example.test:8443/acme at 0.0.0.0:8443 → " + web,
      "ocsp  http://pki.example.test:8080/ocsp at 0.0.0.0:8080 → authorities(issuing)",
      "crl  http://pki.example.test:8080/crl at 0.0.0.0:8080 → authorities(root, issuing)",
      "tls  https://pki.example.test:8443 at 0.0.0.0:8443 → " + web,
      "command  /var/lib/hanaper/control.sock → " + web,
  };
  EXPECT_EQ(plan(design.model), expected);
}

TEST(GoodConfig, TakesWhatIsNotGivenFromTheKeyTables) {
  const Model model = load(data / "design.toml").model;
  EXPECT_EQ(model.node.name, "main");
  EXPECT_EQ(model.node.socket, "/var/lib/hanaper/control.sock");
  EXPECT_EQ(model.node.blocked_keys, "");
  EXPECT_EQ(model.node.workers, 32u);
  EXPECT_EQ(model.node.queue, 1024u);
  EXPECT_EQ(model.node.request_timeout, std::chrono::seconds{30});
  EXPECT_EQ(model.log.level, "info");
  EXPECT_EQ(model.log.file, "");
  EXPECT_EQ(model.log.max_size, ByteCount{64u << 20});
  EXPECT_EQ(model.outbound.timeout, std::chrono::seconds{10});
  const ListenerConfig& plain = model.listeners.at("plain");
  EXPECT_FALSE(plain.tls);
  EXPECT_EQ(plain.host, "0.0.0.0");
  EXPECT_EQ(plain.port, 8080);
  EXPECT_EQ(plain.max_connections, 10'000u);
  EXPECT_EQ(plain.header_limit, ByteCount{16u << 10});
  const AuthorityConfig& root = model.authorities.at("root");
  EXPECT_EQ(root.keys, "soft");
  EXPECT_EQ(root.label, "root");
  EXPECT_EQ(root.key_type, (KeySpec{KeyType::ec_p256, 0}));
  EXPECT_EQ(root.lifetime, std::chrono::days{3650});
  EXPECT_FALSE(root.path_length.has_value());
  EXPECT_FALSE(root.scheme.has_value());
  EXPECT_FALSE(root.serial.range);
  EXPECT_EQ(root.issuer, "");
  const ProfileConfig& web = model.profiles.at("web");
  EXPECT_EQ(web.lifetime, std::chrono::days{90});
  EXPECT_EQ(web.backdate, std::chrono::minutes{5});
  EXPECT_EQ(web.names, (std::set{Identifier::Kind::dns, Identifier::Kind::ip}));
  EXPECT_EQ(web.subject, ProfileConfig::Subject::common_name);
  EXPECT_EQ(web.max_names, 100u);
  EXPECT_FALSE(web.ca);
  EXPECT_EQ(model.storage().settings.text("file"), "/var/lib/hanaper/hanaper.db");
}

struct UrlCase {
  const char* bind;
  const char* more;
  const char* url;
};

TEST(GoodConfig, DerivesHowTheWorldReachesAListener) {
  const UrlCase table[] = {
      {"192.0.2.1:8080", "", "http://192.0.2.1:8080"},
      {"192.0.2.1:80", "", "http://192.0.2.1"},
      {"192.0.2.1:443", "", "http://192.0.2.1:443"},
      {"[2001:db8::1]:8080", "", "http://[2001:db8::1]:8080"},
      {"192.0.2.1:8080", "url = \"https://pki.example.test/\"\n", "https://pki.example.test"},
      {"192.0.2.1:443", "certificate = { file = \"a\", key = \"b\" }\n", "https://192.0.2.1"},
      {"192.0.2.1:443",
       "certificate = { file = \"a\", key = \"b\", names = [\"192.0.2.1\", \"*.x.test\", \"y.test\"] }\n",
       "https://y.test"},
      {"192.0.2.1:8443", "certificate = { file = \"a\", key = \"b\", names = [\"y.test\"] }\n",
       "https://y.test:8443"},
  };
  const test::Scratch scratch;
  for (const UrlCase& test : table) {
    SCOPED_TRACE(test.url);
    const Outcome outcome = load(scratch.file(
        "a.toml", "[node]\nstate = \"s\"\n[storage.sqlite]\n[listener.a]\nhealth = true\nbind = \"" +
                      std::string(test.bind) + "\"\n" + test.more));
    ASSERT_EQ(outcome.messages, std::vector<std::string>{});
    EXPECT_EQ(outcome.model.listeners.at("a").url, test.url);
  }
}

TEST(GoodConfig, MayBeSpreadOverFiles) {
  const Outcome merged = load(data / "two-nodes.toml");
  ASSERT_EQ(merged.messages, std::vector<std::string>{});
  const Model& model = merged.model;
  EXPECT_EQ(model.node.name, "node-a");
  EXPECT_EQ(model.node.workers, 8u);
  EXPECT_EQ(model.log.level, "debug");
  const ListenerConfig& listener = model.listeners.at("public");
  EXPECT_EQ(listener.host, "::");
  EXPECT_TRUE(listener.tls);
  EXPECT_EQ(listener.url, "https://pki.example.test:8443");
  EXPECT_EQ(model.pipelines.size(), 2u);
  EXPECT_EQ(plan(model),
            (std::vector<std::string>{
                "tls  https://pki.example.test:8443 at [::]:8443 → web: sign(issuing @ soft) record(main)",
                "health  https://pki.example.test:8443 at [::]:8443 → /health /metrics",
                "command  " + (data / "state-a/control.sock").string() +
                    " → mail: sign(issuing @ soft) record(main)",
                "command  " + (data / "state-a/control.sock").string() +
                    " → web: sign(issuing @ soft) record(main)",
            }));
}

// The state folder stands relative to the file that names it, everything else relative to the state folder.
TEST(GoodConfig, PlacesRelativePaths) {
  const Model model = load(data / "two-nodes.toml").model;
  EXPECT_EQ(model.node.state, (data / "state-a").string());
  EXPECT_EQ(model.node.socket, (data / "state-a/control.sock").string());
  EXPECT_EQ(model.log.file, (data / "state-a/log/hanaper.log").string());
  EXPECT_EQ(model.storage().settings.text("file"), (data / "state-a/hanaper.db").string());
  const Model absolute =
      load(data / "two-nodes.toml", {"log.file=/var/log/hanaper.log", "node.socket=../up.sock"}).model;
  EXPECT_EQ(absolute.log.file, "/var/log/hanaper.log");
  EXPECT_EQ(absolute.node.socket, (data / "up.sock").string());
}

TEST(GoodConfig, LetsTheCommandLineLayValuesOver) {
  const Outcome outcome = load(
      data / "two-nodes.toml",
      {"node.state=elsewhere", "node.workers=64", "log.level=warning", "listener.public.bind=127.0.0.1:8443",
       "listener.public.certificate.names=[\"a.example.test\"]", "outbound.resolvers=[\"127.0.0.1:8053\"]",
       "profile.web.names=[\"dns\"]", "listener.public.freebind=true", "log.level=error", "node.name=\"5\""});
  ASSERT_EQ(outcome.messages, std::vector<std::string>{});
  const Model& model = outcome.model;
  EXPECT_EQ(model.node.state, (fs::current_path() / "elsewhere").string());
  EXPECT_EQ(model.node.workers, 64u);
  EXPECT_EQ(model.node.name, "5");
  EXPECT_EQ(model.log.level, "error");
  EXPECT_EQ(model.listeners.at("public").url, "https://a.example.test:8443");
  EXPECT_EQ(model.listeners.at("public").issue, "web");
  EXPECT_TRUE(model.listeners.at("public").freebind);
  EXPECT_EQ(model.outbound.resolvers, std::vector<std::string>{"127.0.0.1:8053"});
  EXPECT_EQ(model.profiles.at("web").names, std::set{Identifier::Kind::dns});
}

struct Override {
  const char* setting;
  const char* message;
};

TEST(GoodConfig, SaysWhichValueOfTheCommandLineIsWrong) {
  const Override table[] = {
      {"node.workers", "--set node.workers: write it as key.path=value"},
      {"=5", "--set =5: write it as key.path=value"},
      {"node.workers=many", "--set node.workers=many: node.workers: a whole number is expected"},
      {"node.wokers=5", "--set node.wokers=5: node: unknown key \"wokers\"; did you mean \"workers\"?"},
      {"node.name.first=5", "--set node.name.first=5: name is no table"},
      {"lag.level=info", "--set lag.level=info: unknown table \"lag\"; did you mean \"log\"?"},
      {"workers=5", "--set workers=5: \"workers\" stands in no table; write one above it, like [node]"},
      {"log.level=inof",
       "--set log.level=inof: log.level: \"inof\" is not one of debug, info, warning, error; did you mean "
       "\"info\"?"},
  };
  for (const Override& test : table) {
    SCOPED_TRACE(test.setting);
    EXPECT_EQ(load(data / "two-nodes.toml", {test.setting}).messages, std::vector<std::string>{test.message});
  }
}

TEST(GoodConfig, KeepsTheOrderOfTheFile) {
  Messages messages;
  const Table table = read_text("[z]\nb = 1\na = 2\n[a]\n[m]\n", "t", messages);
  ASSERT_TRUE(messages.empty());
  std::string order;
  for (const Entry& entry : table) order += entry.key;
  EXPECT_EQ(order, "zam");
  order.clear();
  for (const Entry& entry : *table.find("z")->value.table()) order += entry.key;
  EXPECT_EQ(order, "ba");
}

TEST(GoodConfig, NoticesWhichTablesReadDifferently) {
  const Model before = load(data / "two-nodes.toml").model;
  const Model same = load(data / "two-nodes.toml").model;
  EXPECT_EQ(before.written, same.written);
  const Model after = load(data / "two-nodes.toml", {"profile.web.lifetime=30d", "log.level=info"}).model;
  std::vector<std::string> changed;
  for (const auto& [name, text] : after.written)
    if (before.written.at(name) != text) changed.push_back(name);
  EXPECT_EQ(changed, (std::vector<std::string>{"log", "profile.web"}));
}

TEST(ConfigFile, ThatEverybodyMayWriteIsRefused) {
  const test::Scratch scratch;
  const std::string file = scratch.file("a.toml", "[node]\nstate = \"s\"\n", 0666);
  EXPECT_EQ(load(file).messages,
            std::vector<std::string>{file + ": others may write it; take that right away (chmod go-w)"});
}

TEST(ConfigFile, HasLimits) {
  const test::Scratch scratch;
  const std::string large = scratch.file("large.toml", std::string((1 << 20) + 1, '#'));
  EXPECT_EQ(load(large).messages, std::vector<std::string>{large + ": larger than 1 MiB"});
  EXPECT_EQ(load(scratch.path()).messages,
            std::vector<std::string>{scratch.path().string() + ": is a folder"});
  EXPECT_EQ(load(scratch / "none.toml").messages,
            std::vector<std::string>{scratch / "none.toml" + ": no such file or directory"});
  for (int level = 0; level < 10; ++level)
    scratch.file("level" + std::to_string(level) + ".toml",
                 "include = [\"level" + std::to_string(level + 1) + ".toml\"]\n");
  EXPECT_EQ(load(scratch / "level0.toml").messages,
            std::vector<std::string>{scratch / "level8.toml:1:12: include: more than 8 levels or 64 files"});
  std::string list;
  for (int file = 0; file < 64; ++file) {
    const std::string name = "file" + std::to_string(file) + ".toml";
    scratch.file(name, "");
    list += "\"" + name + "\", ";
  }
  const std::vector<std::string> many =
      load(scratch.file("many.toml", "include = [" + list + "]\n")).messages;
  ASSERT_EQ(many.size(), 1u);
  EXPECT_NE(many.front().find("more than 8 levels or 64 files"), std::string::npos);
}

// The sample that everybody begins with, by the plugins that are shipped.
TEST(EmbeddedConfig, IsRightAndPlanned) {
  loader::Catalog catalog(HANAPER_PLUGINS);
  Messages messages;
  const fs::path file = fs::path(HANAPER_SOURCE) / "config" / "embedded.toml";
  const Table root = read(file.string(), {}, messages);
  const Model model = make_model(
      root, [&](std::string_view kind, std::string_view name) { return catalog.find(kind, name); }, false,
      messages);
  ASSERT_EQ(messages.lines(), std::vector<std::string>{});
  EXPECT_EQ(model.node.state, (fs::path(HANAPER_SOURCE) / "state").string());
  EXPECT_EQ(plan(model).front(),
            "acme  https://localhost:8443/acme at 127.0.0.1:8443 → web: policy(names) validate(lint) "
            "sign(issuing @ soft) "
            "record(main)");
}

}  // namespace
}  // namespace hanaper::config
