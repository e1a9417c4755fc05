#include "rows.hpp"
#include "sessions.hpp"
#include "sql.hpp"
#include "waybill/stores/rules.hpp"

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
      const std::string_view reason = store::cut_text(message.reason, store::kReasonBytesMax);
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
            .bind(message.key)
            .bind(message.traceparent)
            .run();
      });
    });
  }

  Result<std::uint32_t> begin_attempt(std::string_view consumer,
                                      std::string_view message_id) override {
    return guarded([&] {
      return connection_.write([&] {
        Query query = connection_.query(sql::kBeginAttempt);
        query.bind(consumer).bind(message_id).step();
        return static_cast<std::uint32_t>(query.number(0));
      });
    });
  }

  Result<std::vector<bool>> note_attempts(std::string_view consumer,
                                          std::span<const std::string_view> message_ids) override {
    return guarded([&] {
      return connection_.write([&] {
        std::vector<bool> known;
        for (const std::string_view id : message_ids) {
          known.push_back(connection_.query(sql::kNoteAttempt).bind(consumer).bind(id).run() == 0);
        }
        return known;
      });
    });
  }

  Status end_attempts(std::string_view consumer,
                      std::span<const std::string_view> message_ids) override {
    return guarded([&] {
      connection_.write([&] {
        for (const std::string_view id : message_ids) {
          connection_.query(sql::kEndAttempt).bind(consumer).bind(id).run();
        }
      });
    });
  }

  Result<std::vector<ParkedMessage>> parked(std::string_view consumer,
                                            std::uint32_t rows_max) override {
    return guarded([&] { return read_parked(consumer, {}, rows_max); });
  }

  Result<std::optional<ParkedMessage>> take_up(std::string_view consumer,
                                               std::string_view message_id,
                                               std::string_view operator_name,
                                               std::string_view reason) override {
    return guarded([&] {
      return connection_.write([&]() -> std::optional<ParkedMessage> {
        std::vector<ParkedMessage> found = read_parked(consumer, message_id, 1);
        if (found.empty()) return std::nullopt;
        connection_.query(sql::kAuditInbox)
            .bind(operator_name)
            .bind(consumer)
            .bind(message_id)
            .bind(store::cut_text(reason, store::kReasonBytesMax))
            .run();
        return std::move(found.front());
      });
    });
  }

 private:
  // An empty name does not restrict.
  std::vector<ParkedMessage> read_parked(std::string_view consumer, std::string_view message_id,
                                         std::uint32_t rows_max) {
    Query query = connection_.query(sql::kParked);
    for (const std::string_view name : {consumer, message_id}) {
      if (name.empty()) {
        query.bind_null();
      } else {
        query.bind(name);
      }
    }
    query.bind(std::int64_t{rows_max});
    std::vector<ParkedMessage> rows;
    while (query.step()) {
      rows.push_back({query.text(0), query.text(1), query.text(2), query.text(3),
                      static_cast<std::uint32_t>(query.number(4)),
                      static_cast<std::uint32_t>(query.number(5)), parse_time(query.text(6)),
                      query.text(7), query.text(8), query.text(9)});
    }
    return rows;
  }

  Connection connection_;
};

}  // namespace

std::unique_ptr<InboxSession> make_inbox_session(const Options& options) {
  return std::make_unique<SqliteInboxSession>(options);
}

}  // namespace waybill::sqlite
