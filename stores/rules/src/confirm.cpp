#include <algorithm>
#include <deque>
#include <map>
#include <optional>

#include "waybill/stores/rules.hpp"

namespace waybill::store {
namespace {

// Whether a row is done: every required consumer has said so.
template <class HasDone>
bool all_done(const Route& route, const HasDone& has_done) {
  return std::all_of(route.consumers.begin(), route.consumers.end(), has_done);
}

// Judges the items one after the other on a copy of what the transaction has locked.
class Judge {
 public:
  Judge(std::vector<Route> routes, ConfirmTables& tables)
      : routes_(std::move(routes)), tables_(tables) {}

  std::vector<ConfirmResult> run(std::span<const Confirmation> items) {
    look_up(items);
    std::vector<ConfirmResult> results;
    results.reserve(items.size());
    for (std::size_t i = 0; i < items.size(); ++i) results.push_back(confirm_one(items[i], i));
    write(items, results);
    return results;
  }

 private:
  using ReceiptKey = std::pair<std::int64_t, std::string>;

  // Reads the rows of all items that may be confirmed by their consumer, and their receipts.
  void look_up(std::span<const Confirmation> items) {
    found_.resize(items.size());
    wanted_.resize(items.size());
    std::vector<MessageId> ids;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < items.size(); ++i) {
      auto id = MessageId::parse(items[i].message_id);
      const Route* route = id ? find_route(routes_, id->message_type) : nullptr;
      if (route == nullptr || std::find(route->consumers.begin(), route->consumers.end(),
                                        items[i].consumer) == route->consumers.end()) {
        continue;
      }
      wanted_[i] = route;
      ids.push_back(std::move(*id));
      places.push_back(i);
    }
    if (ids.empty()) return;
    auto rows = tables_.find(ids);
    std::vector<std::int64_t> shared;
    for (std::size_t k = 0; k < places.size(); ++k) {
      for (ConfirmedRow& row : rows[k]) {
        found_[places[k]].push_back(row.id);
        if (wanted_[places[k]]->consumers.size() > 1) shared.push_back(row.id);
        rows_.try_emplace(row.id, std::move(row));
      }
    }
    if (shared.empty()) return;
    for (StoredReceipt& receipt : tables_.receipts(shared)) {
      ReceiptKey key{receipt.id, receipt.consumer};
      receipts_.insert_or_assign(std::move(key), std::move(receipt));
    }
  }

  ConfirmResult confirm_one(const Confirmation& item, std::size_t place) {
    // A table without uniqueness may hold the message several times; the answer is that of its
    // first row.
    std::optional<ConfirmResult> first;
    for (const std::int64_t id : found_[place]) {
      const ConfirmResult result = confirm_row(item, *wanted_[place], rows_.at(id));
      if (!first) first = result;
    }
    return first.value_or(ConfirmResult::not_found);
  }

