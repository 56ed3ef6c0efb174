// authenticator/accounts: passwords and tokens of a file.
#include "accounts.hpp"
#include "authenticators_support.hpp"

#include <time.h>

#include <functional>
#include <limits>
#include <thread>

namespace hanaper {
namespace {

using test::ask;
using test::Sender;

std::string basic(std::string_view text) { return "Basic " + base64::encode(as_bytes(text)); }

// The hashes are mkpasswd's of "correct horse", by yescrypt and scrypt; the token is "token-of-some-length".
constexpr const char* accounts_text =
    "# devices\n"
    "router-7:$y$j9T$KVhOzpyIDMGn32Mv4Dt1V0$xUyRfvJvsnlxlQakvM3Qpy5qDKhVL0Ub.uxxawFdu82\n"
    "\n"
    "office:$7$CU..../....courMM0vm6AE2hHMKPQRf.$jhh6exoaU5Ke5nXEFMnfYsHJ.6nYxWDaxUp4UcStjC9:ra,operator\r\n"
    "bot:sha256:989203ad85e03b374e0e199778901e347feb4bed3b076fc2ebe168c4288ff9b7:ra\n";

class Accounts : public ::testing::Test {
 protected:
  Status configure(const std::string& text) {
    static_cast<void>(files::replace(path_, text, 0600));
    Settings settings("authenticator.people", "pki.toml:3:1");
    settings.set("file", {path_, "pki.toml:4:8"});
    settings.set("realm", {std::string("devices"), "pki.toml:5:9"});
    return plugin_->configure(settings, host_);
  }
  Authenticator& authenticator() { return static_cast<Authenticator&>(*plugin_); }

