#include "mariadb_dialect.hpp"

#include <mysqld_error.h>

namespace hanaper::sql {
namespace {

using Kind = Failure::Kind;

struct Known {
  unsigned int number;
  Kind kind;
  std::string_view what;
};

constexpr std::string_view gone = "connection lost";
constexpr std::string_view unreachable = "nobody answers there; is the server running?";
constexpr std::string_view denied = "access denied; check user and password";
constexpr std::string_view no_right = "the user lacks a right; grant ALL on the database";
constexpr std::string_view read_only = "the server is read-only; name the one that takes writes";
constexpr std::string_view too_slow = "a statement took longer than `timeout`";
constexpr std::string_view no_space = "no space left on the server; free some, writing goes on by itself";
constexpr std::string_view bad_value = "a value is too long, or no valid UTF-8";

constexpr Known known[] = {
    {ER_LOCK_DEADLOCK, Kind::retry, "transactions keep getting in each other's way"},
    {ER_LOCK_WAIT_TIMEOUT, Kind::retry, "waited too long for a lock, or for the cluster"},
    {ER_CHECKREAD, Kind::retry, "a row keeps changing"},
    {ER_DUP_ENTRY, Kind::duplicate, "unique key is taken"},
    {ER_DUP_ENTRY_WITH_KEY_NAME, Kind::duplicate, "unique key is taken"},
    {ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, Kind::invalid, bad_value},
    {ER_DATA_TOO_LONG, Kind::invalid, bad_value},
    {ER_WARN_DATA_OUT_OF_RANGE, Kind::invalid, bad_value},
    {ER_INVALID_CHARACTER_STRING, Kind::invalid, bad_value},
    {ER_NET_PACKET_TOO_LARGE, Kind::invalid, "a value is larger than the server's max_allowed_packet"},
    {ER_UNKNOWN_COM_ERROR, Kind::lost, "the node is not in the quorum of its cluster and takes no requests"},
    {ER_ERROR_DURING_COMMIT, Kind::lost, "the cluster broke off a commit"},
    {CR_SERVER_GONE_ERROR, Kind::lost, gone},
    {CR_SERVER_LOST, Kind::lost, gone},
    {CR_SERVER_LOST_EXTENDED, Kind::lost, gone},
    {ER_CONNECTION_KILLED, Kind::lost, gone},
    {ER_SERVER_SHUTDOWN, Kind::lost, "the server is stopping"},
    {CR_CONNECTION_ERROR, Kind::lost, unreachable},
    {CR_CONN_HOST_ERROR, Kind::lost, unreachable},
    {CR_UNKNOWN_HOST, Kind::lost, "the name does not resolve"},
    {ER_CON_COUNT_ERROR, Kind::lost, "the server has no connection left; raise its max_connections"},
    {ER_TOO_MANY_USER_CONNECTIONS, Kind::lost, "the user may have no more connections"},
    {ER_OPTION_PREVENTS_STATEMENT, Kind::lost, read_only},
    {ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, Kind::lost, read_only},
    {ER_READ_ONLY_MODE, Kind::lost, read_only},
    {ER_QUERY_INTERRUPTED, Kind::lost, too_slow},
    {ER_STATEMENT_TIMEOUT, Kind::lost, too_slow},
    {CR_SSL_CONNECTION_ERROR, Kind::lost, "no TLS with the server, or not with one that tls.ca vouches for"},
    {ER_ACCESS_DENIED_ERROR, Kind::refused, denied},
    {ER_ACCESS_DENIED_NO_PASSWORD_ERROR, Kind::refused, denied},
    {ER_DBACCESS_DENIED_ERROR, Kind::refused,
     "the user may not use the database, or there is none of that name"},
    {ER_BAD_DB_ERROR, Kind::refused, "no database of that name; create it"},
    {ER_TABLEACCESS_DENIED_ERROR, Kind::refused, no_right},
    {ER_COLUMNACCESS_DENIED_ERROR, Kind::refused, no_right},
    {ER_SPECIFIC_ACCESS_DENIED_ERROR, Kind::refused, no_right},
    {ER_NO_SUCH_TABLE, Kind::refused, "a table is missing; has somebody dropped it?"},
    {ER_DISK_FULL, Kind::refused, no_space},
    {ER_RECORD_FILE_FULL, Kind::refused, no_space},
};

}  // namespace

Failure mariadb_failure(unsigned int number) {
  for (const Known& entry : known)
    if (entry.number == number) return {entry.kind, std::string(entry.what)};
  // Those of the client library are about the connection, whatever they are.
  const bool of_client = number >= CR_MIN_ERROR && number <= CR_MAX_ERROR;
  return {of_client ? Kind::lost : Kind::refused, "error " + std::to_string(number)};
}

}  // namespace hanaper::sql
