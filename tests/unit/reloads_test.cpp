// Who wants the configuration read again wakes the main thread and hears what came of it.
#include "operations/reloads.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <thread>

namespace hanaper::operations {
namespace {

using namespace std::chrono_literals;

// This thread is the main one: SIGHUP is blocked and waited for.
class Reload : public ::testing::Test {
 protected:
  void SetUp() override {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals_, &before_);
  }
  void TearDown() override { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  void wait() {
    int signal = 0;
    ASSERT_EQ(sigwait(&signals_, &signal), 0);
  }
  static Reloads::Outcome ask(Reloads& reloads, std::chrono::milliseconds patience) {
    Call call{"test", std::chrono::steady_clock::now() + patience};
    return reloads.ask(call);
  }

  sigset_t signals_, before_;
};

TEST_F(Reload, TellsWhoAskedWhatChanged) {
  Reloads reloads;
  Reloads::Outcome told{std::vector<std::string>{}};
  std::thread asking([&] { told = ask(reloads, 1min); });
  wait();
  reloads.answer([] { return Reloads::Outcome{std::vector<std::string>{"profile.web: applied"}}; });
  asking.join();
  ASSERT_TRUE(told);
  EXPECT_EQ(*told, std::vector<std::string>{"profile.web: applied"});
}

TEST_F(Reload, TellsWhyItWasRefused) {
  Reloads reloads;
  Reloads::Outcome told{std::vector<std::string>{}};
  std::thread asking([&] { told = ask(reloads, 1min); });
  wait();
  reloads.answer([] { return Reloads::Outcome{malformed("pki.toml:1:1: no")}; });
  asking.join();
  EXPECT_EQ(told.error().detail, "pki.toml:1:1: no");
}

// One that began before does not count: what it has read may be older.
TEST_F(Reload, WaitsForOneThatBeginsAfterItWasAskedFor) {
  Reloads reloads;
  Reloads::Outcome told{std::vector<std::string>{}};
  std::thread asking;
  reloads.answer([&] {
    asking = std::thread([&] { told = ask(reloads, 1min); });
    wait();  // it has asked, while this one is under way
    return Reloads::Outcome{std::vector<std::string>{"old"}};
  });
  reloads.answer([] { return Reloads::Outcome{std::vector<std::string>{"new"}}; });
  asking.join();
  EXPECT_EQ(*told, std::vector<std::string>{"new"});
}

TEST_F(Reload, EndsAtTheDeadline) {
  Reloads reloads;
  const auto told = ask(reloads, 0ms);
  EXPECT_EQ(told.error().code, Code::unavailable);
  EXPECT_NE(told.error().detail.find("still being read"), std::string::npos);
  wait();
}

TEST_F(Reload, EndsWhenTheDaemonStops) {
  Reloads reloads;
  Reloads::Outcome told{std::vector<std::string>{}};
  std::thread asking([&] { told = ask(reloads, 1min); });
  wait();
  reloads.end();
  asking.join();
  EXPECT_EQ(told.error().detail, "the daemon stops");
}

}  // namespace
}  // namespace hanaper::operations
