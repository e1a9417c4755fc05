#include <algorithm>
#include <unordered_set>

#include "json_rows.hpp"
#include "sessions.hpp"
#include "sql.hpp"
#include "waybill/stores/columns.hpp"
#include "waybill/stores/rules.hpp"

namespace waybill::mariadb {
namespace {

class MariadbInboxSession final : public InboxSession {
 public:
  explicit MariadbInboxSession(const Options& options) : connection_(options) {
    verify(connection_, options, SchemaPart::consumer);
  }

  Result<std::vector<PendingConfirmation>> pending(std::string_view consumer, std::int64_t after,
                                                   std::uint32_t rows_max) override {
    return guarded([&] {
      return store::read_pending(connection_.read(
          sql::kPending, Parameters().add(consumer).add(after).add(std::int64_t{rows_max})));
    });
  }

  Status confirmed(std::string_view consumer,
                   std::span<const PendingConfirmation> answered) override {
    if (answered.empty()) return {};
    return guarded([&] {
      JsonRows rows;
      for (const PendingConfirmation& row : answered) {
        rows.row().add(row.position).add(std::int64_t{row.epoch}).add(to_string(row.verdict));
        rows.add(row.sent_at);
      }
      static_cast<void>(connection_.write(
          sql::kConfirmed, Parameters().add(consumer).add(std::string_view(rows.text()))));
    });
  }

  Status reopen(std::string_view consumer, std::string_view message_id, std::uint32_t epoch,
                DatabaseTime sent_at) override {
    return guarded([&] {
      static_cast<void>(connection_.write(
          sql::kReopen,
          Parameters().add(consumer).add(message_id).add(std::int64_t{epoch}).add(sent_at)));
    });
  }

  Status park(std::string_view consumer, const ParkedMessage& message,
              DatabaseTime sent_at) override {
    return guarded([&] {
      const std::string_view reason = store::cut_text(message.reason, store::kReasonBytesMax);
      const std::string_view id = message.message_id;
      connection_.database().transaction([&] {
        const Rows recorded =
            connection_.write(sql::kParkInbox, Parameters()
                                                   .add(consumer)
                                                   .add(id)
                                                   .add(std::int64_t{message.epoch})
                                                   .add(reason)
                                                   .add(sent_at));
        if (recorded.view(0, 0) == "done") return;  // it was done before: nothing to set aside
        Parameters parameters;
        parameters.add(consumer).add(id).add(std::string_view(message.message_type));
        parameters.add_bytes(message.body).add(reason);
        parameters.add(std::int64_t{message.epoch}).add(std::int64_t{message.attempts});
        parameters.add(std::string_view(message.key));
        parameters.add(std::string_view(message.traceparent));
        static_cast<void>(connection_.write(sql::kPark, parameters));
      });
    });
  }

  Result<std::uint32_t> begin_attempt(std::string_view consumer,
                                      std::string_view message_id) override {
    return guarded([&] {
      const Rows began =
          connection_.write(sql::kBeginAttempt, Parameters().add(consumer).add(message_id));
      return static_cast<std::uint32_t>(began.number(0, 0));
    });
  }

  Result<std::vector<bool>> note_attempts(std::string_view consumer,
                                          std::span<const std::string_view> message_ids) override {
    return guarded([&] {
      const std::string ids = json_list(sorted(message_ids));
      const Parameters parameters = Parameters().add(consumer).add(std::string_view(ids));
      const Rows noted = connection_.database().transaction([&] {
        Rows before = connection_.read(sql::kNoted, parameters);
        static_cast<void>(connection_.write(sql::kNoteAttempts, parameters));
        return before;
      });
      std::unordered_set<std::string_view> noted_before;
      for (std::size_t at = 0; at < noted.size(); ++at) noted_before.insert(noted.view(at, 0));
      std::vector<bool> known;
      for (const std::string_view id : message_ids) known.push_back(noted_before.contains(id));
      return known;
    });
  }

  Status end_attempts(std::string_view consumer,
                      std::span<const std::string_view> message_ids) override {
    return guarded([&] {
      const std::string ids = json_list(sorted(message_ids));
      static_cast<void>(connection_.write(sql::kEndAttempts,
                                          Parameters().add(consumer).add(std::string_view(ids))));
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
      return connection_.database().transaction([&]() -> std::optional<ParkedMessage> {
        std::vector<ParkedMessage> found = read_parked(consumer, message_id, 1);
        if (found.empty()) return std::nullopt;
        Parameters parameters;
        parameters.add(operator_name).add(consumer).add(message_id);
        parameters.add(store::cut_text(reason, store::kReasonBytesMax));
        static_cast<void>(connection_.write(sql::kAuditInbox, parameters));
        return std::move(found.front());
      });
    });
  }

 private:
  // In one order for every batch, so that two cannot lock each other out.
  static std::vector<std::string_view> sorted(std::span<const std::string_view> ids) {
    std::vector<std::string_view> all(ids.begin(), ids.end());
    std::sort(all.begin(), all.end());
    return all;
  }

  // An empty name does not restrict.
  std::vector<ParkedMessage> read_parked(std::string_view consumer, std::string_view message_id,
                                         std::uint32_t rows_max) {
    return store::read_parked(connection_.read(
        sql::kParked,
        Parameters().add_optional(consumer).add_optional(message_id).add(std::int64_t{rows_max})));
  }

  Connection connection_;
};

}  // namespace

std::unique_ptr<InboxSession> make_inbox_session(const Options& options) {
  return std::make_unique<MariadbInboxSession>(options);
}

}  // namespace waybill::mariadb
