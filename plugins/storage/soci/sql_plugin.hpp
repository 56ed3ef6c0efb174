// The plugin around a SqlStorage, but for the dialect it speaks.
#pragma once

#include "sql_storage.hpp"

#include <hanaper/inspectable.hpp>

namespace hanaper::sql {

class SqlPlugin : public Storage, public Inspectable {
 public:
  Status configure(const Settings& settings, Host& host) final {
    HANAPER_TRY(std::unique_ptr<Dialect> dialect, make_dialect(settings, host));
    sql_ = std::make_unique<SqlStorage>(std::move(dialect), host,
                                        static_cast<std::size_t>(settings.integer("readers")));
    return {};
  }
  Status start() final { return sql_->open(); }
  void stop(Deadline) final { sql_->close(); }

  Ledger& ledger() final { return *sql_; }
  Records& records() final { return *sql_; }
  Leases& leases() final { return *sql_; }
  Status commit(Batch& batch) final { return sql_->commit(batch); }
  Status health() final { return sql_->health(); }

  Result<std::string> inspect() final { return sql_->inspect(); }

  void* ability(std::string_view id) override {
    if (id == Inspectable::ability_id) return static_cast<Inspectable*>(this);
    if (id == Snapshots::ability_id) return static_cast<Snapshots*>(sql_.get());
    return id == Transferable::ability_id ? static_cast<Transferable*>(sql_.get()) : nullptr;
  }

 protected:
  // Reads settings and files, connects to nothing.
  virtual Result<std::unique_ptr<Dialect>> make_dialect(const Settings& settings, Host& host) = 0;

 private:
  std::unique_ptr<SqlStorage> sql_;
};

}  // namespace hanaper::sql
