// The searchable names of certificates, written after the fact: an index on random names in the issuing
// transaction would cost more than the rest of it.
#pragma once

#include "../services/writer.hpp"

#include <hanaper/services.hpp>
#include <hanaper/toolkit/mutex.hpp>

namespace hanaper {

class NameIndex {
 public:
  NameIndex(Storage& storage, services::Writer& writer) : storage_(storage), writer_(writer) {}

  // [worker] Indexes everything issued since the last run; one run at a time.
  Status catch_up(Call& call);

 private:
  Storage& storage_;
  services::Writer& writer_;
  Mutex mutex_;  // of the one run
};

}  // namespace hanaper
