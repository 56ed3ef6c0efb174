// A host for plugin tests: no network, no disk, no clock but the one the test moves.
#pragma once

#include <hanaper/testing/fake_authority.hpp>
#include <hanaper/testing/fake_laters.hpp>
#include <hanaper/testing/memory_storage.hpp>
#include <hanaper/toolkit/mutex.hpp>
#include <hanaper/toolkit/soft_key.hpp>

#include <list>
#include <set>
#include <thread>

namespace hanaper::fakes {

// Stands still until the test moves it. Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Time now = std::chrono::sys_days{std::chrono::year{2026} / 11 / 21})
      : now_(now.time_since_epoch().count()) {}
  Time now() const noexcept override { return Time{std::chrono::milliseconds{now_.load()}}; }
  void set(Time now) { now_ = now.time_since_epoch().count(); }
  void advance(std::chrono::milliseconds by) { now_ += by.count(); }

 private:
  std::atomic<std::int64_t> now_;
};

// Keeps every line. Thread-safe.
class RecordingLog final : public Log {
 public:
  void write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) override;
  // "warning message name=value name=value"
  std::vector<std::string> lines() const;

 private:
  mutable Mutex mutex_;
  std::vector<std::string> lines_ HANAPER_GUARDED_BY(mutex_);
};

class FakeMetrics final : public Metrics {
 public:
  Counter& counter(std::string_view name, std::string_view help, std::vector<Label> labels) override;
  Gauge& gauge(std::string_view name, std::string_view help, std::vector<Label> labels) override;
  Histogram& histogram(std::string_view name, std::string_view help, std::vector<Label> labels) override;
  // The counter of that name and label values, e.g. value("x_total", {"valid"}); 0 when nobody made it.
  std::uint64_t value(std::string_view name, std::vector<std::string> labels = {}) const;
  std::size_t counters() const { return counters_.size(); }

 private:
  using Key = std::pair<std::string, std::vector<std::string>>;
  static Key key(std::string_view name, const std::vector<Label>& labels);
  std::map<Key, Counter> counters_;
  std::map<Key, Gauge> gauges_;
  std::map<Key, Histogram> histograms_;
};

// Holds jobs until the test runs them.
class FakeScheduler final : public Scheduler {
 public:
  void every(std::string_view name, std::chrono::milliseconds, Job job) override {
    recurring[std::string(name)] = std::move(job);
  }
  Status soon(std::string_view name, Job job) override {
    waiting.emplace_back(std::string(name), std::move(job));
    return {};
  }
  // Runs what waits, and what that makes wait; the first failure.
  Status run_waiting();

  std::map<std::string, Job> recurring;
  std::list<std::pair<std::string, Job>> waiting;
};

class FakeHealth final : public Health {
 public:
  void check(std::string_view name, std::function<Status()> check, Purpose) override {
    checks[std::string(name)] = std::move(check);
  }
  std::map<std::string, std::function<Status()>> checks;
};

// Answers outbound requests as the test says; unavailable without an answer.
class FakeOutbound final : public Outbound {
 public:
  Result<OutboundAnswer> get(const OutboundRequest& request, Call& call) override;
  Result<HandshakeAnswer> handshake(const OutboundHandshake& request, Call& call) override;
  Result<std::vector<Bytes>> records(const std::string& name, DnsType type, Call& call) override;
  Result<OutboundAnswer> send(const OutboundMessage& message, Call& call) override;
  std::function<Result<OutboundAnswer>(const OutboundRequest&)> answer;
  std::function<Result<OutboundAnswer>(const OutboundMessage&)> answer_send;
  std::function<Result<HandshakeAnswer>(const OutboundHandshake&)> shake;
  std::function<Result<std::vector<Bytes>>(const std::string& name, DnsType type)> look_up;
  std::vector<OutboundRequest> asked;
};

// Signs what it is asked with a key of its own, under a one-level chain, without any policy; keeps what it
// issued.
class FakePipeline final : public Issuer, public Trust, public Authentication {
 public:
  FakePipeline(MemoryStorage& storage, const Clock& clock);
  Result<Issued> issue(const IssueRequest& request, Call& call) override;
  Status revoke(const CertificateId& id, RevocationReason reason, std::string_view requester, Call& call,
                bool key_proven = true) override;
  Result<CertificateStatus> status(const CertificateId& id) override;
  Result<CertificateStatus> identify(ByteView certificate) override;
  Status permits(std::string_view profile, const std::vector<Identifier>& names, std::string_view requester,
                 Call& call) override;
  Result<CertificateId> find(ByteView authority_key, const Serial& serial) override;
  Result<ValidityPeriod> validity(std::string_view profile, std::optional<Time> not_before,
                                  std::optional<Time> not_after) const override;
  std::vector<std::string> profiles() const override { return known_profiles; }
  Result<RequestForm> request_form(std::string_view) const override { return wanted_form; }

  AuthorityId authority() const override { return 1; }
  std::vector<Bytes> chain(AuthorityId) const override { return {}; }
  std::vector<Bytes> path() const override { return {certificate_}; }
  RollOver roll_over() const override { return wanted_roll_over; }
  Result<Bytes> next_message() override;
  Result<std::shared_ptr<Registrar>> registrar(Call& call) override;
  Result<Bytes> crl(const CertificateId& id, ByteCount limit) override;

  Result<Identity> authenticate(const Request& request, Call&) override { return identify_sender(request); }
  std::vector<std::string> challenges() const override { return {"Basic realm=\"test\""}; }

