#include <algorithm>
#include <chrono>
#include <filesystem>
#include <limits>

#include "row_writer.hpp"
#include "rows.hpp"
#include "sessions.hpp"
#include "sql.hpp"
#include "waybill/stores/rules.hpp"

namespace waybill::sqlite {
namespace {

constexpr std::uintmax_t kWalBytesMax = std::uintmax_t{64} << 20;

void bind_optional(Query& query, std::string_view text) {
  if (text.empty()) {
    query.bind_null();
  } else {
    query.bind(text);
  }
}

class SqliteConsoleSession final : public ConsoleSession {
 public:
  explicit SqliteConsoleSession(const Options& options)
      : connection_(options, OpenMode::existing), path_(options.path) {
    verify(connection_, options, SchemaPart::producer);
  }

  Result<StoreStatus> status() override {
    return guarded([&] {
      StoreStatus status;
      status.now = read_now();
      read_counts(status);
      Query due = connection_.query(sql::kRetryDue);
      if (due.step()) status.retry_due = due.number(0);
      status.lease = read_lease(connection_);
      Query consumers = connection_.query(sql::kConsumerProgress);
      while (consumers.step()) {
        status.consumers.push_back({consumers.text(0), consumers.text(1),
                                    parse_time(consumers.text(2)),
                                    std::chrono::seconds(consumers.number(3))});
      }
      status.schema_version = read_schema_version(connection_, SchemaPart::producer);
      return status;
    });
  }

  Result<LeaseView> lease() override {
    return guarded([&] { return read_lease(connection_); });
  }

  Result<DatabaseTime> now() override {
    return guarded([&] { return read_now(); });
  }

  Result<std::vector<StoreFinding>> inspect() override {
    std::vector<StoreFinding> findings;
    std::error_code no_wal;
    const auto bytes = std::filesystem::file_size(path_ + "-wal", no_wal);
    if (!no_wal && bytes > kWalBytesMax) {
      findings.push_back(
          {"wal_grown", false,
           "the write-ahead log " + path_ + "-wal has " + std::to_string(bytes >> 20) + " MiB",
           "a reader stayed open for long, so that nothing could be written back; "
           "reads get slower and the disk fills",
           "find the connection that never ends its read, then run: PRAGMA "
           "wal_checkpoint(TRUNCATE)"});
    }
    return findings;
  }

  Result<std::vector<MessageRow>> list(const MessageFilter& filter) override {
    return guarded([&] {
      const bool whole_id =
          !filter.identifier.empty() && !filter.message_type.empty() && !filter.biz_type.empty();
      const std::string since = filter.since ? format_time(*filter.since) : "";
      const std::string until = filter.until ? format_time(*filter.until) : "";
      Query query = connection_.query(whole_id ? sql::kListIdentity : sql::kList);
      query.bind(filter.id ? std::max(filter.after_id, *filter.id - 1) : filter.after_id);
      query.bind(filter.id.value_or(std::numeric_limits<std::int64_t>::max()));
      bind_optional(query, filter.identifier);
      bind_optional(query, filter.message_type);
      bind_optional(query, filter.biz_type);
      bind_optional(query, filter.state);
      bind_optional(query, filter.destination);
      bind_optional(query, since);
      bind_optional(query, until);
      query.bind(std::int64_t{std::clamp(filter.rows_max, 1U, store::kListRowsMax)});
      std::vector<MessageRow> rows;
      while (query.step()) rows.push_back(read_row(query));
      return rows;
    });
  }