  test::TemporaryFolder folder_;
  const std::string path_ = folder_ / "accounts";
  fakes::FakeHost host_;
  loader::Catalog catalog_{HANAPER_PLUGINS};
  std::unique_ptr<Plugin> plugin_ = *catalog_.create("authenticator", "accounts");
};

TEST_F(Accounts, KnowWhoHasPasswordOrToken) {
  struct Row {
    const char* name;
    Sender sender;
    const char* identity;  // "": unauthenticated
    std::vector<std::string> roles;
  };
  const Row rows[] = {
      {"a yescrypt password", {basic("router-7:correct horse"), {}}, "password:router-7", {}},
      {"a scrypt password", {basic("office:correct horse"), {}}, "password:office", {"ra", "operator"}},
      {"the scheme in other letters",
       {"bAsIc " + basic("router-7:correct horse").substr(6), {}},
       "password:router-7",
       {}},
      {"a token", {"Bearer token-of-some-length", {}}, "token:bot", {"ra"}},
      {"nothing", {"", {}}, "", {}},
      {"a wrong password", {basic("router-7:correct horse "), {}}, "", {}},
      {"an empty password", {basic("router-7:"), {}}, "", {}},
      {"another's name", {basic("router-8:correct horse"), {}}, "", {}},
      {"a hash for a password",
       {basic("router-7:$y$j9T$KVhOzpyIDMGn32Mv4Dt1V0$xUyRfvJvsnlxlQakvM3Qpy5qDKhVL0Ub.uxxawFdu82"), {}},
       "",
       {}},
      {"a token for a password", {basic("bot:token-of-some-length"), {}}, "", {}},
      {"a password for a token", {"Bearer correct horse", {}}, "", {}},
      {"a wrong token", {"Bearer token-of-some-lengtH", {}}, "", {}},
      {"no colon", {basic("router-7"), {}}, "", {}},
      {"no base64", {"Basic !", {}}, "", {}},
      {"a NUL in the password", {basic(std::string_view("router-7:correct horse\0", 23)), {}}, "", {}},
      {"a password of 257 octets", {basic("router-7:" + std::string(257, 'x')), {}}, "", {}},
      {"another scheme", {"Digest username=\"router-7\"", {}}, "", {}},
      {"plain HTTP", {basic("router-7:correct horse"), {}, false}, "", {}},
  };
  ASSERT_TRUE(configure(accounts_text));
  for (const Row& test : rows) {
    SCOPED_TRACE(test.name);
    for (int again = 0; again < 2; ++again) {  // the second time from memory
      const auto identity = ask(*plugin_, test.sender);
      EXPECT_EQ(identity ? identity->name : "", test.identity);
      if (identity) {
        EXPECT_EQ(identity->roles, test.roles);
      } else {
        EXPECT_EQ(identity.error().code, Code::unauthenticated);
      }
    }
  }
  for (const std::string& line : host_.recording_log.lines())
    EXPECT_EQ(line.find("horse"), std::string::npos);
}

// Each row is a guesser's history, and then somebody with the right password.
TEST_F(Accounts, AreNotLockedByThoseWhoGuess) {
  struct Row {
    const char* name;
    int guesses;
    std::function<Sender(int)> guess;
    Sender right;
  };
  const auto guess = [](std::string name, std::string address) {
    return [=](int i) { return Sender{basic(name + ":guess" + std::to_string(i)), {}, true, address}; };
  };
  const Sender owner{basic("router-7:correct horse"), {}, true, "198.51.100.1"};
  const Row rows[] = {
      {"guesses at the same address", 12, guess("router-7", "198.51.100.1"), owner},
      {"guesses at another account", 12, guess("office", "198.51.100.1"), owner},
      {"guesses at no account", 12, guess("nobody", "198.51.100.1"), owner},
      {"guesses from elsewhere", 12, guess("router-7", "203.0.113.9"), owner},
      {"guesses from everywhere", 12,
       [](int i) {
         return Sender{basic("router-7:x" + std::to_string(i)), {}, true, "203.0.113." + std::to_string(i)};
       },
       owner},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    plugin_ = *catalog_.create("authenticator", "accounts");
    ASSERT_TRUE(configure(accounts_text));
    for (int i = 0; i < row.guesses; ++i) EXPECT_FALSE(ask(*plugin_, row.guess(i)));
    EXPECT_TRUE(ask(*plugin_, row.right));
  }
}

TEST_F(Accounts, LetTheirOwnersInWhileManyGuess) {
  ASSERT_TRUE(configure(accounts_text));
  for (int i = 0; i < 12; ++i)
    EXPECT_FALSE(ask(*plugin_, {basic("router-7:early" + std::to_string(i)), {}, true, "203.0.113.9"}));
  std::atomic<bool> stop{false};
  std::atomic<int> tried{0};
  std::vector<std::thread> guessers;
  for (int g = 0; g < 8; ++g)
    guessers.emplace_back([&, g] {
      for (int i = 0; !stop; ++i, ++tried)
        static_cast<void>(
            ask(*plugin_, {basic("router-7:" + std::to_string(g * 1000 + i)), {}, true, "203.0.113.9"}));
    });
  while (tried < 8) std::this_thread::yield();
  const Sender table[] = {{basic("office:correct horse"), {}, true, "198.51.100.1"},
                          {basic("router-7:correct horse"), {}, true, "198.51.100.1"},
                          {basic("office:correct horse"), {}, true, "203.0.113.9"},
                          {basic("router-7:correct horse"), {}, true, "203.0.113.9"}};
  for (const Sender& sender : table) {
    const auto identity = ask(*plugin_, sender);
    EXPECT_TRUE(identity) << sender.address << ": " << identity.error().detail;
  }
  stop = true;
  for (std::thread& guesser : guessers) guesser.join();
}

TEST_F(Accounts, SayWhoGuessesAndWhere) {
  ASSERT_TRUE(configure(accounts_text));
  static_cast<void>(ask(*plugin_, {basic("router-7:guess"), {}, true, "2001:db8::7"}));
  static_cast<void>(ask(*plugin_, {basic("my-password:guess"), {}, true, "198.51.100.9"}));
  static_cast<void>(ask(*plugin_, {"Bearer guess", {}, true, "198.51.100.8"}));
  std::string all;
  for (const std::string& line : host_.recording_log.lines()) all += line + "\n";
  for (const char* part : {"router-7", "2001:db8::7", "198.51.100.9", "198.51.100.8"})
    EXPECT_NE(all.find(part), std::string::npos) << part << " in " << all;
  for (const char* part : {"guess", "my-password"}) EXPECT_EQ(all.find(part), std::string::npos) << all;
}

// Names that are not there are told apart neither by what their hash costs, which its setting says, nor by
// another hash each time.
TEST_F(Accounts, CompareNamesThatAreNotThereWithAHashOfTheSameCost) {
  const std::pair<const char*, const char*> kinds[] = {
      {"$y$j9T$", "a:$y$j9T$KVhOzpyIDMGn32Mv4Dt1V0$xUyRfvJvsnlxlQakvM3Qpy5qDKhVL0Ub.uxxawFdu82\n"},
      {"$y$j75$", "a:$y$j75$KVhOzpyIDMGn32Mv4Dt1V0$xUyRfvJvsnlxlQakvM3Qpy5qDKhVL0Ub.uxxawFdu82\n"},
      {"$7$CU", "a:$7$CU..../....courMM0vm6AE2hHMKPQRf.$jhh6exoaU5Ke5nXEFMnfYsHJ.6nYxWDaxUp4UcStjC9\n"},
      {"$7$7U", "a:$7$7U..../....courMM0vm6AE2hHMKPQRf.$jhh6exoaU5Ke5nXEFMnfYsHJ.6nYxWDaxUp4UcStjC9\n"},
      {"$y$j9T$", "bot:sha256:989203ad85e03b374e0e199778901e347feb4bed3b076fc2ebe168c4288ff9b7\n"},
  };
  for (const auto& [setting, text] : kinds) {
    SCOPED_TRACE(text);
    const auto file = accounts::Accounts::parse(text);
    ASSERT_TRUE(file);
    for (const char* name : {"a", "b", "bot"}) {
      EXPECT_TRUE(file->hash_for(name).starts_with(setting)) << file->hash_for(name);
      EXPECT_EQ(file->hash_for(name), file->hash_for(name));
    }
  }
}

// The least processor time of a few attempts.
std::int64_t cost_of(const accounts::Accounts& file, const std::string& name) {
  const auto spent = [] {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  };
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (int i = 0; i < 3; ++i) {
    const std::int64_t before = spent();
    EXPECT_FALSE(file.by_password(name, Secret(std::string("wrong"))));
    least = std::min(least, spent() - before);
  }
  return least;
}

// A hash that is not computed costs a thousandth: the tenth is far from both.
TEST_F(Accounts, ComputeAHashForNamesThatAreNotThere) {
  const auto file = accounts::Accounts::parse(accounts_text);
  ASSERT_TRUE(file);
  EXPECT_GT(cost_of(*file, "nobody"), cost_of(*file, "router-7") / 10);
}

// What an account may ask for: what its line says, or its name; who speaks for others is not bound.
TEST_F(Accounts, AreBoundToNames) {
  const std::string hash = ":$y$j9T$KVhOzpyIDMGn32Mv4Dt1V0$xUyRfvJvsnlxlQakvM3Qpy5qDKhVL0Ub.uxxawFdu82";
  ASSERT_TRUE(configure("router-7" + hash + "\nlab" + hash + "::.lab.test,192.0.2.0/24,CN=Lab*\nra" + hash +
                        ":ra:a.test\njoe@mail.test" + hash + ":\n"));
  const auto bound_to = [&](const std::string& name) {
    const auto identity = ask(*plugin_, {basic(name + ":correct horse"), {}});
    return identity ? identity->bound_to : std::vector<std::vector<std::string>>{{"nobody"}};
  };
  using Lists = std::vector<std::vector<std::string>>;
  EXPECT_EQ(bound_to("router-7"), (Lists{{"router-7", "router-7.*", "CN=router-7", "UID=router-7"}}));
  EXPECT_EQ(bound_to("lab"), (Lists{{".lab.test", "192.0.2.0/24", "CN=Lab*"}}));
  EXPECT_EQ(bound_to("ra"), Lists{});
  EXPECT_EQ(bound_to("joe@mail.test"), (Lists{{"joe@mail.test", "user-principal-name:joe@mail.test",
                                               "CN=joe@mail.test", "UID=joe@mail.test"}}));
  EXPECT_EQ(configure("lab" + hash + "::a b\n").error().detail.find("line 1: dns name \"a b\"") ==
                std::string::npos,
            false);
}

TEST_F(Accounts, FollowTheirFile) {
  ASSERT_TRUE(configure(accounts_text));
  const Sender sender{basic("router-7:correct horse"), {}};
  EXPECT_TRUE(ask(*plugin_, sender));
  ASSERT_TRUE(files::replace(
      path_, "bot:sha256:989203ad85e03b374e0e199778901e347feb4bed3b076fc2ebe168c4288ff9b7\n", 0600));
  EXPECT_FALSE(ask(*plugin_, sender)) << "a password that was remembered outlived its account";
  EXPECT_TRUE(ask(*plugin_, {"Bearer token-of-some-length", {}}));
  EXPECT_TRUE(host_.fake_health.checks.at("accounts")());

  ASSERT_TRUE(files::replace(path_, "nonsense\n", 0600));
  EXPECT_TRUE(ask(*plugin_, {"Bearer token-of-some-length", {}})) << "the last good file stays in force";
  const Status health = host_.fake_health.checks.at("accounts")();
  ASSERT_FALSE(health);
  EXPECT_EQ(health.error().detail, path_ + ": line 1: no account: name:secret[:role,role] is wanted");
}

TEST_F(Accounts, AskForWhatTheyHave) {
  ASSERT_TRUE(configure(accounts_text));
  EXPECT_EQ(authenticator().challenge(),
            "Basic realm=\"devices\", charset=\"UTF-8\", Bearer realm=\"devices\"");
  ASSERT_TRUE(configure("bot:sha256:989203ad85e03b374e0e199778901e347feb4bed3b076fc2ebe168c4288ff9b7\n"));
  EXPECT_EQ(authenticator().challenge(), "Bearer realm=\"devices\"");
}

TEST_F(Accounts, RefuseFilesThatAreNone) {
  const std::pair<const char*, const char*> rows[] = {
      {"router-7\n", "line 1: no account: name:secret[:role,role] is wanted"},
      {"#\n:x\n", "line 2: no account: name:secret[:role,role] is wanted"},
      {"a:secret\n",
       "line 1: no scrypt or yescrypt hash, and no sha256: either; hanaper accounts line makes one"},
      {"a:$6$salt$hash\n",
       "line 1: no scrypt or yescrypt hash, and no sha256: either; hanaper accounts line makes one"},
      {"a:sha256:00\n", "line 1: sha256: wants 64 hexadecimal digits"},
      {"a:$y$x\na:$y$y\n", "line 2: the same name again"},
      {"a:sha256:989203ad85e03b374e0e199778901e347feb4bed3b076fc2ebe168c4288ff9b7\nb:sha256:"
       "989203ad85e03b374e0e199778901e347feb4bed3b076fc2ebe168c4288ff9b7\n",
       "line 2: the same token again"},
  };
  for (const auto& [text, message] : rows) {
    const Status configured = configure(text);
    ASSERT_FALSE(configured) << text;
    EXPECT_EQ(configured.error().detail,
              "pki.toml:4:8: authenticator.people.file: " + path_ + ": " + message);
  }
}

}  // namespace
}  // namespace hanaper
