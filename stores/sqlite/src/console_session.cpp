#include <algorithm>
#include <chrono>

#include "row_writer.hpp"
#include "rows.hpp"
#include "sessions.hpp"
#include "sql.hpp"

namespace waybill::sqlite {
namespace {

constexpr std::uint32_t kRowsMax = 1000;

void bind_optional(Query& query, std::string_view text) {
  if (text.empty()) {
    query.bind_null();
  } else {
    query.bind(text);
  }
}

class SqliteConsoleSession final : public ConsoleSession {
 public:
  explicit SqliteConsoleSession(const Options& options) : connection_(options, OpenMode::existing) {
    verify(connection_, options, SchemaPart::producer);
  }

  Result<StoreStatus> status() override {
    return guarded([&] {
      StoreStatus status;
      Query counts = connection_.query(sql::kCounts);
      while (counts.step()) status.counts.push_back({counts.text(0), counts.number(1)});
      Query oldest = connection_.query(sql::kOldestUnfinished);
      if (oldest.step())
        status.oldest_unfinished_age = Millis(std::max<std::int64_t>(0, oldest.number(0)));
      status.lease = read_lease(connection_);
      status.schema_version = read_schema_version(connection_, SchemaPart::producer);
      return status;
    });
  }

  Result<std::vector<MessageRow>> list(const MessageFilter& filter) override {
    return guarded([&] {
      const std::string_view state = filter.state ? to_string(*filter.state) : std::string_view();
      Query query = connection_.query(sql::kList);
      query.bind(filter.after_id);
      if (filter.id) {
        query.bind(*filter.id);
      } else {
        query.bind_null();
      }
      bind_optional(query, filter.identifier);
      bind_optional(query, filter.message_type);
      bind_optional(query, filter.biz_type);
      bind_optional(query, state);
      query.bind(std::int64_t{std::clamp(filter.rows_max, 1U, kRowsMax)});
      std::vector<MessageRow> rows;
      while (query.step()) rows.push_back(read_row(query));
      return rows;
    });
  }

  Result<std::optional<MessageHistory>> show(std::int64_t id) override {
    MessageFilter filter;
    filter.id = id;
    filter.after_id = id - 1;
    auto rows = list(filter);
    if (!rows) return rows.error();
    if (rows->empty()) return std::optional<MessageHistory>{};
    return guarded([&]() -> std::optional<MessageHistory> {
      MessageHistory history{std::move(rows->front()), {}};
      Query query = connection_.query(sql::kReceipts);
      query.bind(id);
      while (query.step()) {
        history.receipts.push_back({query.text(0),
                                    parse_verdict(query.text(1)).value_or(Verdict::failed),
                                    static_cast<std::uint32_t>(query.number(2)), query.text(3),
                                    parse_time(query.text(4))});
      }
      return history;
    });
  }

  Result<std::vector<Route>> routes() override {
    return guarded([&] { return read_routes(connection_); });
  }

  Status set_routes(std::span<const Route> routes) override {
    for (const Route& route : routes) {
      if (Status checked = validate(route); !checked) return checked;
    }
    return guarded([&] {
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
      check_arrows(marks);
      for (const Mark& mark : marks) {
        if (mark.cause == Cause::cancelled || mark.cause == Cause::resend ||
            mark.cause == Cause::replay)
          continue;
        throw Failure{{Remedy::fix_call,
                       "'" + std::string(to_string(mark.cause)) + "' is no operator's action",
                       "cancelled, resend or replay"}};
      }
      return connection_.write([&] {
        std::vector<Marked> results;
        for (const Mark& mark : marks) {
          results.push_back(apply(connection_, mark, nullptr));
          if (results.back() == Marked::done) write_audit(mark, operator_name);
        }
        return results;
      });
    });
  }

 private:
  void write_audit(const Mark& mark, std::string_view operator_name) {
    connection_.query(sql::kAudit)
        .bind(operator_name)
        .bind(to_string(mark.cause))
        .bind(mark.id)
        .bind(to_string(mark.from))
        .bind(cut_text(mark.reason, kReasonBytesMax))
        .run();
  }

  Connection connection_;
};

}  // namespace

std::unique_ptr<ConsoleSession> make_console_session(const Options& options) {
  return std::make_unique<SqliteConsoleSession>(options);
}

}  // namespace waybill::sqlite
