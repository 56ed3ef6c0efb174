// The door of storage/memory: everything in memory, every batch in one file that is only appended to.
//
// The tables are the SDK's own MemoryStorage. What this adds is memory beyond the process: a batch is in the
// journal before anybody can see it, and the journal is played back at start.
#include "journal.hpp"

#include <hanaper/testing/memory_storage.hpp>

#include <filesystem>

namespace {

using hanaper::Batch;
using hanaper::Status;

constexpr hanaper::SettingKey keys[] = {
    {"file", hanaper::SettingType::path, "memory.journal", nullptr, "the journal"},
};

class Memory final : public hanaper::Storage, public hanaper::Archivable {
 public:
  Status configure(const hanaper::Settings& settings, hanaper::Host& host) override {
    file_ = settings.text("file");
    memory_ = std::make_unique<hanaper::fakes::MemoryStorage>(host.clock());
    return {};
  }

  Status start() override {
    return journal_.open(file_, [this](Batch& batch) { return memory_->commit(batch); });
  }

  hanaper::Ledger& ledger() override { return *memory_; }
  hanaper::Records& records() override { return *memory_; }
  hanaper::Leases& leases() override { return *memory_; }

  // First the disk, then memory: what can be read is durable. What memory refuses is taken off the disk
  // again.
  Status commit(Batch& batch) override {
    if (broken_) return health();
    if (Status written = journal_.append(batch); !written) return written;
    Status taken = memory_->commit(batch);
    if (!taken && !journal_.undo()) broken_ = true;
    return taken;
  }

  Status health() override {
    return broken_
               ? hanaper::unavailable(file_ + ": holds a refused batch that could not be taken back; restart")
               : Status{};
  }

  void* ability(std::string_view id) override {
    return id == Archivable::ability_id ? static_cast<Archivable*>(this) : nullptr;
  }

  // A file that only grows may be copied while it does: a batch that is copied in half is cut off at start.
  Status save(hanaper::Archive& archive) override { return archive.add_file("journal", file_); }

  Status load(const hanaper::ArchiveSource& source) override { return source.extract("journal", file_); }

 private:
  // Constant after configure.
  std::string file_;
  std::unique_ptr<hanaper::fakes::MemoryStorage> memory_;

  Journal journal_;                  // of the thread that commits
  std::atomic<bool> broken_{false};  // synchronised by itself
};

}  // namespace

HANAPER_PLUGIN(.kind = "storage", .name = "memory", .version = "1.0.0", .licence = "Apache-2.0",
               .summary = "everything in memory, behind a journal in one file", .keys = keys,
               .key_count = std::size(keys), .create = hanaper::create_plugin<Memory>);
