#include "issuance_task.hpp"

#include "certified.hpp"

#include "../services/audit.hpp"
#include "../services/thread_tag.hpp"

#include <hanaper/toolkit/crypto.hpp>

#include <pthread.h>

namespace hanaper::issuance {
namespace {

constexpr int serial_attempts = 3;

}  // namespace

Signers::Signers(std::size_t threads, std::size_t most, std::chrono::milliseconds patience)
    : patience_(patience), most_(std::max(threads, most)) {
  {
    const Lock lock(mutex_);
    for (std::size_t i = 0; i < threads; ++i) add_thread();
  }
  watcher_ = std::thread([this] { watch(); });
  pthread_setname_np(watcher_.native_handle(), "hanaper-signers");
}

void Signers::add_thread() {
  threads_.emplace_back([this] { run(); });
  pthread_setname_np(threads_.back().native_handle(), "hanaper-signer");
}

Signers::~Signers() {
  {
    const Lock lock(mutex_);
    quit_ = true;
  }
  work_.notify_all();
  late_.notify_all();
  watcher_.join();
  for (std::thread& thread : threads_) thread.join();
}

void Signers::sign_soon(IssuanceTask& task) {
  bool watch = false;
  {
    const Lock lock(mutex_);
    queue_.push_back({&task, std::chrono::steady_clock::now()});
    watch = !std::exchange(watching_, true);
  }
  work_.notify_one();
  if (watch) late_.notify_one();
}

void Signers::run() {
  services::thread_is(services::ThreadKind::worker);
  Lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [&]() HANAPER_REQUIRES(mutex_) { return quit_ || !queue_.empty(); });
    if (queue_.empty()) return;
    IssuanceTask* task = queue_.front().task;
    queue_.pop_front();
    lock.unlock();
    task->sign();
    lock.lock();
  }
}

// One signer more at a time, so that a moment in which the machine stood still makes no crowd.
void Signers::watch() {
  Lock lock(mutex_);
  while (!quit_ && threads_.size() < most_) {
    const auto now = std::chrono::steady_clock::now();
    auto look_again = now + patience_;
    if (!queue_.empty() && now - queue_.front().since >= patience_)
      add_thread();
    else if (!queue_.empty())
      look_again = queue_.front().since + patience_;
    watching_ = !queue_.empty();
    if (watching_)
      late_.wait_until(lock, look_again, [&]() HANAPER_REQUIRES(mutex_) { return quit_; });
    else
      late_.wait(lock, [&]() HANAPER_REQUIRES(mutex_) { return quit_ || watching_; });
  }
}

IssuanceTask::IssuanceTask(Context context, Cleared cleared, const IssueRequest& request, Call& call,
                           Redraw redraw)
    : context_(context),
      request_(request),
      call_(call),
      redraw_(std::move(redraw)),
      state_(std::move(cleared)) {}

Work& IssuanceTask::work() {
  return std::visit([](auto& step) -> Work& { return *step; }, state_);
}

Result<Issued> IssuanceTask::run() {
  HANAPER_ON(worker);
  for (int attempt = 1;; ++attempt) {
    HANAPER_CHECK(reserve());
    if (!done_.wait_until(call_.deadline)) {
      if (context_.writer.withdraw(*this))
        return unavailable("storage did not get to this certificate in time");
      done_.wait();  // it is being committed or signed: that ends soon, and the outcome matters
    }
    if (result_) return std::move(issued_);
    // A taken serial is the one conflict that is ours to resolve; records that moved are the caller's.
    const bool reserving = std::holds_alternative<Cleared>(state_);
    const bool taken =
        reserving && result_.error().code == Code::conflict &&
        context_.ledger.certificate(work().profile->authority().id(), work().serial).has_value();
    if (!taken || attempt == serial_attempts) return std::move(result_).error();
    HANAPER_CHECK(redraw_(work()));
    done_.reset();
  }
}

Signing IssuanceTask::signing() {
  const Work& of = work();
  const Authority& authority = of.profile->authority();
  return {.authority = authority.id(),
          .authority_name = authority.config().name,
          .serial = of.serial,
          .profile = of.draft.profile,
          .requester = of.draft.requester,
          .not_before = of.draft.not_before,
          .not_after = of.draft.not_after,
          .shard = of.shard,
          .tbs = of.tbs,
          .pipeline = of.draft.pipeline,
          .call = call_.id};
}

// The intent: what will be signed, before it is.
Status IssuanceTask::reserve() {
  HANAPER_CHECK(check_certified(work()));
  const Profile& profile = *work().profile;
  HANAPER_CHECK(
      profile.authority().remember_crl(work().shard, profile.crl_addresses(work().shard), call_.deadline));
  write = intent_of(signing(), context_.clock.now());
  write.records = request_.with_intent;
  deadline = call_.deadline;
  return context_.writer.submit(*this);
}

void IssuanceTask::committed(Status status) noexcept {
  if (std::holds_alternative<Cleared>(state_)) return reserved(std::move(status));
  recorded(std::move(status));
}

void IssuanceTask::reserved(Status status) {
  if (!status) return arrive(std::move(status));
  state_ = Reserved(std::move(std::get<Cleared>(state_).work_));
  context_.signers.sign_soon(*this);
}

// Key and records are plugins' code; what it throws must not take the signers, and everybody, with it.
void IssuanceTask::sign() noexcept {
  Status prepared;
  try {
    prepared = prepare_recording();
  } catch (const std::exception& error) {
    prepared = internal(std::string("exception while signing: ") + error.what());
  } catch (...) {
    prepared = internal("exception while signing");
  }
  if (!prepared) return audit_failed_signature(prepared.error());
  expiry = ExpiryChange{expiry_day(issued_.not_after), 1};
  if (Status submitted = context_.writer.submit(*this); !submitted) arrive(std::move(submitted));
}

Status IssuanceTask::prepare_recording() {
  HANAPER_ON(worker);
  Work& of = work();
  const Authority& authority = of.profile->authority();
  HANAPER_TRY(of.signature, authority.sign(of.profile->scheme(), of.tbs));
  state_ = Signed(std::move(std::get<Reserved>(state_).work_));
  issued_ = Issued{.authority = authority.id(),
                   .serial = of.serial,
                   .certificate = x509::assemble_certificate(of.tbs, of.signature),
                   .chain = authority.chain(),
                   .not_before = of.draft.not_before,
                   .not_after = of.draft.not_after};
  write = record_of(signing(), of.signature, issued_.certificate, context_.clock.now());
  if (request_.with_record) write.records = request_.with_record(issued_);
  return {};
}

void IssuanceTask::audit_failed_signature(const Error& error) {
  signing_error_ = error;
  write = {};
  write.audit = services::audit_line(context_.clock.now(), "sign.failed",
                                     {{"authority", work().profile->authority().config().name},
                                      {"serial", work().serial.hex()},
                                      {"error", error.detail},
                                      {"call", call_.id}});
  if (Status submitted = context_.writer.submit(*this); !submitted) recorded(std::move(submitted));
}

void IssuanceTask::recorded(Status status) {
  if (!signing_error_) return arrive(std::move(status));
  if (!status)
    context_.log.error("a failed signature could not be audited",
                       {{"serial", work().serial.hex()}, {"error", status.error().detail}});
  arrive(*signing_error_);
}

void IssuanceTask::arrive(Status status) {
  result_ = std::move(status);
  done_.set();  // the caller may be gone with everything before this returns
}

}  // namespace hanaper::issuance
