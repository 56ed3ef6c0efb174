// Storage: what must outlive the process, and the one way to write it.
//
// Everything durable goes through Storage::commit, one batch at a time from the host's single writer thread.
// So many requests share one disk flush, and what belongs together (an order and the certificate it ends
// in) is written together or not at all. Reads are three small interfaces: Ledger for what a CA must never
// forget, Records for the documents of protocols, Leases for jobs that only one node may run.
#pragma once

#include <hanaper/plugin.hpp>

#include <array>
#include <optional>
#include <span>
#include <variant>

namespace hanaper {

// A small number the ledger gives each authority certificate; stable for ever.
using AuthorityId = std::uint32_t;

// An authority: its key and, once signed, its certificate. Unique by name.
struct AuthorityRow {
  AuthorityId id = 0;  // 0 in a write: the ledger assigns the next
  std::string name;    // as configured
  std::string key;     // "soft:issuing"
  Bytes certificate;   // DER; empty while it waits for an outside issuer's answer
  Bytes chain;  // the certificates above it, DER one after the other, without a self-signed root's repeat
};

// Intent: what will be signed, stored before the signature exists; or, of a certificate that was issued
// elsewhere, what is known of it. Unique by (authority, serial). All views live until commit returns.
struct Reservation {
  AuthorityId authority = 0;
  Serial serial;
  std::string_view profile;  // empty, with a Recording: completes what was known by its serial number alone
  std::string_view requester;
  Time not_before;
  Time not_after;
  std::uint32_t shard = 0;         // of the CRL that will list it
  ByteView tbs;                    // the to-be-signed octets; empty: only its serial number is known
  std::string_view pipeline = {};  // that issues it; empty: the host for itself
};

// The signature that makes a reservation a certificate.
struct Recording {
  AuthorityId authority = 0;
  Serial serial;
  ByteView signature;  // lives until commit returns; empty with the octets of the reservation
  Time at;
};

// What shall be known of a certificate's revocation. A hold that is released stays, as remove_from_crl, for
// the delta CRLs that have to say so.
struct Revocation {
  AuthorityId authority = 0;
  Serial serial;
  std::uint32_t shard = 0;
  RevocationReason reason = RevocationReason::unspecified;
  // Empty: there must be none yet. Else what is stored must have this reason, and is replaced.
  std::optional<RevocationReason> replaces = std::nullopt;
  Time at;
  std::optional<Time> invalidity;        // RFC 5280 5.3.2
  Time not_after;                        // of the certificate
  std::optional<Fingerprint> block_key;  // refuse this key from now on
};

// A CRL: inserted before it is signed, so that its number is spent whatever happens, completed with its hash
// once it is. Unique by (authority, shard, number).
struct CrlRow {
  AuthorityId authority = 0;
  std::uint32_t shard = 0;
  std::uint64_t number = 0;
  std::uint64_t base = 0;  // of a delta: the complete CRL it adds to; 0: complete itself
  Time this_update;
  Time next_update;
  std::uint64_t entries = 0;
  std::uint64_t size = 0;           // octets; 0 until completed
  std::optional<Fingerprint> hash;  // SHA-256 of the DER; none until completed
};

// One searchable name of a certificate, in the form of search_key().
struct NameRow {
  std::string name;
  AuthorityId authority = 0;
  Serial serial;
};

struct RecordIndex {
  std::string field;  // e.g. "account"
  std::string value;
  auto operator<=>(const RecordIndex&) const = default;
};

// A small document: at most 1 MiB of data, keys and index values at most 200 octets of printable ASCII.
struct Record {
  std::string key;
  std::uint64_t version = 0;  // 1 when first written, one more with each write
  std::optional<Time> expires;
  std::vector<RecordIndex> indexes;
  std::string data;
};

// Writes a document if its stored version is still `expected`; 0 means that it must not exist yet.
struct RecordWrite {
  std::string collection;
  std::string key;
  std::uint64_t expected = 0;
  bool erase = false;
  std::optional<Time> expires;
  std::vector<RecordIndex> indexes;
  std::string data;
};

inline constexpr std::size_t record_data_limit = 1024 * 1024;
inline constexpr std::size_t record_key_limit = 200;

// malformed when a document is beyond its limits. Every storage asks before it writes.
inline Status within_limits(const RecordWrite& write) {
  const auto is_key = [](std::string_view text) {
    if (text.size() > record_key_limit) return false;
    for (char c : text)
      if (c < ' ' || c > '~') return false;
    return true;
  };
  bool keys = is_key(write.collection) && is_key(write.key) && !write.key.empty();
  for (const RecordIndex& index : write.indexes) keys = keys && is_key(index.field) && is_key(index.value);
  if (!keys) return malformed("keys of documents are at most 200 octets of printable ASCII");
  if (write.data.size() > record_data_limit) return malformed("a document is larger than 1 MiB");
  return {};
}

// A singleton job's right to write: refused by the database when the lease has moved on.
struct Fence {
  std::string lease;
  std::uint64_t epoch = 0;
};

// Things that are written together or not at all.
struct Write {
  std::optional<Fence> fence;
  std::vector<RecordWrite> records;
  std::optional<AuthorityRow> authority;  // new id, or the certificate of a known id
  std::optional<Reservation> reservation;
  std::optional<Recording> recording;
  std::optional<Revocation> revocation;
  std::optional<CrlRow> crl;   // without hash: a number not yet spent; with: completes that one
  std::vector<NameRow> names;  // adding one that is there already is not an error
  std::optional<Time> purge;   // drop up to 1,000 documents that expired before
  std::string audit;           // lines for the audit, each ended by '\n'; may be empty

