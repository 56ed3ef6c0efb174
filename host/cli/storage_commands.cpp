// storage migrate, check and copy: what works on a storage while no daemon does.
#include "print.hpp"
#include "terminal.hpp"

#include "../node/state_lock.hpp"
#include "../operations/ledger_rows.hpp"

#include <hanaper/toolkit/files.hpp>

#include <atomic>
#include <iostream>

namespace hanaper::cli {
namespace {

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

using operations::RowSum;

// What `rows` of a storage gives.
auto reader_of(Transferable& storage) {
  return [&storage](const Transferable::Table& table, const Transferable::Row& after, std::uint32_t limit) {
    return storage.rows(table, after, limit);
  };
}

RowSum sum_of(Transferable& storage, const Transferable::Table& table, std::atomic<std::uint64_t>& done) {
  RowSum sum;
  const auto add = [&](const std::vector<Transferable::Row>& rows) -> Status {
    for (const Transferable::Row& row : rows) sum.add(row);
    done += rows.size();
    return {};
  };
  if (Status read = operations::each_page(reader_of(storage), table, {}, add); !read) fail(read.error());
  return sum;
}

json::Object sum_value(const std::string& table, const RowSum& sum) {
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
  const auto add = [&](const std::vector<Transferable::Row>& rows) -> Status {
    HANAPER_CHECK(to.add(table, rows));
    done += rows.size();
    return {};
  };
  if (Status copied = operations::each_page(reader_of(from), table, need(to.last(table)), add); !copied)
    fail(copied.error());
}

json::Array copy_all(const OpenStorage& from, const OpenStorage& to, std::atomic<std::uint64_t>& done) {
  const std::vector<Transferable::Table> tables = from.rows().tables();
  if (!need(to.rows().last(tables.back())).empty())
    fail(conflict(to.name() + " of the new configuration is in use already; name an empty one"));
  json::Array sums;
  for (const Transferable::Table& table : tables) {
    copy_table(from.rows(), to.rows(), table, done);
    const RowSum theirs = sum_of(from.rows(), table, done), ours = sum_of(to.rows(), table, done);
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
