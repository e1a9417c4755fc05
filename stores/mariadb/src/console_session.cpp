#include <algorithm>
#include <limits>

#include "json_rows.hpp"
#include "row_writer.hpp"
#include "sessions.hpp"
#include "sql.hpp"
#include "waybill/stores/columns.hpp"
#include "waybill/stores/rules.hpp"

namespace waybill::mariadb {
namespace {

// InnoDB tells times in the server's own zone.
constexpr std::string_view kOldTransaction =
    "SELECT trx_mysql_thread_id, TIMESTAMPDIFF(SECOND, CONVERT_TZ(trx_started, 'SYSTEM', '+00:00'),"
    " UTC_TIMESTAMP()) AS age FROM information_schema.INNODB_TRX HAVING age > 300"
    " ORDER BY age DESC LIMIT 1";
constexpr std::string_view kMayLook =
    "SELECT COUNT(*) FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE = 'PROCESS'";

// What reads the whole table may take longer than a relay's statement.
Options patient(Options options) {
  options.answer_timeout = std::max(options.answer_timeout, Millis(60'000));
  return options;
}

class MariadbConsoleSession final : public ConsoleSession {
 public:
  explicit MariadbConsoleSession(const Options& options) : connection_(patient(options)) {
    verify(connection_, options, SchemaPart::producer);
  }

  Result<StoreStatus> status() override {
    return guarded([&] {
      StoreStatus status;
      status.now = connection_.read(sql::kNow).time(0, 0);
      const Rows counts = connection_.read(sql::kCounts);
      for (std::size_t at = 0; at < counts.size(); ++at) {
        status.counts.push_back(
            {counts.text(at, 0), counts.number(at, 1), counts.time(at, 2), counts.number(at, 3)});
      }
      store::set_oldest_unfinished(status);
      status.retry_due = connection_.read(sql::kRetryDue).number(0, 0);
      status.lease = store::read_lease(connection_.read(sql::kLease));
      status.consumers = store::read_consumers(connection_.read(sql::kConsumerProgress));
      status.schema_version = read_schema_version(connection_, SchemaPart::producer);
      return status;
    });
  }

  Result<LeaseView> lease() override {
    return guarded([&] { return store::read_lease(connection_.read(sql::kLease)); });
  }

  Result<DatabaseTime> now() override {
    return guarded([&] { return connection_.read(sql::kNow).time(0, 0); });
  }

  Result<std::vector<StoreFinding>> inspect() override {
    return guarded([&] {
      std::vector<StoreFinding> findings;
      if (connection_.read(kMayLook).number(0, 0) == 0) return findings;
      const Rows oldest = connection_.read(kOldTransaction);
      if (oldest.size() == 1) {
        const std::string thread = std::to_string(oldest.number(0, 0));
        findings.push_back({"old_transaction", false,
                            "connection " + thread + " has a transaction open for " +
                                std::to_string(oldest.number(0, 1)) + " s",
                            "InnoDB keeps every older version of a row since; scans get slower",
                            "end it, or: KILL " + thread});
      }
      return findings;
    });
  }

  Result<std::vector<MessageRow>> list(const MessageFilter& filter) override {
    return guarded([&] {
      Parameters parameters;
      parameters.add(filter.id ? std::max(filter.after_id, *filter.id - 1) : filter.after_id);
      parameters.add(filter.id.value_or(std::numeric_limits<std::int64_t>::max()));
      parameters.add_optional(filter.identifier).add_optional(filter.message_type);
      parameters.add_optional(filter.biz_type).add_optional(filter.state);
      parameters.add_optional(filter.destination);
      parameters.add_optional(filter.since).add_optional(filter.until);
      parameters.add(std::int64_t{std::clamp(filter.rows_max, 1U, store::kListRowsMax)});
      return store::read_rows(connection_.read(sql::kList, parameters));
    });
  }

  Result<std::optional<MessageHistory>> show(std::int64_t id) override {
    return guarded([&]() -> std::optional<MessageHistory> {
      const Rows row = connection_.read(sql::kRow, Parameters().add(id));
      if (row.size() == 0) return std::nullopt;
      return store::read_history(
          row,
          connection_.read(sql::kReceipts, Parameters().add(std::string_view(json_list({&id, 1})))),
          connection_.read(sql::kAuditEntries, Parameters().add(id)));
    });
  }

  Result<std::vector<Route>> routes() override {
    return guarded([&] { return store::read_routes(connection_.read(sql::kRoutes)); });
  }

  Status set_routes(std::span<const Route> routes) override {
    return guarded([&] {
      store::check_routes(routes);
      connection_.database().transaction([&] {
        static_cast<void>(connection_.write(sql::kLockRoutes));
        for (const Route& route : routes) {
          Parameters parameters;
          parameters.add(std::string_view(route.message_type));
          parameters.add(std::string_view(route.destination));
          parameters.add(std::string_view(join_consumers(route.consumers)));
          parameters.add(std::int64_t{route.confirm_deadline.count()});
          parameters.add(to_string(route.ordering)).add(to_string(route.dispatch));
          static_cast<void>(connection_.write(sql::kSetRoute, parameters));
        }
      });
    });
  }

  Result<std::vector<Marked>> act(std::span<const Mark> marks,
                                  std::string_view operator_name) override {
    return guarded([&] {
      store::check_actions(marks);
      return connection_.database().transaction([&] {
        std::vector<Marked> results = apply_locked(connection_, marks);
        write_audit(marks, results, operator_name);
        return results;
      });
    });
  }

  Result<CleanPage> clean(const CleanSpec& spec) override {
    return guarded([&] {
      const std::int64_t age = spec.older_than.count();
      return store::clean(
          spec,
          [&](std::int64_t rows_max) {
            return store::read_clean_rows(connection_.read(
                sql::kCleanPage, Parameters().add(spec.after_id).add(rows_max).add(age)));
          },
          [&](std::span<const std::int64_t> ids) { return remove(ids, age); });
    });
  }

 private:
  std::int64_t remove(std::span<const std::int64_t> ids, std::int64_t age) {
    return connection_.database().transaction([&] {
      const std::vector<std::int64_t> going = store::read_ids(connection_.write(
          sql::kCleanLock, Parameters().add(std::string_view(json_list(ids))).add(age)));
      static_cast<void>(
          connection_.write(sql::kClean, Parameters().add(std::string_view(json_list(going)))));
      return static_cast<std::int64_t>(going.size());
    });
  }

  void write_audit(std::span<const Mark> marks, const std::vector<Marked>& results,
                   std::string_view operator_name) {
    JsonRows rows;
    for (std::size_t i = 0; i < marks.size(); ++i) {
      if (results[i] != Marked::done) continue;
      rows.row().add(to_string(marks[i].cause)).add(marks[i].id).add(to_string(marks[i].from));
      rows.add(store::cut_text(marks[i].reason, store::kReasonBytesMax));
    }
    if (rows.empty()) return;
    static_cast<void>(connection_.write(
        sql::kAudit, Parameters().add(operator_name).add(std::string_view(rows.text()))));
  }

  Connection connection_;
};

}  // namespace

std::unique_ptr<ConsoleSession> make_console_session(const Options& options) {
  return std::make_unique<MariadbConsoleSession>(options);
}

}  // namespace waybill::mariadb
