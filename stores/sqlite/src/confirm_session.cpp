#include <algorithm>
#include <map>
#include <set>

#include "row_writer.hpp"
#include "rows.hpp"
#include "sessions.hpp"
#include "sql.hpp"
#include "waybill/message_id.hpp"

namespace waybill::sqlite {
namespace {

struct Found {
  std::int64_t id = 0;
  std::string state;
  std::uint32_t epoch = 0;
};

class SqliteConfirmSession final : public ConfirmSession {
 public:
  explicit SqliteConfirmSession(const Options& options) : connection_(options, OpenMode::existing) {
    verify(connection_, options, SchemaPart::producer);
  }

  Result<std::vector<ConfirmResult>> confirm(std::span<const Confirmation> items) override {
    return guarded([&] {
      return connection_.write([&] {
        const std::vector<Route> routes = read_routes(connection_);
        std::vector<ConfirmResult> results;
        std::map<std::pair<std::string, std::string>, const Confirmation*> newest;
        for (const Confirmation& item : items) {
          const auto id = MessageId::parse(item.message_id);
          const Route* route = id ? find_route(routes, id->message_type) : nullptr;
          results.push_back(route != nullptr ? confirm_one(item, *id, *route)
                                             : ConfirmResult::not_found);
          if (results.back() == ConfirmResult::not_found) continue;
          const Confirmation*& seen = newest[{id->message_type, item.consumer}];
          if (seen == nullptr || seen->sent_at <= item.sent_at) seen = &item;
        }
        for (const auto& [key, item] : newest) note_consumer(key.first, *item);
        return results;
      });
    });
  }

 private:
  std::vector<Found> find(const MessageId& id) {
    std::vector<Found> rows;
    Query query = connection_.query(sql::kFind);
    query.bind(id.biz_type).bind(id.message_type).bind(id.identifier);
    while (query.step()) {
      rows.push_back({query.number(0), query.text(1), static_cast<std::uint32_t>(query.number(2))});
    }
    return rows;
  }

  ConfirmResult confirm_one(const Confirmation& item, const MessageId& id, const Route& route) {
    const bool required = std::find(route.consumers.begin(), route.consumers.end(),
                                    item.consumer) != route.consumers.end();
    const std::vector<Found> rows = required ? find(id) : std::vector<Found>{};
    if (rows.empty()) return ConfirmResult::not_found;
    // A table without uniqueness may hold the message several times; the answer is that of its
    // first row.
    ConfirmResult first = ConfirmResult::done;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const ConfirmResult result = confirm_row(item, route, rows[i]);
      if (i == 0) first = result;
    }
    return first;
  }

  ConfirmResult confirm_row(const Confirmation& item, const Route& route, const Found& row) {
    const auto state = parse_message_state(row.state);
    if (!state) return ConfirmResult::already;  // outside the closed set: left alone
    switch (item.verdict) {
      case Verdict::done:
        return confirm_done(item, route, row, *state);
      case Verdict::failed:
        return confirm_failed(item, route, row, *state);
      case Verdict::later:
        return confirm_later(item, route, row, *state);
    }
    return ConfirmResult::already;
  }

  ConfirmResult confirm_done(const Confirmation& item, const Route& route, const Found& row,
                             MessageState state) {
    // With a single required consumer the state itself is the receipt.
    if (route.consumers.size() > 1) {
      write_receipt(item, row);
      if (!is_complete(route, row)) return ConfirmResult::done;
    }
    if (state != MessageState::SUCCESS) change(row, state, Cause::confirmed, {}, {});
    return ConfirmResult::done;
  }

  ConfirmResult confirm_failed(const Confirmation& item, const Route& route, const Found& row,
                               MessageState state) {
    if (item.epoch != row.epoch || state == MessageState::SUCCESS ||
        state == MessageState::CANCELLED) {
      return ConfirmResult::already;
    }
    if (route.consumers.size() > 1) {
      write_receipt(item, row);
      if (verdicts(row)[item.consumer] == "done") return ConfirmResult::already;
    }
    if (state != MessageState::DEAD) {
      change(row, state, Cause::consumer_failed,
             "consumer '" + item.consumer + "' failed: " + item.reason, {});
    }
    return ConfirmResult::done;
  }

  ConfirmResult confirm_later(const Confirmation& item, const Route& route, const Found& row,
                              MessageState state) {
    if (item.epoch != row.epoch || !next_state(state, Cause::consumer_later))
      return ConfirmResult::already;
    change(row, state, Cause::consumer_later, {}, route.confirm_deadline);
    return ConfirmResult::done;
  }

  void change(const Found& row, MessageState from, Cause cause, std::string_view reason,
              Millis due_in) {
    Mark mark;
    mark.id = row.id;
    mark.from = from;
    mark.cause = cause;
    mark.epoch = row.epoch;
    mark.reason = reason;
    mark.due_in = due_in;
    if (apply(connection_, mark, nullptr) != Marked::done) {
      throw Failure{{Remedy::retry,
                     "row " + std::to_string(row.id) + " changed inside a write transaction",
                     {}}};
    }
  }

  void write_receipt(const Confirmation& item, const Found& row) {
    Query query = connection_.query(sql::kReceipt);
    query.bind(row.id)
        .bind(item.consumer)
        .bind(to_string(item.verdict))
        .bind(std::int64_t{item.epoch});
    query.bind(cut_text(item.reason, kReasonBytesMax)).run();
  }

  std::map<std::string, std::string> verdicts(const Found& row) {
    std::map<std::string, std::string> verdicts;
    Query query = connection_.query(sql::kReceipts);
    query.bind(row.id);
    while (query.step()) verdicts.emplace(query.text(0), query.text(1));
    return verdicts;
  }

  bool is_complete(const Route& route, const Found& row) {
    const auto known = verdicts(row);
    return std::all_of(route.consumers.begin(), route.consumers.end(),
                       [&](const std::string& consumer) {
                         const auto verdict = known.find(consumer);
                         return verdict != known.end() && verdict->second == "done";
                       });
  }

  void note_consumer(const std::string& message_type, const Confirmation& item) {
    const std::string sent_at = format_time(item.sent_at);
    connection_.query(sql::kConsumerSeen)
        .bind(message_type)
        .bind(item.consumer)
        .bind(sent_at)
        .bind(static_cast<std::int64_t>(item.retention.count()))
        .run();
  }

  Connection connection_;
};

}  // namespace

std::unique_ptr<ConfirmSession> make_confirm_session(const Options& options) {
  return std::make_unique<SqliteConfirmSession>(options);
}

}  // namespace waybill::sqlite
