// The second half of the spine, from a cleared certificate to one on disk, with one wait for the caller.
//
// The writer stores the intents of everybody as a group; signers, as many as there are cores, sign them; the
// writer stores the signatures as a group; then the caller wakes. A blocking call for each step would wake
// and sleep every caller twice, which costs as much as storing a row.
#pragma once

#include "../services/writer.hpp"
#include "signing.hpp"
#include "steps.hpp"

#include <hanaper/toolkit/mutex.hpp>

#include <deque>
#include <variant>

namespace hanaper::issuance {

class IssuanceTask;

// The only threads that use an authority's key for certificates. When all of them hang in a key that does not
// answer, others join them, a few: other keys, and tokens that know they hang, answer at once. Thread-safe.
class Signers {
 public:
  explicit Signers(std::size_t threads, std::chrono::milliseconds patience = std::chrono::seconds{1});
  ~Signers();

  // [any] Queues; the tasks that can be under way are bounded by the callers that wait for them.
  void sign_soon(IssuanceTask& task);

 private:
  void run();
  void add_thread() HANAPER_REQUIRES(mutex_);

  const std::chrono::milliseconds patience_;
  const std::size_t most_;
  Mutex mutex_;
  Condition work_;
  std::chrono::steady_clock::time_point moved_
      HANAPER_GUARDED_BY(mutex_);  // when a signer last took or ended work
  std::deque<IssuanceTask*> queue_ HANAPER_GUARDED_BY(mutex_);
  std::size_t sleeping_ HANAPER_GUARDED_BY(mutex_) = 0;
  bool quit_ HANAPER_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_ HANAPER_GUARDED_BY(mutex_);
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