  std::vector<std::string> known_profiles = {"default"};
  RequestForm wanted_form;
  RollOver wanted_roll_over;
  Bytes published_crl;  // empty: none
  std::set<std::string> forbidden_names;
  std::optional<Error> fail_with;
  std::function<Status(const IssueRequest&)> before_issuing;  // may refuse
  std::function<Result<Identity>(const Request&)> identify_sender = [](const Request&) -> Result<Identity> {
    return Error{Code::unauthenticated, "nobody is known"};
  };

 private:
  Status commit(Write& write);

  class FakeRegistrar;

  Bytes draw_up(const Serial& serial, ByteView subject, ByteView spki, std::uint16_t usage,
                std::span<const Identifier> names, const ValidityPeriod& period) const;
  Bytes sign(ByteView tbs) const;

  MemoryStorage& storage_;
  const Clock& clock_;
  std::shared_ptr<crypto::SoftKey> key_;
  Bytes certificate_;
  std::shared_ptr<Registrar> registrar_;
  std::map<std::string, std::pair<Bytes, CertificateId>> asked_once_;  // by IssueRequest::once
};

// The Host of one plugin instance.
class FakeHost final : public Host {
 public:
  // A plugin that writes wants a `state_folder` that is there.
  explicit FakeHost(std::string public_url = "https://pki.example.test/plugin",
                    std::string state_folder = "/dev/null/state");

  Log& log() override { return recording_log; }
  const Clock& clock() override { return manual_clock; }
  Metrics& metrics() override { return fake_metrics; }
  Scheduler& scheduler() override { return fake_scheduler; }
  Health& health() override { return fake_health; }
  Outbound& outbound() override { return fake_outbound; }
  Laters& laters() override { return fake_laters; }
  // Only kept: the test runs it, or does not, or has said `run_threads`.
  void thread(std::string_view name, std::function<void(const std::stop_token&)> body) override {
    const Lock lock(threads_mutex_);
    if (run_threads_) running_.emplace_back(body);
    threads_.push_back({std::string(name), std::move(body)});
  }
  // They run for real, those that come later at once. `end_threads` comes before the plugin goes.
  void run_threads() {
    const Lock lock(threads_mutex_);
    run_threads_ = true;
    for (const FakeThread& kept : threads_) running_.emplace_back(kept.body);
  }
  void end_threads() {
    std::list<std::jthread> ending;
    const Lock lock(threads_mutex_);
    ending.swap(running_);
  }
  struct FakeThread {
    std::string name;
    std::function<void(const std::stop_token&)> body;
  };
  std::vector<FakeThread> threads() const {
    const Lock lock(threads_mutex_);
    return threads_;
  }
  Collection& collection(std::string_view name) override;
  Status commit(std::vector<RecordWrite> writes, Call& call) override;
  Issuer& issuer(std::string_view) override { return fake_pipeline; }
  Trust& trust(std::string_view) override { return fake_pipeline; }
  Authentication& authentication(std::string_view) override { return fake_pipeline; }
  // An authority of that name, made when it is first asked for.
  FakeAuthority& authority(std::string_view name) override;
  std::vector<StatusAuthority*> authorities() override;
  const std::string& state_folder() const override { return folder_; }
  const std::string& public_url() const override { return url_; }
  void watch(StatusAuthority& watched, StatusAuthority::Watcher watcher) override {
    authority(watched.name()).watch(std::move(watcher));
  }
  void offer_crl(StatusAuthority& published, std::uint32_t shard,
                 StatusAuthority::CrlSource source) override {
    authority(published.name()).offer_crl(shard, std::move(source));
  }
  Result<Share> share(std::string_view) override { return node_share; }
  void audit(std::string_view event, std::initializer_list<LogField> fields, Call&) override;
  std::string run() const override { return fake_run; }
  bool is_over(std::string_view word) const override { return runs_over.contains(std::string(word)); }

  bool is_alone() const override { return fake_is_alone; }
  bool fake_is_alone = true;
  std::chrono::milliseconds unheard_for() const override { return fake_unheard_for.load(); }

  std::atomic<std::chrono::milliseconds> fake_unheard_for{};
  std::string fake_run = "this run";
  std::set<std::string> runs_over;  // of others

  RecordingLog audited;  // "info event name=value"
  Share node_share;      // of whatever work
  ManualClock manual_clock;
  RecordingLog recording_log;
  FakeMetrics fake_metrics;
  FakeScheduler fake_scheduler;
  FakeHealth fake_health;
  FakeOutbound fake_outbound;
  FakeLaters fake_laters;
  MemoryStorage memory_storage{manual_clock};
  FakePipeline fake_pipeline{memory_storage, manual_clock};

 private:
  class MemoryCollection;
  const std::string url_;
  const std::string folder_;
  std::map<std::string, std::shared_ptr<Collection>, std::less<>> collections_;
  std::map<std::string, std::unique_ptr<FakeAuthority>, std::less<>> authorities_;
  mutable Mutex threads_mutex_;
  std::vector<FakeThread> threads_ HANAPER_GUARDED_BY(threads_mutex_);
  bool run_threads_ HANAPER_GUARDED_BY(threads_mutex_) = false;
  std::list<std::jthread> running_ HANAPER_GUARDED_BY(threads_mutex_);
};

// A call with ten seconds left.
inline Call test_call() { return {"test", std::chrono::steady_clock::now() + std::chrono::seconds{10}}; }

// Commits one write as the only writer of "test" would.
Status commit_one(Storage& storage, Write& write);

// The right to write under the lease `name`, taken from whoever has it.
Result<Fence> take_lease(Leases& leases, std::string_view name, std::string_view holder);

}  // namespace hanaper::fakes
