// No exception of a plugin, and no call that does not come back, is the end of the host.
#include "node/endpoints.hpp"
#include "node/guarded_kinds.hpp"
#include "node_support.hpp"

#include <hanaper/testing/fake_host.hpp>

#include <future>
#include <regex>
#include <semaphore>

namespace hanaper::test {
namespace {

// Every function of the boundary that the host calls in a plugin, class by class, out of the headers.
std::map<std::string, std::set<std::string>> entries_of_headers() {
  std::map<std::string, std::set<std::string>> entries;
  const std::regex begins(R"(^class (\w+)( final)?( : public Plugin)? \{)"),
      function(R"(\bvirtual .*?(\w+)\()");
  for (const char* header :
       {"plugin.hpp", "stages.hpp", "events.hpp", "protocol.hpp", "storage.hpp", "keys.hpp"}) {
    std::ifstream stream(std::string(HANAPER_SOURCE "/sdk/include/hanaper/") + header);
    std::string line, of;
    while (std::getline(stream, line)) {
      std::smatch match;
      if (std::regex_search(line, match, begins)) of = match[1];
      if (std::regex_search(line, match, function) && match[1] != of) entries[of].insert(match[1]);
    }
  }
  return entries;
}

struct Bug {};

template <class T>
[[noreturn]] T fail(bool standard) {
  if (standard) throw std::runtime_error("a bug of the plugin");
  throw Bug();
}

// One plugin for each kind, each of whose functions throws.
template <class Kind>
class Throwing : public Kind {
 public:
  explicit Throwing(bool standard) : standard_(standard) {}
  Status configure(const Settings&, Host&) override { return fail<Status>(standard_); }
  Status start() override { return fail<Status>(standard_); }
  void stop(Deadline) override { fail<int>(standard_); }
  void* ability(std::string_view) override { return fail<void*>(standard_); }

