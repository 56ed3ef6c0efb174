// A write whose caller waits for its outcome.
#pragma once

#include "completion.hpp"
#include "writer.hpp"

namespace hanaper::services {

// Owned by the caller, who waits for `done` and then has the result. Outlives its time at the writer.
class Waiting final : public Submission {
 public:
  void committed(Status status) noexcept override {
    result = std::move(status);
    done.set();
  }
  Status result;
  Completion done;
};

}  // namespace hanaper::services
