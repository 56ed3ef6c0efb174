// The second half of the spine, from a cleared certificate to one on disk, with one wait for the caller.
//
// The writer stores the intents of everybody as a group; signers sign them; the writer stores the signatures
// as a group; then the caller wakes. A blocking call for each step would wake and sleep every caller twice,
// which costs as much as storing a row.
#pragma once

#include "../services/writer.hpp"
#include "signing.hpp"
#include "steps.hpp"

#include <hanaper/toolkit/mutex.hpp>

#include <deque>
#include <variant>

namespace hanaper::issuance {

class IssuanceTask;

// The only threads that use an authority's key for certificates. Keys in memory want one a core. Where work
// waits longer than `patience`, because a token takes its time or hangs, others join them, up to `most`.
// Thread-safe.
class Signers {
 public:
  Signers(std::size_t threads, std::size_t most,
          std::chrono::milliseconds patience = std::chrono::milliseconds{5});
  ~Signers();

  // [any] Queues; the tasks that can be under way are bounded by the callers that wait for them.
  void sign_soon(IssuanceTask& task);

 private:
  void run();
  void watch();  // whether work waits too long
  void add_thread() HANAPER_REQUIRES(mutex_);

  const std::chrono::milliseconds patience_;
  const std::size_t most_;
  Mutex mutex_;
  Condition work_, late_;
  struct Waiting {
    IssuanceTask* task;
    std::chrono::steady_clock::time_point since;
  };
  std::deque<Waiting> queue_ HANAPER_GUARDED_BY(mutex_);
  bool watching_ HANAPER_GUARDED_BY(mutex_) = true;  // knows that there is work
  bool quit_ HANAPER_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_ HANAPER_GUARDED_BY(mutex_);
  std::thread watcher_;
};

// One certificate's way. Belongs to the caller, who waits; in between to the writer and to a signer, never to
// two at once.
class IssuanceTask final : public services::Submission {
 public:
  struct Context {
    Ledger& ledger;
    services::Writer& writer;
    Signers& signers;
    const Clock& clock;
    Log& log;
  };
  // Draws up the certificate again with another serial number.
  using Redraw = std::function<Status(Work&)>;

  IssuanceTask(Context context, Cleared cleared, const IssueRequest& request, Call& call, Redraw redraw);

  // [worker] Runs it to the end. The failures of Issuer::issue.
  Result<Issued> run();

 private:
  friend class Signers;

  Signing signing();
  Status reserve();
  void committed(Status status) noexcept override;
  void reserved(Status status);
  void sign() noexcept;  // [signer]
  Status prepare_recording();
  void recorded(Status status);
  void audit_failed_signature(const Error& error);
  void arrive(Status status);
  Work& work();

  const Context context_;
  const IssueRequest& request_;
  Call& call_;
  const Redraw redraw_;
  std::variant<Cleared, Reserved, Signed> state_;
  Issued issued_;
  Status result_;
  std::optional<Error> signing_error_;
  services::Completion done_;
};

}  // namespace hanaper::issuance