  ConfirmResult confirm_row(const Confirmation& item, const Route& route, ConfirmedRow& row) {
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

  ConfirmResult confirm_done(const Confirmation& item, const Route& route, ConfirmedRow& row,
                             MessageState state) {
    // With a single required consumer the state itself is the receipt.
    if (route.consumers.size() > 1) {
      record(item, row);
      if (!is_complete(route, row)) return ConfirmResult::done;
    }
    if (state == MessageState::SUCCESS) return ConfirmResult::done;
    change(row, state, Cause::confirmed, {}, Millis(0));
    return state == MessageState::CANCELLED ? ConfirmResult::done_though_cancelled
                                            : ConfirmResult::done;
  }

  ConfirmResult confirm_failed(const Confirmation& item, const Route& route, ConfirmedRow& row,
                               MessageState state) {
    if (item.epoch != row.epoch || state == MessageState::SUCCESS ||
        state == MessageState::CANCELLED) {
      return ConfirmResult::already;
    }
    if (route.consumers.size() > 1) {
      record(item, row);
      if (verdict_of(row, item.consumer) == "done") return ConfirmResult::already;
    }
    if (state != MessageState::DEAD) {
      change(row, state, Cause::consumer_failed,
             "consumer '" + item.consumer + "' failed: " + item.reason, Millis(0));
    }
    return ConfirmResult::done;
  }

  ConfirmResult confirm_later(const Confirmation& item, const Route& route, ConfirmedRow& row,
                              MessageState state) {
    if (item.epoch != row.epoch || !next_state(state, Cause::consumer_later)) {
      return ConfirmResult::already;
    }
    change(row, state, Cause::consumer_later, {}, route.confirm_deadline);
    return ConfirmResult::done;
  }

  // done is final, and the newest epoch wins: done once more after a replay says that the replayed
  // message is done too.
  void record(const Confirmation& item, const ConfirmedRow& row) {
    StoredReceipt receipt{row.id, item.consumer, std::string(to_string(item.verdict)), item.epoch,
                          std::string(cut_text(item.reason, kReasonBytesMax))};
    const ReceiptKey key{row.id, item.consumer};
    const auto known = receipts_.find(key);
    if (known != receipts_.end()) {
      const StoredReceipt& old = known->second;
      const bool final =
          old.verdict == "done" && (item.verdict != Verdict::done || old.epoch == item.epoch);
      if (final || old.epoch > item.epoch) return;
    }
    written_.insert_or_assign(key, receipt);
    receipts_.insert_or_assign(key, std::move(receipt));
  }

  std::string_view verdict_of(const ConfirmedRow& row, const std::string& consumer) const {
    const auto known = receipts_.find({row.id, consumer});
    return known == receipts_.end() ? std::string_view() : known->second.verdict;
  }

  bool is_complete(const Route& route, const ConfirmedRow& row) const {
    return all_done(
        route, [&](const std::string& consumer) { return verdict_of(row, consumer) == "done"; });
  }

  void change(ConfirmedRow& row, MessageState from, Cause cause, std::string reason,
              Millis due_in) {
    Mark mark;
    mark.id = row.id;
    mark.from = from;
    mark.cause = cause;
    mark.epoch = row.epoch;
    mark.due_in = due_in;
    mark.reason = reasons_.emplace_back(std::move(reason));
    marks_.push_back(mark);
    row.state = to_string(*next_state(from, cause));
  }

  void write(std::span<const Confirmation> items, std::span<const ConfirmResult> results) {
    std::vector<StoredReceipt> receipts;
    for (auto& [key, receipt] : written_) receipts.push_back(std::move(receipt));
    if (!receipts.empty()) tables_.write_receipts(receipts);
    if (!marks_.empty()) tables_.apply(marks_);
    std::map<std::pair<std::string, std::string>, const Confirmation*> newest;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (results[i] == ConfirmResult::not_found) continue;
      const auto id = MessageId::parse(items[i].message_id);
      const Confirmation*& seen = newest[{id->message_type, items[i].consumer}];
      if (seen == nullptr || seen->sent_at <= items[i].sent_at) seen = &items[i];
    }
    std::vector<ConsumerProgress> consumers;
    for (const auto& [key, item] : newest) {
      consumers.push_back({key.first, key.second, item->sent_at, item->retention});
    }
    if (!consumers.empty()) tables_.note_consumers(consumers);
  }

  const std::vector<Route> routes_;
  ConfirmTables& tables_;
  std::vector<const Route*> wanted_;  // per item; null: this consumer may not confirm it
  std::vector<std::vector<std::int64_t>> found_;  // per item
  std::map<std::int64_t, ConfirmedRow> rows_;
  std::map<ReceiptKey, StoredReceipt> receipts_;
  std::map<ReceiptKey, StoredReceipt> written_;
  std::deque<std::string> reasons_;  // what the marks point into
  std::vector<Mark> marks_;
};

}  // namespace

std::vector<ConfirmResult> confirm(ConfirmTables& tables, std::span<const Confirmation> items) {
  return Judge(tables.routes(), tables).run(items);
}

SettledPage settle(
    const std::vector<Route>& routes, bool has_receipts, const LaneRead& spec,
    const std::function<std::vector<WaitingRow>()>& read_waiting,
    const std::function<std::vector<StoredReceipt>(std::span<const std::int64_t>)>& read_receipts) {
  const Route* route = find_route(routes, spec.message_type);
  if (route == nullptr || (!has_receipts && !route->consumers.empty())) {
    return {{}, spec.after, true};
  }
  const std::vector<WaitingRow> waiting = read_waiting();
  std::vector<std::int64_t> ids;
  ids.reserve(waiting.size());
  for (const WaitingRow& row : waiting) ids.push_back(row.id);
  const std::vector<StoredReceipt> receipts = read_receipts(ids);
  std::map<std::pair<std::int64_t, std::string_view>, std::uint32_t> done;
  for (const StoredReceipt& receipt : receipts) {
    if (receipt.verdict == "done") done[{receipt.id, receipt.consumer}] = receipt.epoch;
  }
  SettledPage page;
  page.last = waiting.empty() ? spec.after : LaneCursor{waiting.back().at, waiting.back().id};
  page.exhausted = waiting.size() < spec.rows_max;
  const MessageState state = spec.lane == Lane::overdue ? MessageState::SENT : MessageState::RETRY;
  for (const WaitingRow& row : waiting) {
    // What was done before a replay does not make the replayed message done.
    const bool settled = route->consumers.empty()
                             ? row.accepted
                             : all_done(*route, [&](const std::string& consumer) {
                                 const auto known = done.find({row.id, consumer});
                                 return known != done.end() && known->second >= row.epoch;
                               });
    if (settled) page.rows.push_back({row.id, state, row.epoch});
  }
  return page;
}

}  // namespace waybill::store
