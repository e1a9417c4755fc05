#include "row_writer.hpp"
#include "rows.hpp"
#include "sessions.hpp"
#include "sql.hpp"

namespace waybill::sqlite {
namespace {

class SqliteInboxSession final : public InboxSession {
 public:
  explicit SqliteInboxSession(const Options& options) : connection_(options, OpenMode::existing) {
    verify(connection_, options, SchemaPart::consumer);
  }

  Result<std::vector<PendingConfirmation>> pending(std::string_view consumer, std::int64_t after,
                                                   std::uint32_t rows_max) override {
    return guarded([&] {
      std::vector<PendingConfirmation> rows;
      Query query = connection_.query(sql::kPending);
      query.bind(consumer).bind(after).bind(std::int64_t{rows_max});
      while (query.step()) {
        PendingConfirmation row;
        row.position = query.number(0);
        row.message_id = query.text(1);
        row.epoch = static_cast<std::uint32_t>(query.number(2));
        row.verdict = parse_verdict(query.text(3)).value_or(Verdict::done);
        row.reason = query.text(4);
        row.sent_at = parse_time(query.text(5));
        row.gmt_create = parse_time(query.text(6));
        rows.push_back(std::move(row));
      }
      return rows;
    });
  }

  Status confirmed(std::string_view consumer,
                   std::span<const PendingConfirmation> answered) override {
    if (answered.empty()) return {};
    return guarded([&] {
      connection_.write([&] {
        for (const PendingConfirmation& row : answered) {
          const std::string sent_at = format_time(row.sent_at);
          connection_.query(sql::kConfirmed)
              .bind(row.position)
              .bind(consumer)
              .bind(std::int64_t{row.epoch})
              .bind(to_string(row.verdict))
              .bind(sent_at)
              .run();
        }
      });
    });
  }

  Status reopen(std::string_view consumer, std::string_view message_id, std::uint32_t epoch,
                DatabaseTime sent_at) override {
    return guarded([&] {
      const std::string sent = format_time(sent_at);
      connection_.write([&] {
        connection_.query(sql::kReopen)
            .bind(consumer)
            .bind(message_id)
            .bind(std::int64_t{epoch})
            .bind(sent)
            .run();
      });
    });
  }

  Status park(std::string_view consumer, const ParkedMessage& message,
              DatabaseTime sent_at) override {
    return guarded([&] {
      const std::string sent = format_time(sent_at);
      const std::string_view reason = cut_text(message.reason, kReasonBytesMax);
      connection_.write([&] {
        const std::int64_t recorded = connection_.query(sql::kParkInbox)
                                          .bind(consumer)
                                          .bind(message.message_id)
                                          .bind(std::int64_t{message.epoch})
                                          .bind(reason)
                                          .bind(sent)
                                          .run();
        if (recorded == 0) return;  // it was done before: nothing to set aside
        connection_.query(sql::kPark)
            .bind(consumer)
            .bind(message.message_id)
            .bind(message.message_type)
            .bind_blob(message.body)
            .bind(reason)
            .bind(std::int64_t{message.epoch})
            .bind(std::int64_t{message.attempts})
            .run();
      });
    });
  }

  Result<std::vector<ParkedMessage>> parked(std::string_view consumer,
                                            std::uint32_t rows_max) override {
    return guarded([&] {
      std::vector<ParkedMessage> rows;
      Query query = connection_.query(sql::kParked);
      query.bind(consumer).bind(std::int64_t{rows_max});
      while (query.step()) {
        rows.push_back({query.text(0), query.text(1), query.text(2), query.text(3),
                        static_cast<std::uint32_t>(query.number(4)),
                        static_cast<std::uint32_t>(query.number(5)), parse_time(query.text(6))});
      }
      return rows;
    });
  }

 private:
  Connection connection_;
};

}  // namespace

std::unique_ptr<InboxSession> make_inbox_session(const Options& options) {
  return std::make_unique<SqliteInboxSession>(options);
}

}  // namespace waybill::sqlite
