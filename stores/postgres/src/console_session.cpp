#include <algorithm>
#include <limits>

#include "row_writer.hpp"
#include "sessions.hpp"
#include "sql.hpp"
#include "waybill/stores/columns.hpp"
#include "waybill/stores/rules.hpp"

namespace waybill::postgres {
namespace {

constexpr std::string_view kOldTransaction =
    "SELECT pid, usename::text, EXTRACT(EPOCH FROM now() - xact_start)::bigint FROM "
    "pg_stat_activity"
    " WHERE xact_start < now() - interval '5 minutes' AND backend_type = 'client backend'"
    " AND datname = current_database() ORDER BY xact_start LIMIT 1";

// What reads the whole table may take longer than a relay's statement.
Options patient(Options options) {
  options.answer_timeout = std::max(options.answer_timeout, Millis(60'000));
  return options;
}

class PostgresConsoleSession final : public ConsoleSession {
 public:
  explicit PostgresConsoleSession(const Options& options)
      : connection_(patient(options), Planner::free) {
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
      const Rows oldest = connection_.read(kOldTransaction);
      if (oldest.size() == 1) {
        findings.push_back({"old_transaction", false,
                            "process " + std::to_string(oldest.number(0, 0)) + " of '" +
                                oldest.text(0, 1) + "' has a transaction open for " +
                                std::to_string(oldest.number(0, 2)) + " s",
                            "vacuum cannot remove what changed since; every scan gets slower",
                            "end it, or: SELECT pg_terminate_backend(" +
                                std::to_string(oldest.number(0, 0)) + ")"});
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
      return store::read_rows(connection_.read(sql::kList, std::move(parameters)));
    });
  }

  Result<std::optional<MessageHistory>> show(std::int64_t id) override {
    return guarded([&]() -> std::optional<MessageHistory> {
      const Rows row = connection_.read(sql::kRow, std::move(Parameters().add(id)));
      if (row.size() == 0) return std::nullopt;
      return store::read_history(
          row,
          connection_.read(sql::kReceipts,
                           std::move(Parameters().add(std::span<const std::int64_t>(&id, 1)))),
          connection_.read(sql::kAuditEntries, std::move(Parameters().add(id))));
    });
  }

  Result<std::vector<Route>> routes() override {
    return guarded([&] { return store::read_routes(connection_.read(sql::kRoutes)); });
  }

  Status set_routes(std::span<const Route> routes) override {
    return guarded([&] {
      store::check_routes(routes);
      std::vector<Call> calls = {connection_.call(sql::kLockRoutes)};
      for (const Route& route : routes) {
        Parameters parameters;
        parameters.add(std::string_view(route.message_type));
        parameters.add(std::string_view(route.destination));
        parameters.add(std::string_view(join_consumers(route.consumers)));
        parameters.add(std::int64_t{route.confirm_deadline.count()});
        parameters.add(to_string(route.ordering)).add(to_string(route.dispatch));
        calls.push_back(connection_.call(sql::kSetRoute, std::move(parameters)));
      }
      connection_.database().transaction([&] { connection_.database().write_and_commit(calls); });
    });
  }

  Result<std::vector<Marked>> act(std::span<const Mark> marks,
                                  std::string_view operator_name) override {
    return guarded([&] {
      store::check_actions(marks);
      return connection_.database().transaction([&] {
        std::vector<Marked> results = *apply(connection_, marks, nullptr);
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
                sql::kCleanPage,
                std::move(Parameters().add(spec.after_id).add(rows_max).add(age))));
          },
          [&](std::span<const std::int64_t> ids) { return remove(ids, age); });
    });
  }

 private:
  std::int64_t remove(std::span<const std::int64_t> ids, std::int64_t age) {
    return connection_.database().transaction([&] {
      const std::vector<std::int64_t> gone = store::read_ids(
          connection_.write(sql::kClean, std::move(Parameters().add(ids).add(age))));
      const std::span<const std::int64_t> all(gone);
      const Call side_rows[] = {
          connection_.call(sql::kCleanDelivery, std::move(Parameters().add(all))),
          connection_.call(sql::kCleanReceipts, std::move(Parameters().add(all)))};
      connection_.database().write_and_commit(side_rows);
      return static_cast<std::int64_t>(gone.size());
    });
  }

  void write_audit(std::span<const Mark> marks, const std::vector<Marked>& results,
                   std::string_view operator_name) {
    std::vector<std::string_view> actions;
    std::vector<std::int64_t> ids;
    std::vector<std::string_view> states;
    std::vector<std::string_view> reasons;
    for (std::size_t i = 0; i < marks.size(); ++i) {
      if (results[i] != Marked::done) continue;
      actions.push_back(to_string(marks[i].cause));
      ids.push_back(marks[i].id);
      states.push_back(to_string(marks[i].from));
      reasons.push_back(store::cut_text(marks[i].reason, store::kReasonBytesMax));
    }
    if (ids.empty()) return;
    Parameters parameters;
    parameters.add(operator_name).add(std::span<const std::string_view>(actions));
    parameters.add(std::span<const std::int64_t>(ids));
    parameters.add(std::span<const std::string_view>(states));
    parameters.add(std::span<const std::string_view>(reasons));
    static_cast<void>(connection_.write(sql::kAudit, std::move(parameters)));
  }

  Connection connection_;
};

}  // namespace

std::unique_ptr<ConsoleSession> make_console_session(const Options& options) {
  return std::make_unique<PostgresConsoleSession>(options);
}

}  // namespace waybill::postgres
