// A PKCS#11 module in this process: loaded once, however many tokens it drives.
#pragma once

#include <hanaper/toolkit/mutex.hpp>
#include <hanaper/values.hpp>

#include <p11-kit/pkcs11.h>

#include <memory>

typedef struct PKCS11_ctx_st PKCS11_CTX;
typedef struct PKCS11_slot_st PKCS11_SLOT;

namespace hanaper::pkcs11 {

struct TokenInfo {
  CK_SLOT_ID slot = 0;
  std::string label;
  std::string serial;
  std::string model;  // manufacturer and model
  bool pin_locked = false;
};

// Many calls into the module at once, or one that restarts it: modules crash when they are finalised under a
// signature. A restart that waits lets nobody else in, so that it is not starved. Thread-safe.
class Gate {
 public:
  // False when it stays closed until the deadline.
  bool enter(Deadline deadline) {
    Lock lock(mutex_);
    if (closed_ && !open_.wait_until(lock, deadline, [&]() HANAPER_REQUIRES(mutex_) { return !closed_; }))
      return false;
    ++inside_;
    return true;
  }
  void leave() noexcept {
    const Lock lock(mutex_);
    if (--inside_ == 0 && closed_) empty_.notify_one();
  }
  // False when somebody stays inside until the deadline; then everything is as before.
  bool close(Deadline deadline);
  void reopen();

 private:
  Mutex mutex_;
  Condition open_, empty_;
  std::size_t inside_ HANAPER_GUARDED_BY(mutex_) = 0;
  bool closed_ HANAPER_GUARDED_BY(mutex_) = false;
};

// The shared object behind a path. libp11 loads it, initialises and finalises it, and finds its tokens; every
// session is ours, because libp11's own do not survive what a server lives through. Thread-safe.
class Module {
 public:
  // The same object for the same file, however it is spelt: a second life of a module in one process would
  // end the first. unavailable says what the loader said.
  static Result<std::shared_ptr<Module>> open(const std::string& path, const std::string& options);

  Module(std::string path, std::string options);
  ~Module();

  const std::string& path() const noexcept { return path_; }

  // A stay inside the module: calls are made only while one lives.
  class Visit {
   public:
    Visit(Module& module, Deadline deadline) : module_(module), inside_(module.gate_.enter(deadline)) {}
    ~Visit() {
      if (inside_) module_.gate_.leave();
    }
    Visit(const Visit&) = delete;
    explicit operator bool() const noexcept { return inside_; }

    const CK_FUNCTION_LIST& functions() const noexcept { return *module_.functions_; }
    // How often the module has been started: sessions and handles of an earlier life are void.
    std::uint64_t life() const noexcept { return module_.life_; }

   private:
    Module& module_;
    const bool inside_;
  };

  // The module with nobody else inside.
  class Alone {
   public:
    Alone(Module& module, Deadline deadline) : module_(module), inside_(module.gate_.close(deadline)) {}
    ~Alone() {
      if (inside_) module_.gate_.reopen();
    }
    Alone(const Alone&) = delete;
    explicit operator bool() const noexcept { return inside_; }

    const CK_FUNCTION_LIST& functions() const noexcept { return *module_.functions_; }
    std::uint64_t life() const noexcept { return module_.life_; }

    // Tokens that are present. unavailable when the module must be restarted first.
    Result<std::vector<TokenInfo>> tokens() { return module_.find_tokens(); }
    // Finalises and initialises.
    Status restart() { return module_.start(); }

   private:
    Module& module_;
    const bool inside_;
  };

 private:
  Status start();
  void stop() noexcept;
  Result<std::vector<TokenInfo>> find_tokens();

  const std::string path_;
  const std::string options_;
  Gate gate_;

  // Guarded by gate_: written by who is alone, read by visitors.
  void* library_ = nullptr;
  PKCS11_CTX* context_ = nullptr;
  std::vector<std::pair<PKCS11_SLOT*, unsigned>> slots_;
  CK_FUNCTION_LIST* functions_ = nullptr;
  std::uint64_t life_ = 0;
};

// "CKR_PIN_INCORRECT"; hexadecimal for those nobody meets.
std::string name_of(CK_RV code);

}  // namespace hanaper::pkcs11
