// A whole node in the test's own process: SQLite, keys in a folder, and plugins that misbehave when told to.
#pragma once

#include "../data/plugins/told.hpp"
#include "node/node.hpp"
#include "scratch.hpp"

#include <hanaper/toolkit/csr_builder.hpp>
#include <hanaper/toolkit/soft_key.hpp>

#include <atomic>
#include <cstdio>
#include <set>

namespace hanaper::test {

// A node that serves, on SQLite with keys in a folder.
inline const std::string node_tables = R"([node]
state = "state"
io_threads = 1
workers = 2
drain = "1s"
[storage.main]
plugin = "sqlite"
[keys.soft]
plugin = "softtoken"
pin = { file = "pin" }
)";

class NodeFixture : public ::testing::Test {
 protected:
  NodeFixture() {
    namespace fs = std::filesystem;
    for (const char* folder : {HANAPER_PLUGINS, HANAPER_UNRULY_PLUGINS})
      for (const auto& entry : fs::directory_iterator(folder)) {
        fs::create_directories(scratch_.path() / "plugins");
        fs::create_symlink(entry.path(), scratch_.path() / "plugins" / entry.path().filename());
      }
    scratch_.file("state/pin", "a pin of some length");
    std::filesystem::permissions(scratch_.path() / "state", std::filesystem::perms::owner_all);
    EXPECT_TRUE(logger_.apply({"info", "text", scratch_ / "log", ByteCount{1 << 30}}));
    char address[32];
    std::snprintf(address, sizeof address, "%p", static_cast<void*>(&told()));
    ::setenv("HANAPER_UNRULY", address, 1);
  }
  ~NodeFixture() override { tell(""); }

  // What the unruly plugins are to do from now on.
  static void tell(const std::string& what) {
    static auto& kept = *new std::set<std::string>;  // they may be reading it
    told().what = kept.insert(what).first->c_str();
  }
  static Told& told() {
    static Told the_only;
    return the_only;
  }

  // The base, the stages of the pipeline, and what a test adds.
  static std::string configuration(const std::string& pipeline, const std::string& more) {
    return node_tables + R"([authority.issuing]
key = "soft:issuing"
subject = "CN=Issuing"
[profile.web]
lifetime = "90d"
usages = ["server-auth"]
[pipeline.web]
authority = "issuing"
profiles = ["web"]
)" + pipeline +
           "\n" + more;
  }

  config::Model model(const std::string& text) {
    config::Messages messages;
    const config::Table table = config::read(scratch_.file("pki.toml", text), {}, messages);
    config::Model model = config::make_model(
        table, [&](std::string_view kind, std::string_view plugin) { return catalog_.find(kind, plugin); },
        true, messages);
    for (const std::string& line : messages.lines()) ADD_FAILURE() << line;
    return model;
  }

  // A node that serves.
  void serve(const std::string& text) {
    {
      Node first(model(text), catalog_, logger_);
      ASSERT_TRUE(first.configure().empty());
      Status started = first.start();
      ASSERT_TRUE(started) << started.error().detail;
      auto made = first.init();
      ASSERT_TRUE(made) << made.error().detail;
    }
    std::filesystem::remove(scratch_ / "log");  // what follows is the node's that serves
    EXPECT_TRUE(logger_.apply({"info", "text", scratch_ / "log", ByteCount{1 << 30}}));
    node_ = std::make_unique<Node>(model(text), catalog_, logger_);
    for (const std::string& line : node_->configure()) ADD_FAILURE() << line;
    Status running = node_->start();
    if (running) running = node_->serve(nullptr);
    ASSERT_TRUE(running) << running.error().detail;
  }

  Result<Issued> issue(std::string_view pipeline_name = "web",
                       std::chrono::milliseconds within = std::chrono::seconds{10}) {
    static const auto key = *crypto::SoftKey::generate({KeyType::ec_p256, 0});
    static const Bytes csr =
        *x509::build_csr(*key, {{}, {{Identifier::Kind::dns, "host.example.test"}}, {}, {}});
    Call call{"test", std::chrono::steady_clock::now() + within};
    IssueRequest request;
    request.requester = "test:somebody";
    request.csr = csr;
    HANAPER_TRY(issuance::Pipeline * pipeline, node_->pipeline(pipeline_name));
    return pipeline->issue(request, call);
  }

  std::string log() {
    logger_.flush();
    return text_of(scratch_ / "log");
  }
  static std::size_t count(const std::string& text, std::string_view word) {
    std::size_t found = 0;
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
    return found;
  }
  // Waits for what another thread brings about; false when it has not within ten seconds.
  template <class Condition>
  static bool comes(Condition&& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }

  Scratch scratch_;
  services::Logger logger_;
  loader::Catalog catalog_{scratch_ / "plugins"};
  std::unique_ptr<Node> node_;
};

}  // namespace hanaper::test
