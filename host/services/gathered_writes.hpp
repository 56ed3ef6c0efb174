// Many writes of one caller that need not wait for each other: one commit takes a group of them.
#pragma once

#include "waiting.hpp"

namespace hanaper::services {

// Belongs to one thread.
class GatheredWrites {
 public:
  GatheredWrites(Writer& writer, Deadline deadline) : writer_(writer), deadline_(deadline) {}

  // [worker] Commits when enough have gathered; the first failure, as Writer::commit.
  Status add(Write write, std::optional<ExpiryChange> expiry = {}) {
    Waiting& one = *pending_.emplace_back(std::make_unique<Waiting>());
    one.write = std::move(write);
    one.expiry = expiry;
    one.deadline = deadline_;
    return pending_.size() < group ? Status{} : commit();
  }

  // [worker] Commits what has gathered and waits for all of it.
  Status commit() {
    for (const auto& one : pending_)
      if (Status submitted = writer_.submit(*one); !submitted) one->committed(std::move(submitted));
    Status first;
    for (const auto& one : pending_) {
      one->done.wait();  // the writer drops what is late
      if (first) first = std::move(one->result);
    }
    pending_.clear();
    return first;
  }

 private:
  static constexpr std::size_t group = 256;  // what the writer takes at once

  Writer& writer_;
  const Deadline deadline_;
  std::vector<std::unique_ptr<Waiting>> pending_;
};

}  // namespace hanaper::services
