// What a storage held at one moment, while others go on writing: what a backup is made of.
#pragma once

#include <hanaper/storage.hpp>

#include <memory>

namespace hanaper {

// Every row of one moment. Belongs to one thread at a time, and is gone before its storage is stopped.
class Snapshot {
 public:
  virtual ~Snapshot() = default;

  // [worker] As Transferable::rows, of that moment. unavailable; then nothing more of that moment can be had.
  virtual Result<std::vector<Transferable::Row>> rows(const Transferable::Table& table,
                                                      const Transferable::Row& after,
                                                      std::uint32_t limit) = 0;

 protected:
  Snapshot() = default;
};

// Optional, for storages that are Transferable.
class Snapshots {
 public:
  static constexpr std::string_view ability_id = "hanaper.snapshots/1";

  // [worker] Everything that any node had acknowledged before the call, and of each batch all of it or
  // nothing. Writers neither wait for it nor are seen in it. Several may exist at once. unavailable.
  virtual Result<std::unique_ptr<Snapshot>> snapshot() = 0;

 protected:
  ~Snapshots() = default;
};

}  // namespace hanaper