  Result<std::optional<MessageHistory>> show(std::int64_t id) override {
    return guarded([&]() -> std::optional<MessageHistory> {
      MessageHistory history;
      {
        Query row = connection_.query(sql::kRow);
        if (!row.bind(id).step()) return std::nullopt;
        history.row = read_row(row);
      }
      Query receipts = connection_.query(sql::kReceipts);
      receipts.bind(id);
      while (receipts.step()) {
        history.receipts.push_back({receipts.text(0),
                                    parse_verdict(receipts.text(1)).value_or(Verdict::failed),
                                    static_cast<std::uint32_t>(receipts.number(2)),
                                    receipts.text(3), parse_time(receipts.text(4))});
      }
      Query audit = connection_.query(sql::kAuditEntries);
      audit.bind(id);
      while (audit.step()) {
        history.audit.push_back({parse_time(audit.text(0)), audit.text(1), audit.text(2),
                                 audit.text(3), audit.text(4)});
      }
      return history;
    });
  }

  Result<std::vector<Route>> routes() override {
    return guarded([&] { return read_routes(connection_); });
  }

  Status set_routes(std::span<const Route> routes) override {
    return guarded([&] {
      store::check_routes(routes);
      connection_.write([&] {
        for (const Route& route : routes) {
          const std::string consumers = join_consumers(route.consumers);
          connection_.query(sql::kSetRoute)
              .bind(route.message_type)
              .bind(route.destination)
              .bind(consumers)
              .bind(static_cast<std::int64_t>(route.confirm_deadline.count()))
              .bind(to_string(route.ordering))
              .bind(to_string(route.dispatch))
              .run();
        }
      });
    });
  }

  Result<std::vector<Marked>> act(std::span<const Mark> marks,
                                  std::string_view operator_name) override {
    return guarded([&] {
      store::check_actions(marks);
      return connection_.write([&] {
        std::vector<Marked> results = apply(connection_, marks, nullptr);
        for (std::size_t i = 0; i < marks.size(); ++i) {
          if (results[i] == Marked::done) write_audit(marks[i], operator_name);
        }
        return results;
      });
    });
  }

  Result<CleanPage> clean(const CleanSpec& spec) override {
    return guarded([&] {
      const std::string age = modifier(-spec.older_than);
      return store::clean(
          spec,
          [&](std::int64_t rows_max) { return read_clean_rows(spec.after_id, rows_max, age); },
          [&](std::span<const std::int64_t> ids) { return remove(ids, age); });
    });
  }

 private:
  std::vector<store::CleanRow> read_clean_rows(std::int64_t after_id, std::int64_t rows_max,
                                               const std::string& age) {
    Query query = connection_.query(sql::kCleanPage);
    query.bind(after_id).bind(rows_max).bind(age);
    std::vector<store::CleanRow> rows;
    while (query.step()) {
      rows.push_back({query.number(0), query.number(1) != 0, query.number(2) != 0});
    }
    return rows;
  }

  std::int64_t remove(std::span<const std::int64_t> ids, const std::string& age) {
    return connection_.write([&] {
      std::int64_t deleted = 0;
      for (const std::int64_t id : ids) {
        if (connection_.query(sql::kClean).bind(id).bind(age).run() == 0) continue;
        connection_.query(sql::kCleanDelivery).bind(id).run();
        connection_.query(sql::kCleanReceipts).bind(id).run();
        ++deleted;
      }
      return deleted;
    });
  }

  DatabaseTime read_now() {
    Query query = connection_.query(sql::kNow);
    query.step();
    return parse_time(query.text(0));
  }

  void read_counts(StoreStatus& status) {
    Query query = connection_.query(sql::kCounts);
    while (query.step()) {
      status.counts.push_back(
          {query.text(0), query.number(1), parse_time(query.text(2)), query.number(3)});
    }
    store::set_oldest_unfinished(status);
  }

  void write_audit(const Mark& mark, std::string_view operator_name) {
    connection_.query(sql::kAudit)
        .bind(operator_name)
        .bind(to_string(mark.cause))
        .bind(mark.id)
        .bind(to_string(mark.from))
        .bind(store::cut_text(mark.reason, store::kReasonBytesMax))
        .run();
  }

  Connection connection_;
  const std::string path_;
};

}  // namespace

std::unique_ptr<ConsoleSession> make_console_session(const Options& options) {
  return std::make_unique<SqliteConsoleSession>(options);
}

}  // namespace waybill::sqlite
