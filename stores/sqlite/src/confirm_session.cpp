#include "row_writer.hpp"
#include "rows.hpp"
#include "sessions.hpp"
#include "sql.hpp"
#include "waybill/stores/rules.hpp"

namespace waybill::sqlite {
namespace {

class SqliteConfirmTables final : public store::ConfirmTables {
 public:
  explicit SqliteConfirmTables(Connection& connection) : connection_(connection) {}

  std::vector<Route> routes() override { return read_routes(connection_); }

  std::vector<std::vector<store::ConfirmedRow>> find(std::span<const MessageId> ids) override {
    std::vector<std::vector<store::ConfirmedRow>> found;
    for (const MessageId& id : ids) {
      auto& rows = found.emplace_back();
      Query query = connection_.query(sql::kFind);
      query.bind(id.biz_type).bind(id.message_type).bind(id.identifier);
      while (query.step()) {
        rows.push_back(
            {query.number(0), query.text(1), static_cast<std::uint32_t>(query.number(2))});
      }
    }
    return found;
  }

  std::vector<store::StoredReceipt> receipts(std::span<const std::int64_t> rows) override {
    return read_receipts(connection_, rows);
  }

  void write_receipts(std::span<const store::StoredReceipt> receipts) override {
    for (const store::StoredReceipt& receipt : receipts) {
      connection_.query(sql::kReceipt)
          .bind(receipt.id)
          .bind(receipt.consumer)
          .bind(receipt.verdict)
          .bind(std::int64_t{receipt.epoch})
          .bind(receipt.reason)
          .run();
    }
  }

  void apply(std::span<const Mark> marks) override {
    const std::vector<Marked> results = sqlite::apply(connection_, marks, nullptr);
    for (std::size_t i = 0; i < marks.size(); ++i) {
      if (results[i] == Marked::done) continue;
      throw Failure{{Remedy::retry,
                     "row " + std::to_string(marks[i].id) + " changed inside a write transaction",
                     {}}};
    }
  }

  void note_consumers(std::span<const ConsumerProgress> consumers) override {
    for (const ConsumerProgress& consumer : consumers) {
      const std::string confirmed_sent = format_time(consumer.confirmed_sent);
      connection_.query(sql::kConsumerSeen)
          .bind(consumer.message_type)
          .bind(consumer.consumer)
          .bind(confirmed_sent)
          .bind(static_cast<std::int64_t>(consumer.retention.count()))
          .run();
    }
  }

 private:
  Connection& connection_;
};

class SqliteConfirmSession final : public ConfirmSession {
 public:
  explicit SqliteConfirmSession(const Options& options) : connection_(options, OpenMode::existing) {
    verify(connection_, options, SchemaPart::producer);
  }

  Result<std::vector<ConfirmResult>> confirm(std::span<const Confirmation> items) override {
    return guarded([&] {
      return connection_.write([&] {
        SqliteConfirmTables tables(connection_);
        return store::confirm(tables, items);
      });
    });
  }

 private:
  Connection connection_;
};

}  // namespace

std::unique_ptr<ConfirmSession> make_confirm_session(const Options& options) {
  return std::make_unique<SqliteConfirmSession>(options);
}

}  // namespace waybill::sqlite
