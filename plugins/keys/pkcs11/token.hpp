// One token: its sessions, its login, and how it comes back after it was away.
#pragma once

#include "module.hpp"

#include <hanaper/host.hpp>
#include <hanaper/toolkit/mutex.hpp>

#include <atomic>
#include <map>

namespace hanaper::pkcs11 {

// How the configuration names a token: its label, "serial:..." or "slot:...".
struct TokenName {
  std::string text;
  bool fits(const TokenInfo& info) const;
};

struct TokenOptions {
  TokenName name;
  Secret pin;
  std::size_t sessions = 8;
  std::chrono::milliseconds timeout{10'000};
  std::string refused_pin_file;  // remembers, over restarts, which PIN the token would not have
};

// A pool of sessions on a token, logged in. What was lost is found again: a session that is closed, a token
// that was taken out and put back, a module that wants to be initialised again. A PIN that was refused is
// never tried a second time, because tokens lock themselves. Thread-safe.
class Token {
 public:
  Token(std::shared_ptr<Module> module, TokenOptions options, Log& log, Metrics& metrics);
  ~Token();

  const std::string& name() const noexcept { return options_.name.text; }

  // What `work` may use: functions, a session, and the number of the token's present life, in which object
  // handles hold.
  struct Session {
    const CK_FUNCTION_LIST& functions;
    CK_SESSION_HANDLE handle;
    std::uint64_t life;
  };

  // [worker] Calls `work(const Session&)`, which answers a CK_RV, and again after mending when it says that
  // something was lost. unavailable when the token is away, hangs, or all sessions are busy for too long;
  // internal for every other answer, which the caller may have wanted to see: `answer`.
  template <class Work>
  Status run(Work&& work, CK_RV* answer = nullptr) {
    for (int attempt = 0; attempt < 3; ++attempt) {
      std::uint64_t life = 0;
      CK_RV code = CKR_OK;
      {
        const Module::Visit visit(*module_, std::chrono::steady_clock::now() + options_.timeout);
        if (!visit) return unavailable(module_->path() + " is being restarted");
        Borrowed session(*this, visit);
        HANAPER_CHECK(session.open());
        life = session.life();
        if (life != 0) {
          code = work(Session{visit.functions(), session.handle(), life});
          if (code == CKR_OK) session.keep();
        }
      }
      if (answer != nullptr) *answer = code;
      if (life != 0 && code == CKR_OK) return {};
      if (life != 0 && !lost(code)) return internal("token " + name() + ": " + name_of(code));
      HANAPER_CHECK(mend(life));
    }
    return unavailable("token " + name() + " loses every session");
  }

  // [worker] Within `work`, after an operation has begun: the PIN once more, for a key that wants it for each
  // (CKA_ALWAYS_AUTHENTICATE). A PIN that was refused is not tried.
  CK_RV confirm(const Session& session);

  // [any] The PIN from now on: tried once, at the next login. The present one goes on.
  void change_pin(const Secret& pin);

  // [worker] Logs in if that is not done yet or was lost.
  Status connect();

  // [any] From memory: whether the last one who needed the token got it, and nobody hangs in it.
  Status health() const;

  // Whether that answer means that sessions, handles or the token are gone.
  static bool lost(CK_RV code) noexcept;

 private:
  // A session between pool and use; one that failed is closed, never given back.
  class Borrowed {
   public:
    Borrowed(Token& token, const Module::Visit& visit) : token_(token), visit_(visit) {}
    ~Borrowed();
    Status open();  // life() is 0 afterwards when the token must be mended first
    void keep() noexcept { good_ = true; }
    CK_SESSION_HANDLE handle() const noexcept { return handle_; }
    std::uint64_t life() const noexcept { return life_; }

   private:
    Token& token_;
    const Module::Visit& visit_;
    CK_SESSION_HANDLE handle_ = 0;
    std::uint64_t life_ = 0;
    std::size_t place_ = 0;
    bool good_ = false;
  };

  Status mend(std::uint64_t seen);
  Status mend_alone(Module::Alone& module);
  Result<CK_SLOT_ID> find_slot(Module::Alone& module);
  Status log_in(Module::Alone& module, CK_SLOT_ID slot);
  Status refuse_pin(const Secret& pin, std::string why);
  Status settle_for_fewer_locked() HANAPER_REQUIRES(mutex_);
  bool was_refused(const Secret& pin) const;
  Status hanging_locked() const HANAPER_REQUIRES(mutex_);
  void note(const Status& status);

  Secret pin() const;  // a copy

  const std::shared_ptr<Module> module_;
  TokenOptions options_;  // constant after construction, and without the PIN
  Log& log_;
  Gauge& present_;
  Counter& mended_;

  mutable Mutex mutex_;                              // never held while the token is asked
  Condition returned_;                               // a session, or who mended
  bool mending_ HANAPER_GUARDED_BY(mutex_) = false;  // one mends, the others wait and look again
  std::chrono::steady_clock::time_point next_attempt_ HANAPER_GUARDED_BY(mutex_);
  std::uint64_t life_ HANAPER_GUARDED_BY(mutex_) = 0;         // 0: not connected
  std::uint64_t lives_ HANAPER_GUARDED_BY(mutex_) = 0;        // how many there have been
  std::uint64_t module_life_ HANAPER_GUARDED_BY(mutex_) = 0;  // the module's that ours belongs to
  CK_SLOT_ID slot_ HANAPER_GUARDED_BY(mutex_) = 0;
  CK_SESSION_HANDLE login_ HANAPER_GUARDED_BY(mutex_) = 0;  // keeps the login
  std::vector<CK_SESSION_HANDLE> idle_ HANAPER_GUARDED_BY(mutex_);
  std::size_t borrowed_ HANAPER_GUARDED_BY(mutex_) = 0;
  std::size_t limit_ HANAPER_GUARDED_BY(mutex_);  // as many as there may be, or fewer where it gives no more
  std::chrono::steady_clock::time_point fewer_until_ HANAPER_GUARDED_BY(mutex_);
  std::vector<std::chrono::steady_clock::time_point> since_
      HANAPER_GUARDED_BY(mutex_);  // of each place in use; epoch: free
  Secret pin_ HANAPER_GUARDED_BY(mutex_);
  bool pin_refused_ HANAPER_GUARDED_BY(mutex_) = false;  // the token would not have this very one
  Status trouble_ HANAPER_GUARDED_BY(mutex_);            // why the token could not be had last time
  // Touched by who mends, and by nobody else.
  std::chrono::steady_clock::time_point next_restart_, next_told_;
};

}  // namespace hanaper::pkcs11
