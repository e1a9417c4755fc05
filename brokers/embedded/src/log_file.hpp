// The log's file: its schema and the statements that publisher, subscriber and console share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "waybill/brokers/embedded.hpp"
#include "waybill/drivers/sqlite.hpp"

namespace waybill::embedded {

using sqlite::Query;

struct Topic {
  std::int64_t id = 0;
  std::uint32_t partitions = 0;
};

// The bounds of the options; `fix_call` when one is broken.
[[nodiscard]] Status check(const Options& options);

class LogFile {
 public:
  // With `create`, makes the file and its schema where they are missing; several processes may do
  // so at once. Throws Failure, also for a foreign file, which stays untouched.
  LogFile(const Options& options, sqlite::OpenMode mode);

  [[nodiscard]] Query query(const char* sql) {
    return database_.query(sql, [&] { return std::string(sql); });
  }
  [[nodiscard]] sqlite::Database& database() noexcept { return database_; }

  [[nodiscard]] std::optional<Topic> find_topic(std::string_view name);
  // Inside a transaction.
  Topic create_topic(std::string_view name, std::uint32_t partitions);

  // Changes when another connection has written.
  [[nodiscard]] std::int64_t data_version();

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  // True when the file was deleted or another one stands in its place: what is written here then
  // is lost, and nobody would notice.
  [[nodiscard]] bool is_replaced() const;

 private:
  struct Identity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    friend bool operator==(const Identity&, const Identity&) = default;
  };
  static std::optional<Identity> identify(const std::string& path);

  std::string path_;
  sqlite::Database database_;
  std::optional<Identity> identity_;
};

[[nodiscard]] std::uint32_t partition_of(std::string_view key, std::string_view message_id,
                                         std::uint32_t partitions);
[[nodiscard]] std::int64_t to_micros(DatabaseTime time);
[[nodiscard]] DatabaseTime from_micros(std::int64_t micros);

}  // namespace waybill::embedded
