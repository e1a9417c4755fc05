#include <algorithm>

#include "json_rows.hpp"
#include "row_writer.hpp"
#include "sessions.hpp"
#include "sql.hpp"
#include "waybill/stores/columns.hpp"
#include "waybill/stores/rules.hpp"

namespace waybill::mariadb {
namespace {

// Columns of a lane: the content, NULL in a row behind bytes_max; whether the row has none anyway.
constexpr std::size_t kContent = 5, kHasNone = 15;
constexpr std::uint64_t kDense = 2;  // at least every second id of a dense stretch is wanted

std::int64_t number(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

class MariadbRelaySession final : public RelaySession {
 public:
  explicit MariadbRelaySession(const Options& options) : connection_(options) {
    verify(connection_, options, SchemaPart::producer);
  }

  Result<std::vector<Route>> routes() override {
    return guarded([&] { return store::read_routes(connection_.read(sql::kRoutes)); });
  }

  Result<std::int64_t> routes_version() override {
    return guarded([&] { return connection_.read(sql::kRoutesVersion).number(0, 0); });
  }

  Result<std::vector<std::string>> types_present(Lane lane) override {
    return guarded([&] {
      std::vector<std::string> types;
      if (lane == Lane::fresh) add_types(MessageState::INIT, types);
      if (lane == Lane::overdue) add_types(MessageState::SENT, types);
      if (lane == Lane::due) {
        for (const MessageState state :
             {MessageState::RETRY, MessageState::PARKED, MessageState::DEAD}) {
          add_types(state, types);
        }
        std::sort(types.begin(), types.end());
        types.erase(std::unique(types.begin(), types.end()), types.end());
      }
      return types;
    });
  }

  Result<LanePage> read(const LaneRead& spec) override {
    return guarded([&] { return read_lane(spec); });
  }

  Result<std::vector<KeyBlock>> key_blocks(std::string_view message_type, bool confirmed,
                                           std::uint32_t rows_max) override {
    return guarded([&] {
      return store::read_key_blocks(connection_.read(
          sql::kKeyBlocks,
          Parameters().add(message_type).add(std::int64_t{confirmed}).add(std::int64_t{rows_max})));
    });
  }

  Result<SettledPage> settled(const LaneRead& spec) override {
    return guarded([&] {
      return store::settle(
          store::read_routes(connection_.read(sql::kRoutes)),
          connection_.read(sql::kAnyReceipt).size() > 0, spec, [&] { return read_waiting(spec); },
          [&](std::span<const std::int64_t> ids) {
            return store::read_receipts(connection_.read(
                sql::kReceipts, Parameters().add(std::string_view(json_list(ids)))));
          });
    });
  }

  Result<std::optional<std::vector<ConsumerProgress>>> consumer_progress() override {
    return guarded([&] {
      return std::optional(store::read_consumers(connection_.read(sql::kConsumerProgress)));
    });
  }

  Result<std::vector<Marked>> mark(std::span<const Mark> marks) override {
    return guarded([&] {
      store::check_facts(marks);
      return *apply(connection_, marks, nullptr);
    });
  }

  Result<std::optional<std::vector<Marked>>> judge(const Lease& lease,
                                                   std::span<const Mark> marks) override {
    return guarded([&] {
      store::check_arrows(marks);
      return apply(connection_, marks, &lease);
    });
  }

  Result<LeaseView> lease() override {
    return guarded([&] { return store::read_lease(connection_.read(sql::kLease)); });
  }

  Result<std::optional<Lease>> take(const LeaseView& seen, std::string_view holder) override {
    return guarded([&]() -> std::optional<Lease> {
      store::check_holder(holder);
      const Rows taken = connection_.write(sql::kTake, Parameters()
                                                           .add(holder)
                                                           .add(number(seen.fence))
                                                           .add(number(seen.counter))
                                                           .add(std::string_view(seen.holder)));
      if (taken.affected() != 1) return std::nullopt;
      return Lease{seen.fence + 1, 0, std::string(holder)};
    });
  }

  Result<std::optional<Lease>> renew(const Lease& lease) override {
    return guarded([&]() -> std::optional<Lease> {
      const Rows renewed = connection_.write(sql::kRenew, proof(lease));
      if (renewed.affected() != 1) return std::nullopt;
      return Lease{lease.fence, static_cast<std::uint64_t>(renewed.insert_id()), lease.holder};
    });
  }

  Status release(const Lease& lease) override {
    return guarded([&] { static_cast<void>(connection_.write(sql::kRelease, proof(lease))); });
  }

 private:
  std::vector<store::WaitingRow> read_waiting(const LaneRead& spec) {
    return store::read_waiting(
        connection_.read(spec.lane == Lane::overdue ? sql::kWaitingSent : sql::kWaitingRetry,
                         Parameters()
                             .add(spec.message_type)
                             .add(spec.after.id)
                             .add(spec.after.at)
                             .add(std::int64_t{spec.rows_max})));
  }

  // In the order of the column's collation, one look-up a type.
  void add_types(MessageState state, std::vector<std::string>& types) {
    std::string last;
    for (;;) {
      const Rows next =
          connection_.database().read(connection_.sql(sql::kNextType, state, Cause::acked, false),
                                      Parameters().add(std::string_view(last)));
      if (next.size() == 0) return;
      last = next.text(0, 0);
      types.push_back(last);
    }
  }

  LanePage read_lane(const LaneRead& spec) {
    LanePage page;
    page.now = connection_.read(sql::kNow).time(0, 0);
    if (spec.lane == Lane::fresh) {
      read_fresh(spec, page);
      return page;
    }
    Parameters parameters = bounds_of(spec, spec.after.id);
    parameters.add(spec.after.at);
    if (spec.lane == Lane::overdue) parameters.add(std::int64_t{spec.overdue_after.count()});
    const Rows rows = connection_.read(
        spec.lane == Lane::overdue ? sql::kReadOverdue : sql::kReadDue, parameters);
    page.exhausted = take(rows, page) && rows.size() < spec.rows_max;
    return page;
  }

  // Rows that lie close together, as fresh ones mostly do, are one range of the primary key.
  void read_fresh(const LaneRead& spec, LanePage& page) {
    const Rows ids = connection_.read(
        sql::kFreshIds,
        Parameters().add(spec.message_type).add(spec.after.id).add(std::int64_t{spec.rows_max}));
    page.exhausted = ids.size() < spec.rows_max;
    if (ids.size() == 0) return;
    const std::int64_t first = ids.number(0, 0);
    const std::int64_t last = ids.number(ids.size() - 1, 0);
    const auto stretch = static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first);
    const bool is_dense = stretch < kDense * ids.size();
    Parameters parameters = bounds_of(spec, is_dense ? first : spec.after.id);
    if (is_dense) parameters.add(last);
    const Rows rows =
        connection_.read(is_dense ? sql::kReadFreshRange : sql::kReadFresh, parameters);
    if (!take(rows, page) || rows.size() >= spec.rows_max) page.exhausted = false;
  }

  static Parameters bounds_of(const LaneRead& spec, std::int64_t id) {
    Parameters parameters;
    parameters.add(spec.message_type).add(id).add(std::int64_t{spec.rows_max});
    parameters.add(static_cast<std::int64_t>(spec.bytes_max));
    return parameters;
  }

  // False when bytes_max ended the page before its last row.
  static bool take(const Rows& rows, LanePage& page) {
    page.rows.reserve(rows.size());
    for (std::size_t at = 0; at < rows.size(); ++at) {
      if (rows.is_null(at, kContent) && rows.number(at, kHasNone) == 0) return false;
      page.rows.push_back(store::read_row(rows, at));
    }
    return true;
  }

  Connection connection_;
};

}  // namespace

std::unique_ptr<RelaySession> make_relay_session(const Options& options) {
  return std::make_unique<MariadbRelaySession>(options);
}

}  // namespace waybill::mariadb
