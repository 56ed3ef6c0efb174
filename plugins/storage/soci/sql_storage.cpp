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
  HANAPER_CHECK(migrate(*dialect_, host_.log()));
  try {
    writer_ = dialect_->connect(true);
  } catch (const Failure& failure) {
    return unavailable(dialect_->place() + ": " + failure.what);
  }
  set_health({});
  if (dialect_->has_server())
    host_.scheduler().every("probe", probe_interval, [this](Call&) {
      probe();
      return Status{};
    });
  return {};
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