 protected:
  const bool standard_;
};

struct ThrowingAuthenticator final : Throwing<Authenticator> {
  using Throwing::Throwing;
  Result<Identity> authenticate(const Request&, Call&) override { return fail<Result<Identity>>(standard_); }
  std::string challenge() const override { return fail<std::string>(standard_); }
};
struct ThrowingPolicy final : Throwing<Policy> {
  using Throwing::Throwing;
  Status decide(Draft&, Call&) override { return fail<Status>(standard_); }
};
struct ThrowingValidator final : Throwing<Validator> {
  using Throwing::Throwing;
  Status validate(const Draft&, Call&) override { return fail<Status>(standard_); }
};
struct ThrowingPublisher final : Throwing<Publisher> {
  using Throwing::Throwing;
  Status publish(const Event&, Call&) override { return fail<Status>(standard_); }
};
struct ThrowingNotifier final : Throwing<Notifier> {
  using Throwing::Throwing;
  Status notify(const Event&, Call&) override { return fail<Status>(standard_); }
};
struct ThrowingProtocol final : Throwing<Protocol> {
  using Throwing::Throwing;
  ByteCount body_limit() const override { return fail<ByteCount>(standard_); }
  Response handle(const Request&, Call&) override { return fail<Response>(standard_); }
  bool answer_fast(const Request&, FastReply&) override { return fail<bool>(standard_); }
};
struct ThrowingKeys final : Throwing<Keys> {
  using Throwing::Throwing;
  using Found = Result<std::shared_ptr<Key>>;
  Found find(std::string_view) override { return fail<Found>(standard_); }
  Found create(std::string_view, KeySpec) override { return fail<Found>(standard_); }
  Found import(std::string_view, const Secret&) override { return fail<Found>(standard_); }
  Status remove(std::string_view) override { return fail<Status>(standard_); }
  Result<std::vector<KeyInfo>> list() override { return fail<Result<std::vector<KeyInfo>>>(standard_); }
  Status health() override { return fail<Status>(standard_); }
};
struct ThrowingKey final : Key {
  explicit ThrowingKey(bool standard) : standard_(standard) {}
  KeySpec spec() const noexcept override { return {KeyType::ec_p256, 0}; }
  ByteView spki() const noexcept override { return {}; }
  Result<Bytes> sign(SignatureScheme, ByteView) override { return fail<Bytes>(standard_); }
  Result<Bytes> sign_digest(SignatureScheme, ByteView) override { return fail<Bytes>(standard_); }
  Result<Secret> decrypt(ByteView) override { return fail<Result<Secret>>(standard_); }
  const bool standard_;
};
struct KeysOfThrowingKeys final : Throwing<Keys> {
  using Throwing::Throwing;
  using Found = Result<std::shared_ptr<Key>>;
  Found find(std::string_view) override {
    return std::shared_ptr<Key>(std::make_shared<ThrowingKey>(standard_));
  }
  Found create(std::string_view, KeySpec) override { return std::shared_ptr<Key>(); }
  Found import(std::string_view, const Secret&) override { return std::shared_ptr<Key>(); }
  Status remove(std::string_view) override { return {}; }
  Result<std::vector<KeyInfo>> list() override { return std::vector<KeyInfo>{}; }
  Status health() override { return {}; }
};
struct ThrowingStorage final : Throwing<Storage> {
  using Throwing::Throwing;
  Ledger& ledger() override { return fail<Ledger&>(standard_); }
  Records& records() override { return fail<Records&>(standard_); }
  Leases& leases() override { return fail<Leases&>(standard_); }
  Status commit(Batch&) override { return fail<Status>(standard_); }
  Status health() override { return fail<Status>(standard_); }
};

class Guards : public ::testing::TestWithParam<bool> {
 protected:
  template <class Kind, class Plugin>
  Kind& guarded(std::string_view kind, Plugin& plugin) {
    guarded_.push_back(guarded_kind(kind, plugin, guard_));
    EXPECT_NE(guarded_.back(), nullptr) << kind;
    return dynamic_cast<Kind&>(*guarded_.back());
  }
  // Runs one entry: the exception has become a failure, a line and a number.
  template <class Function>
  void expect_caught(const std::string& of, const std::string& entry, Function&& call) {
    covered_[of].insert(entry);
    const std::size_t before = host_.recording_log.lines().size();
    call();
    const auto lines = host_.recording_log.lines();
    ASSERT_EQ(lines.size(), before + 1) << of << "::" << entry;
    EXPECT_NE(lines.back().find("exception left a plugin plugin=kind.name entry="), std::string::npos)
        << lines.back();
  }
  template <class Function>
  void expect_internal(const std::string& of, const std::string& entry, Function&& call) {
    expect_caught(of, entry, [&] {
      const auto result = call();
      ASSERT_FALSE(result) << of << "::" << entry;
      EXPECT_EQ(result.error().code, Code::internal) << of << "::" << entry;
    });
  }

  void plugins_functions();
  void stages();
  void events();
  void protocols();
  void keys();
  void storages();