  // Out. Set by commit when this write is why the batch was refused: conflict (the serial or CRL
  // number is taken, a version has moved, the certificate is revoked already, the lease is lost) or malformed
  // (a value that is beyond its limits, or that the database does not take).
  Status outcome;
};

// One link of a node's audit chain: the lines of one commit.
// hash = SHA-256(previous || sequence as 8 octets big-endian || milliseconds as 8 octets || text).
struct AuditPage {
  std::uint64_t sequence = 0;  // 1, 2, 3, ... for each node
  Time at;
  std::string text;
  Fingerprint previous{};  // zeroes before the first
  Fingerprint hash{};
};

// How many certificates of one expiry day (days since 1970) came (+) or went (-) with a batch.
struct ExpiryChange {
  std::int64_t day = 0;
  std::int64_t change = 0;
};

// What tells a batch from every other, also from another one of the same node and number.
using BatchToken = std::array<std::uint8_t, 16>;

// One transaction. `number` is the writer's own count: commit refuses any but the successor of the stored
// one, so that two processes under one node name notice each other. The writer makes a new token for each
// batch, at random; both are stored, so that a commit whose outcome is unknown can be read back: it has
// happened when the stored number and the stored token are the batch's.
struct Batch {
  std::string node;
  std::uint64_t number = 0;
  BatchToken token{};
  std::optional<AuditPage> audit;
  std::span<Write* const> writes;
  std::vector<ExpiryChange> expiries;
};

// Where a node's writer stands.
struct WriterState {
  std::uint64_t number = 0;          // of the last batch; 0 when there was none
  BatchToken token{};                // of that batch
  std::uint64_t audit_sequence = 0;  // of the last page
  Fingerprint audit_hash{};
  std::optional<Time> audit_at;
};

// Which certificate. Thus RFC 5280 4.1.2.2: "unique for each certificate issued by a given CA".
struct CertificateId {
  AuthorityId authority = 0;
  Serial serial;
};

struct CertificateRow {
  AuthorityId authority = 0;
  Serial serial;
  std::string profile;
  std::string requester;
  Time not_before;
  Time not_after;
  std::uint32_t shard = 0;
  Bytes tbs;
  Bytes signature;                // empty: there is none to show
  std::optional<Time> issued_at;  // nothing: reserved, never recorded as signed
  std::optional<RevocationReason> revoked;
  std::optional<Time> revoked_at;
  std::optional<Time> invalidity;
  bool released = false;      // was on hold, and is no longer: what is stored has the reason remove_from_crl
  std::string pipeline = {};  // that issued it; empty: the host for itself
};

// A line of a CRL, or a change to be told.
struct RevocationRow {
  AuthorityId authority = 0;
  Serial serial;
  std::uint32_t shard = 0;
  RevocationReason reason = RevocationReason::unspecified;  // remove_from_crl: released from hold
  Time at;
  std::optional<Time> invalidity;
  Time not_after;
};

// Keyset position: pages neither skip nor repeat rows when others write meanwhile.
struct CertificateCursor {
  Time not_after;
  AuthorityId authority = 0;
  Serial serial;
};

struct CertificateQuery {
  enum class State : std::uint8_t { any, reserved, issued, revoked };

