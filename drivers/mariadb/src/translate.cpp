#include <errmsg.h>
#include <mysqld_error.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "waybill/drivers/mariadb.hpp"

namespace waybill::mariadb {
namespace {

constexpr unsigned kGaleraNotReady = ER_UNKNOWN_COM_ERROR;

constexpr unsigned kEndsConnection[] = {
    CR_SERVER_GONE_ERROR,       CR_SERVER_LOST,           CR_SERVER_LOST_EXTENDED,
    ER_CONNECTION_KILLED,       ER_SERVER_SHUTDOWN,       ER_NORMAL_SHUTDOWN,
    ER_NEW_ABORTING_CONNECTION, ER_NET_READ_ERROR,        ER_NET_READ_INTERRUPTED,
    ER_NET_ERROR_ON_WRITE,      ER_NET_WRITE_INTERRUPTED, ER_NET_PACKETS_OUT_OF_ORDER,
    CR_MALFORMED_PACKET,        CR_COMMANDS_OUT_OF_SYNC,  CR_ERR_NET_READ,
    CR_ERR_NET_WRITE,           CR_ERR_MISSING_ERROR_INFO};

// What may pass by itself: connection trouble, conflicts, resources, operators and time-outs.
constexpr unsigned kPassing[] = {CR_CONNECTION_ERROR,
                                 CR_CONN_HOST_ERROR,
                                 CR_UNKNOWN_HOST,
                                 CR_IPSOCK_ERROR,
                                 CR_SERVER_HANDSHAKE_ERR,
                                 CR_OUT_OF_MEMORY,
                                 ER_LOCK_WAIT_TIMEOUT,
                                 ER_LOCK_DEADLOCK,
                                 ER_CHECKREAD,
                                 ER_OPTION_PREVENTS_STATEMENT,
                                 ER_READ_ONLY_MODE,
                                 ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION,
                                 ER_CON_COUNT_ERROR,
                                 ER_TOO_MANY_USER_CONNECTIONS,
                                 ER_USER_LIMIT_REACHED,
                                 ER_CANT_CREATE_THREAD,
                                 ER_MAX_PREPARED_STMT_COUNT_REACHED,
                                 ER_HOST_IS_BLOCKED,
                                 ER_OUTOFMEMORY,
                                 ER_OUT_OF_RESOURCES,
                                 ER_DISK_FULL,
                                 ER_RECORD_FILE_FULL,
                                 ER_LOCK_TABLE_FULL,
                                 ER_TOO_MANY_CONCURRENT_TRXS,
                                 ER_QUERY_INTERRUPTED,
                                 ER_STATEMENT_TIMEOUT,
                                 ER_ERROR_DURING_COMMIT,
                                 ER_HANDSHAKE_ERROR,
                                 kGaleraNotReady};

template <std::size_t N>
bool holds(const unsigned (&codes)[N], unsigned code) {
  return std::find(std::begin(codes), std::end(codes), code) != std::end(codes);
}

struct Hint {
  unsigned code;
  std::string_view text;
};

constexpr std::string_view kLogin = "check user and password";
constexpr std::string_view kRights =
    "grant it; waybill schema roles prints what each process needs";
constexpr std::string_view kApply = "run: waybill schema apply";
constexpr std::string_view kReadOnly = "the server is read-only, as a replica is; use the primary";
constexpr std::string_view kConnections =
    "raise max_connections (or the user's own limit), or open fewer connections";
constexpr std::string_view kReach = "check that the server runs and accepts connections there";
constexpr std::string_view kDisk = "free space on the server's disk";

constexpr Hint kHints[] = {
    {ER_ACCESS_DENIED_ERROR, kLogin},
    {ER_ACCESS_DENIED_NO_PASSWORD_ERROR, kLogin},
    {ER_HOST_NOT_PRIVILEGED, "let the user connect from this host"},
    {ER_BAD_DB_ERROR, "create the database, or correct its name in the URL"},
    {ER_DBACCESS_DENIED_ERROR, kRights},
    {ER_TABLEACCESS_DENIED_ERROR, kRights},
    {ER_COLUMNACCESS_DENIED_ERROR, kRights},
    {ER_SPECIFIC_ACCESS_DENIED_ERROR, kRights},
    {ER_NO_SUCH_TABLE, kApply},
    {ER_BAD_FIELD_ERROR, kApply},
    {ER_KEY_DOES_NOT_EXISTS, "an index went; see: waybill schema check, then start again"},
    {ER_OPTION_PREVENTS_STATEMENT, kReadOnly},
    {ER_READ_ONLY_MODE, kReadOnly},
    {ER_CON_COUNT_ERROR, kConnections},
    {ER_TOO_MANY_USER_CONNECTIONS, kConnections},
    {ER_USER_LIMIT_REACHED, kConnections},
    {ER_BINLOG_STMT_MODE_AND_ROW_ENGINE, "set binlog_format to ROW or MIXED on the server"},
    {ER_DISK_FULL, kDisk},
    {ER_RECORD_FILE_FULL, kDisk},
    {ER_NET_PACKET_TOO_LARGE, "raise max_allowed_packet on the server"},
    {CR_NET_PACKET_TOO_LARGE, "raise max_allowed_packet on the server"},
    {CR_CONNECTION_ERROR, kReach},
    {CR_CONN_HOST_ERROR, kReach},
    {CR_UNKNOWN_HOST, "check the host in the URL"},
    {CR_SSL_CONNECTION_ERROR, "check the ssl parameters of the URL and the server's certificate"},
};

std::string_view hint_for(unsigned code) {
  const auto* hint = std::find_if(std::begin(kHints), std::end(kHints),
                                  [&](const Hint& each) { return each.code == code; });
  return hint == std::end(kHints) ? std::string_view() : hint->text;
}

}  // namespace

bool ends_connection(unsigned code) noexcept {
  return holds(kEndsConnection, code);
}

Error translate(unsigned code, std::string_view message, std::string_view what) {
  const bool passes = ends_connection(code) || holds(kPassing, code);
  std::string text = std::string(what) + ": " + std::string(message.substr(0, message.find('\n')));
  if (code != 0) text += " [" + std::to_string(code) + "]";
  return {passes ? Remedy::retry : Remedy::fix_call, std::move(text), std::string(hint_for(code))};
}

std::optional<Error> refuse_version(std::string_view version) {
  constexpr std::string_view kUse = "use MariaDB 10.6 or newer";
  if (version.find("MariaDB") == version.npos) {
    return Error{Remedy::fix_call,
                 "the server is no MariaDB but calls itself '" + std::string(version) + "'",
                 std::string(kUse) + "; MySQL is not supported"};
  }
  // What a MariaDB that hides behind an old number puts before its own.
  if (version.starts_with("5.5.5-")) version.remove_prefix(6);
  std::array<unsigned, 2> parts{};
  const char* at = version.data();
  const char* const end = at + version.size();
  for (unsigned& part : parts) {
    at = std::from_chars(at, end, part).ptr;
    if (at < end && *at == '.') ++at;
  }
  if (parts >= std::array{10U, 6U}) return std::nullopt;
  return Error{Remedy::fix_call, "MariaDB " + std::string(version) + " is too old",
               std::string(kUse)};
}

}  // namespace waybill::mariadb
