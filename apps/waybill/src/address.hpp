// Addresses of databases and queues, written as URLs.
#pragma once

#include <string>
#include <string_view>

#include "waybill/error.hpp"

namespace waybill::cli {

[[nodiscard]] bool is_mariadb_url(std::string_view url);
[[nodiscard]] bool is_postgres_url(std::string_view url);

// The file behind `sqlite:///absolute/path`, percent-decoded; the URL of a server as it is.
// **Errors**: fix_call for another scheme, a relative path, a query or a fragment. Whatever follows
// an unknown scheme is not repeated: it may hold credentials.
[[nodiscard]] Result<std::string> parse_store_url(std::string_view url);

[[nodiscard]] bool is_kafka_url(std::string_view url);
[[nodiscard]] bool is_amqp_url(std::string_view url);

// The same for `queue:///absolute/path`; `kafka://host:port,…` and `amqp(s)://host:port/vhost` as
// they are. Credentials in it are refused, since it may stand on a command line.
[[nodiscard]] Result<std::string> parse_queue_url(std::string_view url);

}  // namespace waybill::cli
