#include <unordered_map>

#include "row_writer.hpp"
#include "sessions.hpp"
#include "sql.hpp"
#include "waybill/stores/columns.hpp"
#include "waybill/stores/rules.hpp"

namespace waybill::postgres {
namespace {

template <class T>
using Column = std::span<const T>;

class PostgresConfirmTables final : public store::ConfirmTables {
 public:
  explicit PostgresConfirmTables(Connection& connection) : connection_(connection) {}

  std::vector<Route> routes() override {
    return store::read_routes(connection_.read(sql::kRoutes));
  }

  std::vector<std::vector<store::ConfirmedRow>> find(std::span<const MessageId> ids) override {
    std::vector<std::string_view> biz_types;
    std::vector<std::string_view> message_types;
    std::vector<std::string_view> identifiers;
    for (const MessageId& id : ids) {
      biz_types.push_back(id.biz_type);
      message_types.push_back(id.message_type);
      identifiers.push_back(id.identifier);
    }
    Parameters parameters;
    parameters.add(Column<std::string_view>(biz_types));
    parameters.add(Column<std::string_view>(message_types));
    parameters.add(Column<std::string_view>(identifiers));
    const Rows rows = connection_.write(sql::kFind, std::move(parameters));
    std::vector<std::vector<store::ConfirmedRow>> found(ids.size());
    std::vector<std::int64_t> delivered;
    for (std::size_t at = 0; at < rows.size(); ++at) {
      auto& of_id = found[static_cast<std::size_t>(rows.number(at, 0)) - 1];
      const store::ConfirmedRow& row = of_id.emplace_back(
          store::ConfirmedRow{.id = rows.number(at, 1), .state = rows.text(at, 2)});
      const auto state = parse_message_state(row.state);
      if (state && store::has_delivery(*state)) delivered.push_back(row.id);
    }
    if (!delivered.empty()) read_epochs(delivered, found);
    return found;
  }

  std::vector<store::StoredReceipt> receipts(std::span<const std::int64_t> ids) override {
    return store::read_receipts(connection_.read(sql::kReceipts, std::move(Parameters().add(ids))));
  }

  void write_receipts(std::span<const store::StoredReceipt> receipts) override {
    std::vector<std::int64_t> ids;
    std::vector<std::string_view> consumers;
    std::vector<std::string_view> verdicts;
    std::vector<std::int64_t> epochs;
    std::vector<std::string_view> reasons;
    for (const store::StoredReceipt& receipt : receipts) {
      ids.push_back(receipt.id);
      consumers.push_back(receipt.consumer);
      verdicts.push_back(receipt.verdict);
      epochs.push_back(receipt.epoch);
      reasons.push_back(receipt.reason);
    }
    Parameters parameters;
    parameters.add(Column<std::int64_t>(ids)).add(Column<std::string_view>(consumers));
    parameters.add(Column<std::string_view>(verdicts)).add(Column<std::int64_t>(epochs));
    parameters.add(Column<std::string_view>(reasons));
    static_cast<void>(connection_.write(sql::kReceipt, std::move(parameters)));
  }

  void apply(std::span<const Mark> marks) override {
    const auto results = postgres::apply(connection_, marks, nullptr);
    for (std::size_t i = 0; i < marks.size(); ++i) {
      if ((*results)[i] == Marked::done) continue;
      throw Failure{
          {Remedy::retry, "row " + std::to_string(marks[i].id) + " changed under its lock", {}}};
    }
  }

  void note_consumers(std::span<const ConsumerProgress> consumers) override {
    std::vector<std::string_view> message_types;
    std::vector<std::string_view> names;
    std::vector<DatabaseTime> sent;
    std::vector<std::int64_t> retentions;
    for (const ConsumerProgress& consumer : consumers) {
      message_types.push_back(consumer.message_type);
      names.push_back(consumer.consumer);
      sent.push_back(consumer.confirmed_sent);
      retentions.push_back(consumer.retention.count());
    }
    Parameters parameters;
    parameters.add(Column<std::string_view>(message_types)).add(Column<std::string_view>(names));
    parameters.add(Column<DatabaseTime>(sent)).add(Column<std::int64_t>(retentions));
    const Call call = connection_.call(sql::kConsumerSeen, std::move(parameters));
    static_cast<void>(connection_.database().write_and_commit({&call, 1}));
  }

 private:
  void read_epochs(std::span<const std::int64_t> ids,
                   std::vector<std::vector<store::ConfirmedRow>>& found) {
    const Rows rows = connection_.read(sql::kEpochs, std::move(Parameters().add(ids)));
    std::unordered_map<std::int64_t, std::uint32_t> epochs;
    for (std::size_t at = 0; at < rows.size(); ++at) {
      epochs[rows.number(at, 0)] = static_cast<std::uint32_t>(rows.number(at, 1));
    }
    for (auto& of_id : found) {
      for (store::ConfirmedRow& row : of_id) {
        const auto known = epochs.find(row.id);
        if (known != epochs.end()) row.epoch = known->second;
      }
    }
  }

  Connection& connection_;
};

class PostgresConfirmSession final : public ConfirmSession {
 public:
  explicit PostgresConfirmSession(const Options& options)
      : connection_(options, Planner::by_index) {
    verify(connection_, options, SchemaPart::producer);
  }

  Result<std::vector<ConfirmResult>> confirm(std::span<const Confirmation> items) override {
    return guarded([&] {
      return connection_.database().transaction([&] {
        PostgresConfirmTables tables(connection_);
        return store::confirm(tables, items);
      });
    });
  }

 private:
  Connection connection_;
};

}  // namespace

std::unique_ptr<ConfirmSession> make_confirm_session(const Options& options) {
  return std::make_unique<PostgresConfirmSession>(options);
}

}  // namespace waybill::postgres
