#include <algorithm>
#include <unordered_map>

#include "json_rows.hpp"
#include "row_writer.hpp"
#include "sessions.hpp"
#include "sql.hpp"
#include "waybill/message.hpp"
#include "waybill/stores/columns.hpp"
#include "waybill/stores/rules.hpp"

namespace waybill::mariadb {
namespace {

class MariadbConfirmTables final : public store::ConfirmTables {
 public:
  explicit MariadbConfirmTables(Connection& connection) : connection_(connection) {}

  std::vector<Route> routes() override {
    return store::read_routes(connection_.read(sql::kRoutes));
  }

  std::vector<std::vector<store::ConfirmedRow>> find(std::span<const MessageId> ids) override {
    JsonRows wanted;
    for (std::size_t place = 0; place < ids.size(); ++place) {
      const MessageId& id = ids[place];
      // What is no text is in no row.
      if (!is_storable_text(id.biz_type) || !is_storable_text(id.message_type) ||
          !is_storable_text(id.identifier)) {
        continue;
      }
      wanted.row().add(static_cast<std::int64_t>(place)).add(std::string_view(id.biz_type));
      wanted.add(std::string_view(id.message_type)).add(std::string_view(id.identifier));
    }
    std::vector<std::vector<store::ConfirmedRow>> found(ids.size());
    if (wanted.empty()) return found;
    const Rows rows =
        connection_.read(sql::kFind, Parameters().add(std::string_view(wanted.text())));
    const auto locked = lock(rows);
    for (std::size_t at = 0; at < rows.size(); ++at) {
      const auto row = locked.find(rows.number(at, 1));
      if (row == locked.end()) continue;  // deleted meanwhile
      found[static_cast<std::size_t>(rows.number(at, 0))].push_back(row->second);
    }
    return found;
  }

  std::vector<store::StoredReceipt> receipts(std::span<const std::int64_t> ids) override {
    return store::read_receipts(
        connection_.read(sql::kReceipts, Parameters().add(std::string_view(json_list(ids)))));
  }

  void write_receipts(std::span<const store::StoredReceipt> receipts) override {
    JsonRows rows;
    for (const store::StoredReceipt& receipt : receipts) {
      rows.row().add(receipt.id).add(std::string_view(receipt.consumer));
      rows.add(std::string_view(receipt.verdict)).add(std::int64_t{receipt.epoch});
      rows.add(std::string_view(receipt.reason));
    }
    write(sql::kReceipt, rows);
  }

  void apply(std::span<const Mark> marks) override { apply_all(connection_, marks); }

  void note_consumers(std::span<const ConsumerProgress> consumers) override {
    JsonRows rows;
    for (const ConsumerProgress& consumer : consumers) {
      rows.row().add(std::string_view(consumer.message_type));
      rows.add(std::string_view(consumer.consumer)).add(consumer.confirmed_sent);
      rows.add(std::int64_t{consumer.retention.count()});
    }
    write(sql::kConsumerSeen, rows);
  }

 private:
  using LockedRows = std::unordered_map<std::int64_t, store::ConfirmedRow>;

  // In id order, whatever order the index found them in.
  LockedRows lock(const Rows& found) {
    std::vector<std::int64_t> ids;
    for (std::size_t at = 0; at < found.size(); ++at) ids.push_back(found.number(at, 1));
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    LockedRows locked;
    if (ids.empty()) return locked;
    const Rows rows =
        connection_.write(sql::kLock, Parameters().add(std::string_view(json_list(ids))));
    for (std::size_t at = 0; at < rows.size(); ++at) {
      const std::int64_t id = rows.number(at, 0);
      locked[id] = {id, rows.text(at, 1), static_cast<std::uint32_t>(rows.number(at, 2))};
    }
    return locked;
  }

  void write(std::string_view constant, const JsonRows& rows) {
    static_cast<void>(connection_.write(constant, Parameters().add(std::string_view(rows.text()))));
  }

  Connection& connection_;
};

class MariadbConfirmSession final : public ConfirmSession {
 public:
  explicit MariadbConfirmSession(const Options& options) : connection_(options) {
    verify(connection_, options, SchemaPart::producer);
  }

  Result<std::vector<ConfirmResult>> confirm(std::span<const Confirmation> items) override {
    return guarded([&] {
      return connection_.database().transaction([&] {
        MariadbConfirmTables tables(connection_);
        return store::confirm(tables, items);
      });
    });
  }

 private:
  Connection connection_;
};

}  // namespace

std::unique_ptr<ConfirmSession> make_confirm_session(const Options& options) {
  return std::make_unique<MariadbConfirmSession>(options);
}

}  // namespace waybill::mariadb