  std::optional<AuthorityId> authority;
  State state = State::any;
  std::optional<Time> expires_from;    // inclusive
  std::optional<Time> expires_before;  // exclusive
  std::string name;                    // search_key form; empty: any
  bool name_is_prefix = false;
  std::optional<CertificateCursor> after;
  std::uint32_t limit = 100;  // at most 1,000
};

// The memory of a CA. All calls are [worker], thread-safe, and read what is committed.
// Every call may fail with unavailable.
class Ledger {
 public:
  virtual Result<std::vector<AuthorityRow>> authorities() = 0;

  // not_found when that serial was never reserved.
  virtual Result<CertificateRow> certificate(AuthorityId authority, const Serial& serial) = 0;

  // Ordered by (not_after, authority, serial); the last row's position is the next call's `after`.
  virtual Result<std::vector<CertificateRow>> search(const CertificateQuery& query) = 0;

  // Certificates recorded after `cursor` ("" for the first), oldest first, at most `limit`; `cursor` moves
  // behind the last. No row is left out; a row may come twice.
  virtual Result<std::vector<CertificateRow>> issued_since(std::string& cursor, std::uint32_t limit) = 0;

  // Revocations of one shard in an order of the storage's own, behind the one of serial `after` (empty: from
  // the first), at most `limit` and 10,000.
  virtual Result<std::vector<RevocationRow>> revocations(AuthorityId authority, std::uint32_t shard,
                                                         const Serial& after, std::uint32_t limit) = 0;

  // Revocations made, changed or released after `cursor` ("" for the first), those of one node in their
  // order, at most `limit`; `cursor` moves behind the last. A row may come twice. No certificate that changed
  // is left out, but of several changes to one certificate only the last may come.
  // This and issued_since are the outbox for code that tells others: a row is durable in the commit that
  // makes the change, and stays. The reader stores its cursor together with what it has done.
  virtual Result<std::vector<RevocationRow>> revoked_since(std::string& cursor, std::uint32_t limit) = 0;

  // A cursor behind everything that is committed now, in either feed, for whoever wants only what follows.
  virtual Result<std::string> feed_cursor() = 0;

  // CRLs of one shard, the newest first, those without a hash too; at most `limit`.
  virtual Result<std::vector<CrlRow>> crls(AuthorityId authority, std::uint32_t shard,
                                           std::uint32_t limit) = 0;
  // The newest of them that has a hash: of the deltas, or of the complete ones. not_found when there is none.
  virtual Result<CrlRow> newest_crl(AuthorityId authority, std::uint32_t shard, bool delta) = 0;

  // Key hashes blocked by revocations, in order, after `after`, at most `limit`.
  virtual Result<std::vector<Fingerprint>> blocked_keys(const Fingerprint& after, std::uint32_t limit) = 0;

  // Valid certificates by expiry day, summed over nodes.
  virtual Result<std::vector<ExpiryChange>> expiries() = 0;

  virtual Result<WriterState> writer(std::string_view node) = 0;

  // Nodes that have written an audit page, by name.
  virtual Result<std::vector<std::string>> audit_nodes() = 0;

  // Pages of a node with sequence > `after`, in order, at most `limit`.
  virtual Result<std::vector<AuditPage>> audit(std::string_view node, std::uint64_t after,
                                               std::uint32_t limit) = 0;

 protected:
  ~Ledger() = default;
};

// Documents of protocols. All calls are [worker], thread-safe, and read what is committed; expired
// documents are as good as absent. Every call may fail with unavailable.
class Records {
 public:
  // not_found when absent or expired.
  virtual Result<Record> get(std::string_view collection, std::string_view key) = 0;

  // Documents whose `field` was indexed under `value` (every document when `field` is empty), by key,
  // after `after`, at most `limit`.
  virtual Result<std::vector<Record>> find(std::string_view collection, std::string_view field,
                                           std::string_view value, std::string_view after,
                                           std::uint32_t limit) = 0;

 protected:
  ~Records() = default;
};

// A lease as it is stored. A name that nobody has ever taken has none.
struct LeaseRow {
  std::string name;
  std::string holder;          // empty: nobody
  std::uint64_t epoch = 0;     // one more whenever it is taken
  std::uint64_t renewals = 0;  // one more whenever it is taken or renewed
};

// The right to run a job that only one node may run. No clock is asked: who may take a lease from its holder
// is for the nodes to know, who watch its count. All calls are [worker] and thread-safe, and see what is
// committed. Every call may fail with unavailable.
class Leases {
 public:
  virtual Result<std::vector<LeaseRow>> all() = 0;

