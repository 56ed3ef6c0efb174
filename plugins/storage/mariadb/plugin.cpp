// The door of storage/mariadb.
#include "../soci/sql_plugin.hpp"
#include "mariadb_dialect.hpp"

namespace hanaper::sql {
namespace {

constexpr SettingKey keys[] = {
    {"hosts", SettingType::texts, nullptr, nullptr,
     "servers in the order of preference: host, host:port or the path of a socket"},
    {"database", SettingType::text, "hanaper", nullptr, "the database, which must exist"},
    {"user", SettingType::text, "hanaper", nullptr, "who we are to the server"},
    {"password", SettingType::secret, "", nullptr, "and how we prove it"},
    {"tls.ca", SettingType::path, "", nullptr, "PEM certificates of the issuer of the servers; turns TLS on"},
    {"tls.certificate", SettingType::path, "", nullptr, "PEM certificate for servers that want one"},
    {"tls.key", SettingType::path, "", nullptr, "PEM private key of that certificate"},
    {"readers", SettingType::integer, "8", "1..64", "how many connections read at once"},
    {"timeout", SettingType::duration, "5s", "1s..1m", "how long one statement may take"},
    {"causal_reads", SettingType::boolean, "true", nullptr,
     "on a cluster, wait before each read for what other nodes have committed"},
};

class MariadbStorage final : public SqlPlugin {
  Result<std::unique_ptr<Dialect>> make_dialect(const Settings& settings, Host& host) override {
    HANAPER_TRY(Access access, read_access(settings, 3306));
    return std::unique_ptr<Dialect>(
        std::make_unique<MariadbDialect>(std::move(access), settings.boolean("causal_reads"), host));
  }
};

}  // namespace
}  // namespace hanaper::sql

HANAPER_PLUGIN(.kind = "storage", .name = "mariadb", .version = "0.1.0", .licence = "Apache-2.0",
               .summary = "ledger, records and leases in MariaDB, alone or as a Galera cluster",
               .keys = hanaper::sql::keys, .key_count = std::size(hanaper::sql::keys),
               .create = hanaper::create_plugin<hanaper::sql::MariadbStorage>, .clusterable = true);
