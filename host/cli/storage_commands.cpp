// storage migrate, check and copy: what works on a storage while no daemon does.
#include "print.hpp"
#include "terminal.hpp"

#include "../node/state_lock.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>

#include <atomic>
#include <iostream>

namespace hanaper::cli {
namespace {

constexpr std::uint32_t page_size = 256;

// The storage of a configuration, started, and nothing else of it; the state folder is taken as long as it
// is open.
class OpenStorage {
 public:
  OpenStorage(std::unique_ptr<Node> node, const std::string& taken_already = "") : node_(std::move(node)) {
    const std::string& state = node_->model().node.state;
    if (Status made = files::create_folder(state); !made) fail(made.error());
    if (state != taken_already) {
      if (Status taken = lock_.take(state); !taken)
        fail(unavailable(taken.error().detail + "; stop the daemon first"));
    }
    for (const auto& instance : node_->instances())
      if (instance->config().kind == "storage") instance_ = instance.get();
    if (Status started = instance_->start(); !started) fail(std::move(started).error().within(name()));
    if (Status well = health(); !well) fail(std::move(well).error().within(name()));
    rows_ = instance_->ability<Transferable>();
    if (rows_ == nullptr) fail(unsupported(name() + ": its plugin has no rows to show"));
  }
  ~OpenStorage() { instance_->stop(std::chrono::steady_clock::now() + std::chrono::seconds{5}); }
  OpenStorage(const OpenStorage&) = delete;
  OpenStorage& operator=(const OpenStorage&) = delete;

  const std::string& name() const { return instance_->name(); }
  const std::string& state() const { return node_->model().node.state; }
  Status health() const { return instance_->as<Storage>()->health(); }
  Transferable& rows() const { return *rows_; }

 private:
  std::unique_ptr<Node> node_;
  StateLock lock_;
  Instance* instance_ = nullptr;
  Transferable* rows_ = nullptr;
};

// A table's rows, and a digest in which every octet and its place count.
struct Sum {
  std::uint64_t rows = 0;
  Fingerprint digest{};
  bool operator==(const Sum&) const = default;
};

void add_to(Sum& sum, const Transferable::Row& row) {
  std::string octets;
  for (const Transferable::Cell& cell : row) {
    if (const auto* integer = std::get_if<std::int64_t>(&cell)) {
      octets += "i" + std::to_string(*integer) + ";";
    } else if (const auto* text = std::get_if<std::string>(&cell)) {
      octets += "o" + std::to_string(text->size()) + ";";
      octets += *text;
    } else {
      octets += "n;";
    }
  }
  ++sum.rows;
  sum.digest = crypto::sha256({sum.digest, as_bytes(octets)});
}

// Every row after `after`, page by page.
template <class Page>
void for_pages(Transferable& storage, const Transferable::Table& table, Transferable::Row after,
               Page&& page) {
  for (;;) {
    const std::vector<Transferable::Row> rows = need(storage.rows(table, after, page_size));
    if (!rows.empty()) page(rows);
    if (rows.size() < page_size) return;
    after.assign(rows.back().begin(), rows.back().begin() + static_cast<std::ptrdiff_t>(table.key));
  }
}

Sum sum_of(Transferable& storage, const Transferable::Table& table, std::atomic<std::uint64_t>& done) {
  Sum sum;
  for_pages(storage, table, {}, [&](const std::vector<Transferable::Row>& rows) {
    for (const Transferable::Row& row : rows) add_to(sum, row);
    done += rows.size();
  });
  return sum;
}

json::Object sum_value(const std::string& table, const Sum& sum) {
  return {{"table", table}, {"rows", sum.rows}, {"digest", to_hex(sum.digest)}};
}

int print_sums(Session& session, json::Array sums) {
  if (session.line().has("--json")) {
    print_items(std::move(sums));
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {{"TABLE", "ROWS", "DIGEST"}};
  for (const json::Value& sum : sums)
    rows.push_back({cell(sum, "table"), cell(sum, "rows"), std::string(sum.text_at("digest").substr(0, 16))});
  std::cout << table(rows);
  return 0;
}

// Begins where a copy that was broken off has ended: rows come in the order of their keys.
void copy_table(Transferable& from, Transferable& to, const Transferable::Table& table,
                std::atomic<std::uint64_t>& done) {
  for_pages(from, table, need(to.last(table)), [&](const std::vector<Transferable::Row>& rows) {
    if (Status added = to.add(table, rows); !added) fail(added.error());
    done += rows.size();
  });
}

json::Array copy_all(const OpenStorage& from, const OpenStorage& to, std::atomic<std::uint64_t>& done) {
  const std::vector<Transferable::Table> tables = from.rows().tables();
  if (!need(to.rows().last(tables.back())).empty())
    fail(conflict(to.name() + " of the new configuration is in use already; name an empty one"));
  json::Array sums;
  for (const Transferable::Table& table : tables) {
    copy_table(from.rows(), to.rows(), table, done);
    const Sum theirs = sum_of(from.rows(), table, done), ours = sum_of(to.rows(), table, done);
    if (theirs != ours)
      fail(conflict(
          "table " + table.name + " has " + std::to_string(theirs.rows) + " rows and " +
          std::to_string(ours.rows) +
          " copied, and they differ; stop every node that writes, empty the new storage and copy again"));
    sums.emplace_back(sum_value(table.name, ours));
  }
  return sums;
}

}  // namespace

int run_storage_migrate(Session& session) {
  const OpenStorage storage(session.configured_node());
  if (session.line().has("--json"))
    print_json(json::Object{{"storage", storage.name()}, {"schema", "up to date"}});
  else
    std::cout << storage.name() << ": schema is up to date\n";
  return 0;
}

int run_storage_check(Session& session) {
  const OpenStorage storage(session.configured_node());
  if (Status health = storage.health(); !health) fail(health.error());
  json::Array sums;
  std::atomic<std::uint64_t> done{0};
  {
    const Progress progress("reading", [&] { return std::to_string(done) + " rows"; });
    for (const Transferable::Table& table : storage.rows().tables())
      sums.emplace_back(sum_value(table.name, sum_of(storage.rows(), table, done)));
  }
  return print_sums(session, std::move(sums));
}

int run_storage_copy(Session& session) {
  const OpenStorage from(session.configured_node());
  const OpenStorage to(session.configured_node(session.line().positional.front()), from.state());
  json::Array sums;
  std::atomic<std::uint64_t> done{0};
  {
    const Progress progress("copying", [&] { return std::to_string(done) + " rows copied and compared"; });
    sums = copy_all(from, to, done);
  }
  return print_sums(session, std::move(sums));
}

}  // namespace hanaper::cli
