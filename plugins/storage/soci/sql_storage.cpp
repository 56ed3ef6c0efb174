// Opening, closing, and knowing how things are.
#include "sql_storage.hpp"

#include "schema.hpp"

namespace hanaper::sql {
namespace {

constexpr auto probe_interval = std::chrono::milliseconds{500};
// Longer than a cluster takes to throw out a dead member, during which it answers nobody.
constexpr auto stall_grace = std::chrono::milliseconds{2200};

}  // namespace

SqlStorage::SqlStorage(std::unique_ptr<Dialect> dialect, Host& host, std::size_t readers)
    : dialect_(std::move(dialect)),
      host_(host),
      pool_(*dialect_, readers, false),
      leasing_(*dialect_, 2, true) {}

Result<std::string> SqlStorage::inspect() { return look_at_schema(*dialect_); }

Status SqlStorage::open() {
  try {
    HANAPER_CHECK(migrate(*dialect_, host_.log()));
    writer_ = dialect_->connect(true);
    open_ = true;
    set_health({});
  } catch (const Failure& failure) {
    const Error error = unavailable(dialect_->place() + ": " + failure.what);
    const bool away = failure.kind == Failure::Kind::lost || failure.kind == Failure::Kind::retry;
    if (!away || !dialect_->has_server()) return error;
    host_.log().warning("the database is away; nothing is read or written until it is there",
                        {{"error", error.detail}});
    set_health(error);
  }
  dialect_->watch();
  if (dialect_->has_server())
    host_.scheduler().every("probe", probe_interval, [this](Call&) {
      probe();
      return Status{};
    });
  return {};
}

Status SqlStorage::is_open() {
  if (open_) return {};
  if (!opening_.try_lock()) return health();  // somebody is at it
  const Lock lock(opening_, std::adopt_lock);
  if (open_) return {};
  if (std::chrono::steady_clock::now() < next_attempt_) return health();
  Status migrated;
  try {
    migrated = migrate(*dialect_, host_.log());
  } catch (const Failure& failure) {
    migrated = unavailable(dialect_->place() + ": " + failure.what);
  }
  next_attempt_ = std::chrono::steady_clock::now() + probe_interval;
  open_ = migrated.has_value();
  set_health(migrated);
  if (migrated) host_.log().info("the database is there", {{"database", dialect_->place()}});
  return migrated;
}

void SqlStorage::close() {
  set_health(unavailable(dialect_->place() + ": closed"), true);
  writer_.reset();
  pool_.clear();
  leasing_.clear();
}

void SqlStorage::set_health(Status status, bool until_written) {
  const Lock lock(mutex_);
  health_ = std::move(status);
  until_written_ = until_written;
}

Status SqlStorage::health() const {
  const Lock lock(mutex_);
  if (health_ && probing_since_ && std::chrono::steady_clock::now() - *probing_since_ > stall_grace)
    return unavailable(dialect_->place() + ": does not answer");
  return health_;
}

void SqlStorage::probe() {
  {
    const Lock lock(mutex_);
    probing_since_ = std::chrono::steady_clock::now();
  }
  const auto probed = read([&](soci::session& session) {
    dialect_->probe(session);
    return true;
  });
  const Lock lock(mutex_);
  probing_since_.reset();
  if (!probed)
    health_ = probed.error();
  else if (!until_written_)
    health_ = {};
}

}  // namespace hanaper::sql
