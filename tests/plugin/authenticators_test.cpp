// authenticator/accounts: passwords and tokens of a file.
#include "authenticators_support.hpp"

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
       "line 1: no scrypt or yescrypt hash, and no sha256: either; mkpasswd -m yescrypt makes one"},
      {"a:$6$salt$hash\n",
       "line 1: no scrypt or yescrypt hash, and no sha256: either; mkpasswd -m yescrypt makes one"},
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