  fakes::FakeHost host_;
  services::Guard guard_{"kind.name", host_.recording_log, host_.fake_metrics};
  std::vector<std::unique_ptr<Plugin>> guarded_;
  std::map<std::string, std::set<std::string>> covered_;
  Call call_ = fakes::test_call();
};

void Guards::plugins_functions() {
  ThrowingPolicy plugin(GetParam());
  Policy& policy = guarded<Policy>("policy", plugin);
  const Settings settings("kind.name", "pki.toml:1:1");
  expect_internal("Plugin", "configure", [&] { return policy.configure(settings, host_); });
  expect_internal("Plugin", "start", [&] { return policy.start(); });
  expect_caught("Plugin", "stop", [&] { policy.stop(call_.deadline); });
  expect_caught("Plugin", "ability", [&] { EXPECT_EQ(policy.ability("x"), nullptr); });
}

void Guards::stages() {
  ThrowingAuthenticator authenticator(GetParam());
  Authenticator& who = guarded<Authenticator>("authenticator", authenticator);
  Request request;
  expect_internal("Authenticator", "authenticate", [&] { return who.authenticate(request, call_); });
  expect_caught("Authenticator", "challenge", [&] { EXPECT_EQ(who.challenge(), ""); });
  ThrowingPolicy policy(GetParam());
  Draft draft;
  expect_internal("Policy", "decide", [&] { return guarded<Policy>("policy", policy).decide(draft, call_); });
  ThrowingValidator validator(GetParam());
  expect_internal("Validator", "validate",
                  [&] { return guarded<Validator>("validator", validator).validate(draft, call_); });
}

void Guards::events() {
  const Event event{};
  ThrowingPublisher publisher(GetParam());
  expect_internal("Publisher", "publish",
                  [&] { return guarded<Publisher>("publisher", publisher).publish(event, call_); });
  ThrowingNotifier notifier(GetParam());
  expect_internal("Notifier", "notify",
                  [&] { return guarded<Notifier>("notifier", notifier).notify(event, call_); });
}

void Guards::protocols() {
  struct NoReply final : FastReply {
    void send(std::string_view, ByteView) override {}
    void send_file(std::string_view, FileRange) override {}
  } reply;
  ThrowingProtocol protocol(GetParam());
  ProtocolEndpoint endpoint(protocol, guard_);
  Request request;
  services::thread_is(services::ThreadKind::io);
  expect_caught("Protocol", "answer_fast", [&] { EXPECT_FALSE(endpoint.answer_fast(request, reply)); });
  services::thread_is(services::ThreadKind::main);
  expect_caught("Protocol", "handle", [&] { EXPECT_EQ(endpoint.handle(request, call_).status, 500); });
  expect_caught("Protocol", "body_limit", [&] { EXPECT_EQ(endpoint.body_limit().value, 0u); });
}

void Guards::keys() {
  ThrowingKeys plugin(GetParam());
  Keys& provider = guarded<Keys>("keys", plugin);
  expect_internal("Keys", "find", [&] { return provider.find("x"); });
  expect_internal("Keys", "create", [&] { return provider.create("x", {}); });
  expect_internal("Keys", "import", [&] { return provider.import("x", Secret("x")); });
  expect_internal("Keys", "remove", [&] { return provider.remove("x"); });
  expect_internal("Keys", "list", [&] { return provider.list(); });
  expect_internal("Keys", "health", [&] { return provider.health(); });
  KeysOfThrowingKeys holder(GetParam());
  Keys& other = guarded<Keys>("keys", holder);
  EXPECT_EQ(other.create("x", {}).error().code, Code::internal) << "no key, and no reason";
  const auto key = *other.find("x");
  expect_internal("Key", "sign", [&] { return key->sign(SignatureScheme::ecdsa_sha256, {}); });
  expect_internal("Key", "sign_digest", [&] { return key->sign_digest(SignatureScheme::ecdsa_sha256, {}); });
  expect_internal("Key", "decrypt", [&] { return key->decrypt({}); });
  covered_["Key"].insert({"spec", "spki"});  // noexcept, and asked once
  EXPECT_EQ(key->spec().type, KeyType::ec_p256);
}

void Guards::storages() {
  ThrowingStorage plugin(GetParam());
  Storage& storage = guarded<Storage>("storage", plugin);
  Batch batch;
  expect_internal("Storage", "commit", [&] { return storage.commit(batch); });
  expect_internal("Storage", "health", [&] { return storage.health(); });
  covered_["Storage"].insert({"ledger", "records", "leases"});  // called with each of theirs
  Ledger& ledger = storage.ledger();
  std::string cursor;
  const Serial serial;
  expect_internal("Ledger", "authorities", [&] { return ledger.authorities(); });
  expect_internal("Ledger", "certificate", [&] { return ledger.certificate(1, serial); });
  expect_internal("Ledger", "search", [&] { return ledger.search({}); });
  expect_internal("Ledger", "issued_since", [&] { return ledger.issued_since(cursor, 1); });
  expect_internal("Ledger", "revocations", [&] { return ledger.revocations(1, 0, serial, 1); });
  expect_internal("Ledger", "revoked_since", [&] { return ledger.revoked_since(cursor, 1); });
  expect_internal("Ledger", "feed_cursor", [&] { return ledger.feed_cursor(); });
  expect_internal("Ledger", "crls", [&] { return ledger.crls(1, 0, 1); });
  expect_internal("Ledger", "newest_crl", [&] { return ledger.newest_crl(1, 0, false); });
  expect_internal("Ledger", "blocked_keys", [&] { return ledger.blocked_keys({}, 1); });
  expect_internal("Ledger", "expiries", [&] { return ledger.expiries(); });
  expect_internal("Ledger", "writer", [&] { return ledger.writer("a"); });
  expect_internal("Ledger", "audit_nodes", [&] { return ledger.audit_nodes(); });
  expect_internal("Ledger", "audit", [&] { return ledger.audit("a", 0, 1); });
  expect_internal("Records", "get", [&] { return storage.records().get("a", "b"); });
  expect_internal("Records", "find", [&] { return storage.records().find("a", "b", "c", "", 1); });
  expect_internal("Leases", "all", [&] { return storage.leases().all(); });
  expect_internal("Leases", "take", [&] { return storage.leases().take({}, "b"); });
  expect_internal("Leases", "renew", [&] { return storage.leases().renew("b"); });
  expect_internal("Leases", "release", [&] { return storage.leases().release("a", "b"); });
}

TEST_P(Guards, CatchWhatEachFunctionOfEachKindThrows) {
  plugins_functions();
  stages();
  events();
  protocols();
  keys();
  storages();
  // Abilities have no wrapper: whoever asks for one calls it behind the guard. Some classes are the host's
  // own, which plugins call.
  const std::set<std::string> abilities = {"Transferable", "Archivable", "Replication",
                                           "Adjustable",   "Change",     "Repinning"},
                              of_the_host = {"Archive", "ArchiveSource", "Authentication"};
  for (const auto& [of, entries] : entries_of_headers()) {
    if (abilities.contains(of) || of_the_host.contains(of)) continue;
    for (const std::string& entry : entries)
      EXPECT_TRUE(covered_[of].contains(entry)) << of << "::" << entry << " has no case here";
  }
}
INSTANTIATE_TEST_SUITE_P(Exceptions, Guards, ::testing::Bool(), [](const auto& test) {
  return std::string(test.param ? "OfTheStandard" : "OfAnyOtherType");
});

TEST(Gates, NameWhoDoesNotComeBack) {
  fakes::FakeHost host;
  services::Guard guard("policy.slow", host.recording_log, host.fake_metrics);
  std::binary_semaphore inside(0), go(0);
  std::thread network([&] {
    services::thread_is(services::ThreadKind::io);
    const Status back = guard.run("answer_fast", "", [&]() -> Status {
      inside.release();
      go.acquire();
      return {};
    });
    EXPECT_TRUE(back);
  });
  inside.acquire();
  Status blocked;
  while (blocked) blocked = services::blocked_threads();
  EXPECT_NE(blocked.error().detail.find("policy.slow has kept a network thread for"), std::string::npos)
      << blocked.error().detail;
  go.release();
  network.join();
  EXPECT_TRUE(services::blocked_threads());
  ASSERT_FALSE(host.recording_log.lines().empty());
  EXPECT_NE(host.recording_log.lines().back().find("has held up a network thread"), std::string::npos);
}

struct Unruly {
  const char* kind;
  const char* entry;
  const char* how;
};

class UnrulyNode : public NodeFixture, public ::testing::WithParamInterface<Unruly> {};

TEST_P(UnrulyNode, ServesOn) {
  const auto& [kind, entry, how] = GetParam();
  const std::string of = std::string(kind) + ".unruly";
  const std::map<std::string, std::string> slots = {
      {"policy", "policy"}, {"validator", "validate"}, {"authenticator", "authenticate"}};
  serve(configuration(slots.at(kind) + " = [\"unruly\"]", "[" + of + "]\nnumber = 2\n"));
  ASSERT_TRUE(issue());
  tell(std::string(entry) + "=" + how);
  Call call{"test", std::chrono::steady_clock::now() + std::chrono::seconds{10}};
  const bool deciding = std::string_view(entry) == "decide" || std::string_view(entry) == "validate";
  if (deciding) {
    const auto refused = issue();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::internal);
  } else if (std::string_view(entry) == "authenticate") {
    EXPECT_EQ((*node_->pipeline("web"))->authenticate({}, call).error().code, Code::internal);
  } else if (std::string_view(entry) == "challenge") {
    EXPECT_TRUE((*node_->pipeline("web"))->challenges().empty());
  }
  EXPECT_TRUE(comes([&] { return count(log(), "exception left a plugin") > 0; })) << log();
  EXPECT_NE(log().find("plugin=" + of), std::string::npos) << log();
  if (std::string_view(entry) == "health") {
    EXPECT_TRUE(comes([&] { return !node_->shared().readiness.status(Purpose::node); }));
  }
  tell("");
  EXPECT_TRUE(issue());
  EXPECT_TRUE(comes([&] { return node_->shared().readiness.status(Purpose::node).has_value(); }));
  EXPECT_TRUE(node_->stop());
}

const Unruly ways[] = {
    {"policy", "decide", "std"},
    {"policy", "decide", "int"},
    {"validator", "validate", "std"},
    {"validator", "validate", "int"},
    {"authenticator", "authenticate", "std"},
    {"authenticator", "challenge", "int"},
    {"policy", "job", "std"},
    {"policy", "job", "int"},
    {"policy", "health", "std"},
    {"validator", "health", "int"},
};
INSTANTIATE_TEST_SUITE_P(Ways, UnrulyNode, ::testing::ValuesIn(ways), [](const auto& row) {
  return std::string(row.param.kind) + "_" + row.param.entry + "_" + row.param.how;
});

struct Blocked {
  const char* kind;
  const char* slot;
  const char* entry;
};

bool is_blocked_in(const Told& told, const std::string& instance) {
  const auto visits = services::Gates::visits(std::chrono::milliseconds{5});
  return told.blocked > 0 &&
         std::ranges::any_of(visits, [&](const auto& visit) { return visit.instance == instance; });
}

class BlockedNode : public NodeFixture, public ::testing::WithParamInterface<Blocked> {};

// A call does not come back by its deadline, not even when its plugin has been stopped, but after that.
TEST_P(BlockedNode, ServesOthersAndOutlivesACallThatComesBackAfterTheStop) {
  const auto& [kind, slot, entry] = GetParam();
  const std::string of = std::string(kind) + ".unruly";
  const std::string free = "[pipeline.free]\nauthority = \"issuing\"\nprofiles = [\"web\"]\n";
  serve(configuration(std::string(slot) + " = [\"unruly\"]", "[" + of + "]\nnumber = 2\n" + free));
  tell(std::string(entry) + "=block");
  std::atomic<bool> is_inside{false};
  std::thread caller([&] {
    Call call{"blocked", std::chrono::steady_clock::now() + std::chrono::milliseconds{1}};
    if (std::string_view(entry) == "authenticate")
      static_cast<void>((*node_->pipeline("web"))->authenticate({}, call));
    else if (std::string_view(entry) == "challenge")
      static_cast<void>((*node_->pipeline("web"))->challenges());
    else if (std::string_view(slot) == "publish" || std::string_view(slot) == "notify")
      while (!is_inside) static_cast<void>(issue());  // what happens before it listens is nothing to it
    else
      static_cast<void>(issue());
  });
  EXPECT_TRUE(comes([&] { return is_blocked_in(told(), of); }));
  is_inside = true;
  EXPECT_TRUE(issue("free"));
  const auto taken_out = node_->reload(model(configuration("", free)));
  ASSERT_TRUE(taken_out) << taken_out.error().detail;
  EXPECT_TRUE(log().find("still at work; it stays until it is done") != std::string::npos ||
              log().find("does not come back") != std::string::npos)
      << log();
  EXPECT_TRUE(issue("free"));
  tell("");
  caller.join();
  EXPECT_TRUE(issue());
  EXPECT_TRUE(node_->stop());
}

const Blocked blocked[] = {
    {"policy", "policy", "decide"},
    {"policy", "policy", "job"},
    {"policy", "policy", "health"},
    {"validator", "validate", "validate"},
    {"authenticator", "authenticate", "authenticate"},
    {"authenticator", "authenticate", "challenge"},
    {"publisher", "publish", "publish"},
    {"notifier", "notify", "notify"},
};
INSTANTIATE_TEST_SUITE_P(Ways, BlockedNode, ::testing::ValuesIn(blocked),
                         [](const auto& row) { return std::string(row.param.kind) + "_" + row.param.entry; });

// What stands behind every pipeline of one authority, or of all.
TEST_F(NodeFixture, ServesOtherAuthoritiesWhileASignatureDoesNotComeBack) {
  serve(configuration("", R"([keys.unruly]
number = 2
[authority.other]
key = "unruly:other"
subject = "CN=Other"
[pipeline.other]
authority = "other"
profiles = ["web"]
)"));
  ASSERT_TRUE(issue("other"));
  tell("sign=block");
  std::thread caller([&] { EXPECT_TRUE(issue("other")) << "it comes back in the end"; });
  EXPECT_TRUE(comes([&] { return is_blocked_in(told(), "keys.unruly"); }));
  EXPECT_TRUE(issue());
  tell("");
  caller.join();
  EXPECT_TRUE(node_->stop());
}

TEST_F(NodeFixture, AnswersAtTheDeadlineWhileTheStorageDoesNotComeBack) {
  std::string text = configuration("", "");
  const std::string_view sqlite = "plugin = \"sqlite\"";
  text.replace(text.find(sqlite), sqlite.size(), "plugin = \"unruly\"\nnumber = 2");
  serve(text);
  ASSERT_TRUE(issue());
  tell("commit=block");
  std::thread caller([&] { EXPECT_TRUE(issue()) << "it was written in the end"; });
  EXPECT_TRUE(comes([&] { return is_blocked_in(told(), "storage.main"); }));
  const auto late = issue("web", std::chrono::milliseconds{50});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::unavailable) << late.error().detail;
  EXPECT_FALSE(node_->storage().ledger().authorities()->empty()) << "what is read is answered";
  tell("");
  caller.join();
  EXPECT_TRUE(issue());
  EXPECT_TRUE(node_->stop());
}

TEST_F(NodeFixture, TakesAPluginThatThrowsForOneWithoutTheAbility) {
  serve(configuration("policy = [\"unruly\"]", "[policy.unruly]\nnumber = 2\n"));
  const auto instance = find_instance(node_->instances(), "policy", "unruly");
  for (const char* how : {"ability=std", "ability=int"}) {
    tell(how);
    EXPECT_EQ(instance->ability<Adjustable>(), nullptr);
  }
  tell("");
  EXPECT_EQ(count(log(), "exception left a plugin"), 2u) << log();
  EXPECT_TRUE(issue());
}

TEST_F(NodeFixture, LooksAtTheOtherChecksWhileOneDoesNotAnswer) {
  serve(configuration("policy = [\"unruly\"]", "[policy.unruly]\nnumber = 2\n"));
  tell("health=block");
  const auto says = [&](const std::string& name, std::string_view text) {
    for (const auto& outcome : node_->shared().readiness.report())
      if (outcome.name == name && !outcome.status && outcome.status.error().detail == text) return true;
    return false;
  };
  EXPECT_TRUE(comes([&] { return says("policy.unruly.even", "does not answer"); }));
  const std::uint64_t id =
      node_->shared().readiness.add("later", Purpose::node, [] { return unavailable("seen"); });
  EXPECT_TRUE(comes([&] { return says("later", "seen"); })) << "the looks go on";
  node_->shared().readiness.remove(id);
  tell("");
  EXPECT_TRUE(comes([&] { return node_->shared().readiness.status(Purpose::node).has_value(); }));
}

TEST_F(NodeFixture, StopsWithAPluginThatDoesNotComeBackFromAJob) {
  serve(configuration("policy = [\"unruly\"]", "[policy.unruly]\nnumber = 2\n"));
  tell("job=block");
  ASSERT_TRUE(comes([] { return is_blocked_in(told(), "policy.unruly"); }));
  std::thread release([&] {
    EXPECT_TRUE(comes([&] { return log().find("does not come back from a job") != std::string::npos; }));
    tell("");
  });
  EXPECT_FALSE(node_->stop()) << "something was cut off";
  release.join();
}

TEST_F(NodeFixture, NamesAThreadThatAnExceptionHasEnded) {
  serve(configuration("policy = [\"unruly\"]", "[policy.unruly]\nnumber = 2\n"));
  tell("thread=std");
  EXPECT_TRUE(comes([&] { return !node_->shared().readiness.status(Purpose::node).has_value(); }));
  EXPECT_TRUE(issue()) << "who is well serves on";
  EXPECT_EQ(count(log(), "exception left a plugin plugin=policy.unruly entry=\"thread unruly\""), 1u)
      << log();
  bool named = false;
  for (const auto& outcome : node_->shared().readiness.report())
    if (!outcome.status && outcome.status.error().detail.find("policy.unruly: its thread unruly") == 0)
      named = true;
  EXPECT_TRUE(named);
  EXPECT_TRUE(node_->stop());
}

TEST_F(NodeFixture, StopsWithAThreadThatDoesNotEnd) {
  serve(configuration("policy = [\"unruly\"]", "[policy.unruly]\nnumber = 2\n"));
  tell("thread=block");
  std::thread release([&] {
    EXPECT_TRUE(
        comes([&] { return log().find("a thread of the plugin does not end") != std::string::npos; }));
    tell("");
  });
  EXPECT_FALSE(node_->stop()) << "something was cut off";
  release.join();
}

TEST_F(NodeFixture, EndsAnswersThatCouldComeLaterWithTheirInstance) {
  serve(configuration("policy = [\"unruly\"]", "[policy.unruly]\nnumber = 2\n"));
  const Call call{"later", std::chrono::steady_clock::now() + std::chrono::seconds{30}};
  std::promise<services::ThreadKind> ran;
  std::promise<Error> ended;
  std::optional<Later<int>> waits;
  {
    const auto instance = find_instance(node_->instances(), "policy", "unruly");
    const auto answered = instance->laters().make<int, Thread::network>(
        call, [&](Result<int>, Call&) { ran.set_value(services::this_thread); });
    EXPECT_TRUE(answered.complete(1));
    waits = instance->laters().make<int>(call,
                                         [&](Result<int> answer, Call&) { ended.set_value(answer.error()); });
  }
  EXPECT_EQ(ran.get_future().get(), services::ThreadKind::io);
  ASSERT_TRUE(node_->reload(model(configuration("", ""))));
  EXPECT_EQ(ended.get_future().get().detail, "policy.unruly has been stopped");
  EXPECT_FALSE(waits->complete(2)) << "nobody waits any more";
  EXPECT_TRUE(node_->stop());
}

}  // namespace
}  // namespace hanaper::test
