// The plugin's side of the conversation: connections to the signer, kept and used again.
#pragma once

#include "wire.hpp"

#include <hanaper/toolkit/mutex.hpp>

#include <atomic>
#include <vector>

// Thread-safe: each question has a connection of its own while it is asked.
class SignerClient {
 public:
  SignerClient(std::string socket, std::chrono::milliseconds timeout)
      : socket_(std::move(socket)), timeout_(timeout) {}

  // [worker] The signer's answer, or the failure that it is. unavailable when there is no signer.
  hanaper::Result<hanaper::json::Value> ask(hanaper::json::Object question);

  // [any] How the last question ended; asked nobody yet: well.
  hanaper::Status health() const;

 private:
  hanaper::Result<wire::Line> line();
  hanaper::Result<hanaper::json::Value> converse(wire::Line& line, const hanaper::json::Value& question);

  const std::string socket_;
  const std::chrono::milliseconds timeout_;
  hanaper::Mutex mutex_;
  std::vector<wire::Line> idle_ HANAPER_GUARDED_BY(mutex_);
  std::atomic<bool> reachable_{true};
};
