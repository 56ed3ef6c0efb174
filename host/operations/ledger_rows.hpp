// A ledger as plain rows: how two are compared, how one goes into a backup, and how it comes out.
#pragma once

#include <hanaper/snapshots.hpp>
#include <hanaper/toolkit/crypto.hpp>

#include <functional>

namespace hanaper::operations {

// How many rows are read at once. The largest documents have 1 MiB.
inline constexpr std::uint32_t rows_at_once = 256;

// A row so that every octet and its place count: "i7;" for a number, "o3;abc" for octets, "n;" for nothing.
std::string row_text(const Transferable::Row& row);

// How many rows, and a digest of them in their order.
struct RowSum {
  std::uint64_t rows = 0;
  Fingerprint digest{};

  void add(const Transferable::Row& row);
  bool operator==(const RowSum&) const = default;
};

// The cells that identify a row.
Transferable::Row key_of(const Transferable::Table& table, const Transferable::Row& row);

// Gives every row of a table behind `after` to `take`, page by page. `read` is Transferable::rows, of a
// storage or of a moment.
template <class Read, class Take>
Status each_page(Read&& read, const Transferable::Table& table, Transferable::Row after, Take&& take) {
  for (;;) {
    HANAPER_TRY(const std::vector<Transferable::Row> rows, read(table, after, rows_at_once));
    if (!rows.empty()) HANAPER_CHECK(take(rows));
    if (rows.size() < rows_at_once) return {};
    after = key_of(table, rows.back());
  }
}

// [worker] Writes all of a moment into an archive, in parts of a few MiB; a sum of each table comes last, so
// that who reads it knows that nothing is missing. unavailable.
Status save_ledger(Transferable& storage, Snapshot& moment, Archive& archive);

// The rows of a ledger in an archive, which outlives it.
class SavedLedger {
 public:
  // Nothing when the archive has no rows. malformed when they are not those that were saved: every octet is
  // read and compared before anything is written anywhere.
  static Result<std::optional<SavedLedger>> open(const ArchiveSource& source, const std::string& file);

  // [worker] Whether that storage can take them; `place` is for messages. unsupported when it keeps other
  // tables; conflict when somebody writes to it; unavailable.
  Status check(Transferable& storage, const std::string& place) const;

  // [worker] Then fills it, or goes on where that was broken off. conflict when it has rows that are not
  // these; unavailable.
  Status load(Transferable& storage, const std::string& place) const;

 private:
  struct Saved {
    std::string table;
    std::size_t key = 0;
    std::uint64_t parts = 0;
    RowSum sum;
  };
  SavedLedger(const ArchiveSource& source, std::string file) : source_(source), file_(std::move(file)) {}
  Status read_sums();
  using Take = std::function<Status(const std::vector<Transferable::Row>&)>;
  Status read(const Saved& saved, const Take& take) const;
  Status verify(const Saved& saved) const;
  Status load(Transferable& storage, const std::string& place, const Saved& saved,
              const Transferable::Table& table) const;
  Error damaged(const std::string& entry) const;

  const ArchiveSource& source_;
  const std::string file_;
  std::vector<Saved> tables_;
};

}  // namespace hanaper::operations
