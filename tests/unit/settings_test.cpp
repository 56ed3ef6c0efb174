#include "config/settings.hpp"
#include "config/model.hpp"
#include "loader/catalog.hpp"
#include "scratch.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace hanaper::config {
namespace {

using enum SettingType;

constexpr SettingKey keys[] = {
    {"text", text, "", nullptr, "a text"},
    {"choice", text, "red", "red|green", "a choice"},
    {"texts", texts, "[\"x\", \"y\"]", nullptr, "texts"},
    {"colours", texts, "[]", "red|green", "choices"},
    {"integer", integer, "7", "-1..100", "a number"},
    {"boolean", boolean, "true", nullptr, "a flag"},
    {"duration", duration, "90s", "1s..1h", "a time"},
    {"size", size, "64KiB", "1KiB..1GiB", "a size"},
    {"path", path, "data/file", nullptr, "a file"},
    {"secret", secret, "", nullptr, "a secret"},
    {"reference", reference, "", "pipeline", "a pipeline"},
    {"references", references, "[]", "profile", "profiles"},
    {"nested.integer", integer, "1", nullptr, "deeper"},
    {"nested.text", text, "", nullptr, "deeper"},
    {"labels", map, "", "0..3", "names of anybody's"},
    {"upstream", tables, "", "1..3", "who is asked"},
    {"upstream.name", text, nullptr, nullptr, "its name"},
    {"upstream.weight", integer, "1", "1..9", "how often"},
    {"upstream.pin", secret, "", nullptr, "what opens it"},
    {"upstream.file", path, "", nullptr, "where it is"},
    {"upstream.inner.flag", boolean, "false", nullptr, "deeper"},
    {"upstream.pipeline", reference, "", "pipeline", "who issues"},
};

struct Read {
  Settings settings{"", ""};
  std::vector<std::string> messages;
};

Read read_settings(std::string_view toml, std::string folder = "/state", bool read_secrets = true) {
  Messages messages;
  const Table table = read_text(toml, "t.toml", messages);
  Settings settings = make_settings("kind.name", table, {"t.toml", 9, 2}, keys,
                                    {std::move(folder), read_secrets, {}}, messages);
  return {std::move(settings), messages.lines()};
}

TEST(Settings, AreReadByTheirTypes) {
  const auto [settings, messages] = read_settings(
      "text = \"a\"\nchoice = \"green\"\ntexts = [\"p\"]\ncolours = [\"green\", \"red\"]\ninteger = -1\n"
      "boolean = false\nduration = \"1h\"\nsize = \"1GiB\"\npath = \"/absolute\"\nreference = \"web\"\n"
      "references = [\"a\", \"b\"]\nnested = { integer = 5, text = \"t\" }\n");
  EXPECT_EQ(messages, std::vector<std::string>{});
  EXPECT_EQ(settings.table(), "kind.name");
  EXPECT_EQ(settings.text("text"), "a");
  EXPECT_EQ(settings.text("choice"), "green");
  EXPECT_EQ(settings.texts("texts"), std::vector<std::string>{"p"});
  EXPECT_EQ(settings.texts("colours"), (std::vector<std::string>{"green", "red"}));
  EXPECT_EQ(settings.integer("integer"), -1);
  EXPECT_FALSE(settings.boolean("boolean"));
  EXPECT_EQ(settings.duration("duration"), std::chrono::hours{1});
  EXPECT_EQ(settings.size("size"), ByteCount{1u << 30});
  EXPECT_EQ(settings.text("path"), "/absolute");
  EXPECT_EQ(settings.text("reference"), "web");
  EXPECT_EQ(settings.texts("references"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(settings.integer("nested.integer"), 5);
  EXPECT_EQ(settings.text("nested.text"), "t");
}

TEST(Settings, HaveTablesWithPlacesOfTheirOwn) {
  for (const char* toml : {"labels = { team = \"web\", env = \"y\" }\n"
                           "upstream = [\n{ name = \"a\" },\n{ name = \"b\", weight = 5, file = \"f\", "
                           "inner = { flag = true } }]\n",
                           "[labels]\nteam = \"web\"\nenv = \"y\"\n"
                           "[[upstream]]\nname = \"a\"\n"
                           "[[upstream]]\nname = \"b\"\nweight = 5\nfile = \"f\"\ninner.flag = true\n"}) {
    SCOPED_TRACE(toml);
    const auto [settings, messages] = read_settings(toml);
    EXPECT_EQ(messages, std::vector<std::string>{});
    EXPECT_EQ(settings.map("labels"), (std::map<std::string, std::string>{{"team", "web"}, {"env", "y"}}));
    const std::vector<Settings>& upstream = settings.tables("upstream");
    ASSERT_EQ(upstream.size(), 2u);
    EXPECT_EQ(upstream[0].table(), "kind.name.upstream[1]");
    EXPECT_EQ(upstream[0].text("name"), "a");
    EXPECT_EQ(upstream[0].integer("weight"), 1);
    EXPECT_FALSE(upstream[0].has("file"));
    EXPECT_FALSE(upstream[0].boolean("inner.flag"));
    EXPECT_EQ(upstream[1].text("name"), "b");
    EXPECT_EQ(upstream[1].integer("weight"), 5);
    EXPECT_EQ(upstream[1].text("file"), "/state/f");
    EXPECT_TRUE(upstream[1].boolean("inner.flag"));
  }
  const auto [settings, messages] = read_settings("");
  EXPECT_EQ(messages, std::vector<std::string>{});
  EXPECT_TRUE(settings.tables("upstream").empty());
  EXPECT_TRUE(settings.map("labels").empty());
}

TEST(Settings, OfTablesAreRefusedWithTheirPlaceAndKey) {
  const std::pair<const char*, const char*> cases[] = {
      {"upstream = 1\n", "t.toml:1:12: kind.name.upstream: an array of tables is expected"},
      {"upstream = [1]\n", "t.toml:1:12: kind.name.upstream: an array of tables is expected"},
      {"upstream = { name = \"a\" }\n", "t.toml:1:12: kind.name.upstream: an array of tables is expected"},
      {"upstream = []\n", "t.toml:1:12: kind.name.upstream: has 0 entries; it must have 1..3"},
      {"upstream = [{ name = \"a\" },\n{ name = 7 }]\n",
       "t.toml:2:10: kind.name.upstream[2].name: a string is expected"},
      {"upstream = [{ name = \"a\", weight = 10 }]\n",
       "t.toml:1:36: kind.name.upstream[1].weight: must be within 1..9"},
      {"[[upstream]]\nname = \"a\"\n[[upstream]]\nweight = 2\n",
       "t.toml:3:1: kind.name.upstream[2].name: must be given: its name"},
      {"[[upstream]]\nname = \"a\"\nwieght = 2\n",
       "t.toml:3:1: kind.name.upstream[1]: unknown key \"wieght\"; did you mean \"weight\"?"},
      {"labels = 1\n", "t.toml:1:10: kind.name.labels: a table of strings is expected"},
      {"labels = { a = 1 }\n", "t.toml:1:10: kind.name.labels: a: a string is expected"},
      {"labels = { a = \"\", b = \"\", c = \"\", d = \"\" }\n",
       "t.toml:1:10: kind.name.labels: has 4 entries; it must have 0..3"},
  };
  for (const auto& [toml, wanted] : cases)
    EXPECT_EQ(read_settings(toml).messages, std::vector<std::string>{wanted}) << toml;
}

TEST(Settings, OfTablesKeepTheirSecrets) {
  const test::Scratch folder;
  folder.file("pin", "hush\n");
  auto [settings, messages] =
      read_settings("[[upstream]]\nname = \"a\"\npin = { file = \"pin\" }\n", folder.path().string());
  ASSERT_EQ(messages, std::vector<std::string>{});
  EXPECT_EQ(settings.tables("upstream")[0].secret("pin").reveal(), "hush");
  EXPECT_FALSE(settings.without_secrets().tables("upstream")[0].has("pin"));
  EXPECT_EQ(settings.without_secrets().tables("upstream")[0].text("name"), "a");
  settings.forget_secrets();
  EXPECT_FALSE(settings.tables("upstream")[0].has("pin"));
}

// A bug of the plugin's, of which whoever looks for it learns where.
TEST(Settings, ThatAreNotThereSayWhichWhenTheyAreRead) {
  const auto [settings, messages] = read_settings("");
  const auto said = [](auto&& read) -> std::string {
    try {
      read();
    } catch (const std::out_of_range& error) {
      return error.what();
    }
    return "nothing";
  };
  EXPECT_EQ(said([&, &settings = settings] { static_cast<void>(settings.text("text")); }),
            "kind.name.text: is not given; ask `has` first");
  EXPECT_EQ(said([&, &settings = settings] { static_cast<void>(settings.integer("choice")); }),
            "kind.name.choice: is declared as another type");
  EXPECT_EQ(said([&, &settings = settings] { static_cast<void>(settings.text("other")); }),
            "kind.name declares no key other");
}

TEST(Settings, FallBackToWhatTheKeyTableSays) {
  const auto [settings, messages] = read_settings("");
  EXPECT_EQ(messages, std::vector<std::string>{});
  EXPECT_FALSE(settings.has("text"));
  EXPECT_EQ(settings.text_or("text", "else"), "else");
  EXPECT_EQ(settings.text("choice"), "red");
  EXPECT_EQ(settings.texts("texts"), (std::vector<std::string>{"x", "y"}));
  EXPECT_TRUE(settings.has("colours"));
  EXPECT_EQ(settings.texts("colours"), std::vector<std::string>{});
  EXPECT_EQ(settings.integer("integer"), 7);
  EXPECT_TRUE(settings.boolean("boolean"));
  EXPECT_EQ(settings.duration("duration"), std::chrono::seconds{90});
  EXPECT_EQ(settings.size("size"), ByteCount{64 * 1024});
  EXPECT_EQ(settings.text("path"), "/state/data/file");
  EXPECT_FALSE(settings.has("secret"));
  EXPECT_FALSE(settings.has("reference"));
  EXPECT_EQ(settings.texts("reference"), std::vector<std::string>{});
}

TEST(Settings, ThatNobodyDeclaredAreABug) {
  const auto [settings, messages] = read_settings("");
  EXPECT_THROW(static_cast<void>(settings.has("colour")), std::out_of_range);
  EXPECT_THROW(static_cast<void>(settings.text("colour")), std::out_of_range);
  EXPECT_THROW(static_cast<void>(settings.integer("choice")), std::out_of_range) << "of another type";
  EXPECT_THROW(static_cast<void>(settings.text("text")), std::out_of_range) << "not given";
}

TEST(Settings, ErrorsPointAtTheirKeyOrElseAtTheTable) {
  const auto [settings, messages] = read_settings("\n\n  integer =   5\nnested = { text = \"t\" }\n");
  EXPECT_EQ(settings.error("integer", "is odd").detail, "t.toml:3:15: kind.name.integer: is odd");
  EXPECT_EQ(settings.error("integer", "is odd").code, Code::malformed);
  EXPECT_EQ(settings.error("nested.text", "is short").detail, "t.toml:4:19: kind.name.nested.text: is short");
  EXPECT_EQ(settings.error("size", "is small").detail, "t.toml:9:2: kind.name.size: is small");
  EXPECT_EQ(settings.error("undeclared", "is new").detail, "t.toml:9:2: kind.name.undeclared: is new");
}

struct Bound {
  const char* toml;
  bool within;
};

TEST(Settings, BoundsAreInclusive) {
  const Bound table[] = {
      {"integer = -1", true},
      {"integer = -2", false},
      {"integer = 100", true},
      {"integer = 101", false},
      {"duration = \"1s\"", true},
      {"duration = \"999ms\"", false},
      {"duration = \"1h\"", true},
      {"duration = \"3601s\"", false},
      {"size = \"1KiB\"", true},
      {"size = \"1023\"", false},
      {"size = \"1GiB\"", true},
      {"size = \"1073741825\"", false},
      {"integer = 9223372036854775807", false},
  };
  for (const Bound& test : table) {
    SCOPED_TRACE(test.toml);
    EXPECT_EQ(read_settings(test.toml).messages.empty(), test.within);
  }
}

TEST(Secrets, ComeFromAFileOfTheStateFolder) {
  const test::Scratch scratch;
  scratch.file("pin", "two words\r\n");
  const std::string folder = scratch.path().string();
  const auto [settings, messages] = read_settings("secret = { file = \"pin\" }", folder);
  EXPECT_EQ(messages, std::vector<std::string>{});
  EXPECT_EQ(settings.secret("secret").reveal(), "two words");
  const auto absolute = read_settings("secret = { file = \"" + folder + "/pin\" }", "/elsewhere");
  EXPECT_EQ(absolute.messages, std::vector<std::string>{});
  EXPECT_EQ(absolute.settings.secret("secret").reveal(), "two words");
}

TEST(Secrets, OfSystemdComeFromItsFolder) {
  const test::Scratch scratch;
  scratch.file("pin", "12345678\n", 0440);  // systemd's own mode
  ::setenv("CREDENTIALS_DIRECTORY", scratch.path().c_str(), 1);
  const auto found = read_settings("secret = { credential = \"pin\" }");
  const auto missing = read_settings("secret = { credential = \"pun\" }");
  const auto outside = read_settings("secret = { credential = \"../pin\" }");
  ::unsetenv("CREDENTIALS_DIRECTORY");
  EXPECT_EQ(found.messages, std::vector<std::string>{});
  EXPECT_EQ(found.settings.secret("secret").reveal(), "12345678");
  EXPECT_EQ(missing.messages, std::vector<std::string>{"t.toml:1:10: kind.name.secret: " + scratch / "pun" +
                                                       ": there is no such credential"});
  EXPECT_EQ(outside.messages, std::vector<std::string>{
                                  "t.toml:1:10: kind.name.secret: credential \"../pin\" is no plain name"});
}

TEST(Secrets, AreLeftAloneWhereNothingIsStarted) {
  const auto [settings, messages] = read_settings("secret = { file = \"nowhere\" }", "/state", false);
  EXPECT_EQ(messages, std::vector<std::string>{});
  EXPECT_TRUE(settings.has("secret"));
  EXPECT_TRUE(settings.secret("secret").empty());
}

TEST(Secrets, AreForgottenOnDemand) {
  const test::Scratch scratch;
  scratch.file("pin", "12345678\n");
  Read read = read_settings("secret = { file = \"pin\" }\ntext = \"stays\"", scratch.path().string());
  read.settings.forget_secrets();
  EXPECT_FALSE(read.settings.has("secret"));
  EXPECT_EQ(read.settings.text("text"), "stays");
}

struct Word {
  std::string word;
  std::vector<std::string> candidates;
  const char* suggestion;
};

TEST(Suggestion, IsTheNearestWordIfOneIsNear) {
  const Word table[] = {
      {"hms", {"hsm", "soft"}, "hsm"},
      {"wokers", {"queue", "workers"}, "workers"},
      {"lisener", {"listener"}, "listener"},
      {"certificat", {"certificate", "certificates"}, "certificate"},
      {"web", {"wab", "web1"}, "wab"},
      {"x", {"y"}, "y"},
      {"ab", {"cd"}, ""},
      {"colour", {"queue", "name"}, ""},
      {"", {"a"}, "a"},
      {"web", {}, ""},
      {"Names", {"names"}, "names"},
      {std::string(500, 'a'), {"b"}, ""},
  };
  for (const Word& test : table) {
    SCOPED_TRACE(test.word);
    const std::string expected =
        *test.suggestion == '\0' ? "" : "; did you mean \"" + std::string(test.suggestion) + "\"?";
    EXPECT_EQ(suggestion(test.word, test.candidates), expected);
  }
}

// Takes the sample as an operator would: every key uncommented, every gap filled.
std::string filled(const std::string& sample, std::span<const SettingKey> sampled) {
  std::string toml;
  for (std::size_t at = 0; at < sample.size();) {
    const std::size_t end = sample.find('\n', at);
    std::string line = sample.substr(at, end - at);
    at = end + 1;
    if (line.starts_with('#') && !line.starts_with("# ")) line.erase(0, 1);
    if (const std::size_t gap = line.find("= ..."); gap != std::string::npos) {
      const auto key = std::ranges::find_if(
          sampled, [&](const SettingKey& known) { return line.starts_with(std::string(known.name) + " "); });
      EXPECT_NE(key, sampled.end()) << line;
      const bool list = key != sampled.end() && (key->type == texts || key->type == references);
      line.replace(gap, 5, list ? "= [\"...\"]" : key->type == integer ? "= 5" : "= true");
    }
    toml += line + "\n";
  }
  return toml;
}

void expect_sample_parses(const std::string& name, std::span<const SettingKey> sampled) {
  SCOPED_TRACE(name);
  const std::string toml = filled(sample(name, sampled), sampled);
  Messages messages;
  const Table root = read_text(toml, "sample", messages);
  ASSERT_EQ(messages.lines(), std::vector<std::string>{}) << toml;
  const Table* table = &root;
  for (std::string_view rest = name; !rest.empty();) {
    const std::size_t dot = rest.find('.');
    const Entry* entry = table->find(rest.substr(0, dot));
    ASSERT_NE(entry, nullptr) << toml;
    table = entry->value.table();
    rest = dot == std::string_view::npos ? std::string_view{} : rest.substr(dot + 1);
  }
  // What was filled in is not always a duration or a choice, but every key is one of the table.
  make_settings(name, *table, {}, sampled, {"/state", false, {}}, messages);
  for (const std::string& line : messages.lines())
    EXPECT_EQ(line.find("unknown key"), std::string::npos) << line;
}

TEST(Sample, OfEveryTableOfTheHostIsToml) {
  for (const std::string& table : host_tables()) {
    const bool single = table == "node" || table == "log" || table == "outbound";
    expect_sample_parses(single ? table : table + ".name", host_keys(table));
  }
}

TEST(Sample, OfEveryPluginIsToml) {
  loader::Catalog catalog(HANAPER_PLUGINS);
  std::size_t plugins = 0;
  for (const loader::Found& found : catalog.list()) {
    ASSERT_NE(found.manifest, nullptr) << found.refusal;
    ++plugins;
    const auto own =
        host_keys(std::string_view(found.manifest->kind) == "protocol" ? "protocol" : "instance");
    std::vector<SettingKey> all(own.begin(), own.end());
    all.insert(all.end(), found.manifest->keys, found.manifest->keys + found.manifest->key_count);
    expect_sample_parses(found.manifest->kind + std::string(".") + found.manifest->name, all);
  }
  EXPECT_GE(plugins, 5u);
}

TEST(Sample, ShowsWhatMustBeGivenAndWhatIsUsual) {
  constexpr SettingKey sampled[] = {
      {"name", text, nullptr, nullptr, "who it is"},      {"pin", secret, nullptr, nullptr, "what opens it"},
      {"count", integer, "5", "1..9", "how many"},        {"url", text, "", nullptr, "where"},
      {"lists", references, nullptr, "profile", "which"}, {"labels", map, "", nullptr, "what it is for"},
      {"peer", tables, "", "1..9", "who is asked"},       {"peer.name", text, nullptr, nullptr, "its name"},
      {"peer.weight", integer, "1", "1..9", "how often"}, {"peer.pin", secret, "", nullptr, "what opens it"},
  };
  EXPECT_EQ(
      sample("kind.name", sampled),
      "[kind.name]\n"
      "# who it is\nname = \"...\"  # must be given\n"
      "# what opens it\npin = { file = \"...\" }  # must be given\n"
      "# how many (1..9)\n#count = 5\n"
      "# where\n#url = \"...\"\n"
      "# which\nlists = ...  # must be given\n"
      "# what it is for\n#labels = { name = \"...\" }\n"
      "# who is asked (1..9)\n#   name: its name\n#   weight: how often (1..9)\n#   pin: what opens it\n"
      "#peer = [{ name = \"...\", weight = 1, pin = { file = \"...\" } }]\n");
}

// A default that its own key table refuses would show only on the day somebody leaves the key out.
TEST(Sample, DefaultsAreWithinTheirOwnBounds) {
  const auto expect_defaults = [](const std::string& name, std::span<const SettingKey> sampled) {
    Messages messages;
    make_settings(name, {}, {"t", 1, 1}, sampled, {"/state", false, {}}, messages);
    for (const std::string& line : messages.lines())
      EXPECT_NE(line.find("must be given"), std::string::npos) << line;
  };
  for (const std::string& table : host_tables()) expect_defaults(table, host_keys(table));
  loader::Catalog catalog(HANAPER_PLUGINS);
  for (const loader::Found& found : catalog.list())
    expect_defaults(found.file, {found.manifest->keys, found.manifest->key_count});
}

}  // namespace
}  // namespace hanaper::config