  // Takes the lease `seen.name` for `holder`, whoever has it, where epoch and count are still those of `seen`
  // (0: where it has never been taken). Gives the new epoch. conflict when it has moved on.
  virtual Result<std::uint64_t> take(const LeaseRow& seen, std::string_view holder) = 0;

  // Raises the count of every lease that `holder` has.
  virtual Status renew(std::string_view holder) = 0;

  // Gives it back: nobody has it. Epoch and count stay. Releasing what one does not hold is not an error.
  virtual Status release(std::string_view name, std::string_view holder) = 0;

 protected:
  ~Leases() = default;
};

// `start` may succeed while the database is away: then `health` says so, every call is unavailable, and the
// storage connects by itself when the database is there; its schema is checked, or made, before anything
// else. A database that answers and refuses (who we are, what is in it) is a failure of `start`.
class Storage : public Plugin {
 public:
  virtual Ledger& ledger() = 0;    // [any]
  virtual Records& records() = 0;  // [any]
  virtual Leases& leases() = 0;    // [any]

  // [worker] Writes the whole batch durably or nothing of it. Called by one thread at a time.
  // conflict or malformed: nothing was written, and every write that stood in the way has its outcome set; a
  //   batch number that does not follow leaves all outcomes alone: another process writes under this node's
  //   name.
  // unavailable: nothing was written, as far as reading back could tell.
  // Retries what the database calls transient, and resolves an unknown outcome by reading back number and
  // token.
  virtual Status commit(Batch& batch) = 0;

  // [any] Whether a commit would succeed now; quick, from memory.
  virtual Status health() = 0;
};

// Optional: what a storage holds, as plain rows, so that a CA can move into a storage of another kind. Both
// sides must be at rest; what they hold compares equal row by row when the move is done.
class Transferable {
 public:
  static constexpr std::string_view ability_id = "hanaper.transferable/1";

  using Cell = std::variant<std::monostate, std::int64_t, std::string>;  // null, number, octets
  using Row = std::vector<Cell>;
  struct Table {
    std::string name;
    std::size_t key = 1;  // how many cells, from the first, identify a row and order the table
  };

  // The tables of every storage, in the order in which they are moved. The last one holds what makes a
  // storage one that somebody writes to: while it is empty, a move is unfinished.
  virtual std::vector<Table> tables() const = 0;

  // [worker] Rows whose key is greater than `after` (empty: all), in order, at most `limit`.
  virtual Result<std::vector<Row>> rows(const Table& table, const Row& after, std::uint32_t limit) = 0;

  // [worker] The key of the last row; empty when there is none.
  virtual Result<Row> last(const Table& table) = 0;

  // [worker] Adds rows durably, all or none. conflict when one is there already; malformed for other cells.
  virtual Status add(const Table& table, const std::vector<Row>& rows) = 0;

 protected:
  ~Transferable() = default;
};

// Where a consistent copy goes. Names are relative, with '/' between folders.
class Archive {
 public:
  virtual Status add(std::string_view name, ByteView content) = 0;
  virtual Status add_file(std::string_view name, const std::string& path) = 0;

 protected:
  ~Archive() = default;
};

// Where it comes from.
class ArchiveSource {
 public:
  virtual std::vector<std::string> names() const = 0;
  virtual Result<Bytes> read(std::string_view name) const = 0;
  // Writes the entry to a new file, mode 0600, synced. conflict when the file exists.
  virtual Status extract(std::string_view name, const std::string& path) const = 0;

 protected:
  ~ArchiveSource() = default;
};

// Optional: a plugin that holds durable state can put it into a backup and take it back.
class Archivable {
 public:
  static constexpr std::string_view ability_id = "hanaper.archivable/1";

  // [worker] A consistent copy of this moment, while others read and write.
  virtual Status save(Archive& archive) = 0;

  // [main] Configured but not started: puts the copy where start will find it. conflict when there is
  // something already: a restore never overwrites.
  virtual Status load(const ArchiveSource& source) = 0;

 protected:
  ~Archivable() = default;
};

}  // namespace hanaper
