#include <span>

#include "row_writer.hpp"
#include "sessions.hpp"
#include "sql.hpp"
#include "waybill/stores/columns.hpp"
#include "waybill/stores/rules.hpp"

namespace waybill::postgres {
namespace {

std::int64_t number(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

class PostgresRelaySession final : public RelaySession {
 public:
  explicit PostgresRelaySession(const Options& options) : connection_(options, Planner::by_index) {
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
      return store::read_texts(connection_.read(lane == Lane::fresh     ? sql::kTypesFresh
                                                : lane == Lane::overdue ? sql::kTypesOverdue
                                                                        : sql::kTypesDue));
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
          std::move(Parameters().add(message_type).add(confirmed).add(std::int64_t{rows_max}))));
    });
  }

  Result<SettledPage> settled(const LaneRead& spec) override {
    return guarded([&] {
      return store::settle(
          store::read_routes(connection_.read(sql::kRoutes)),
          connection_.read(sql::kAnyReceipt).size() > 0, spec, [&] { return read_waiting(spec); },
          [&](std::span<const std::int64_t> ids) {
            return store::read_receipts(
                connection_.read(sql::kReceipts, std::move(Parameters().add(ids))));
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
      const Rows taken =
          connection_.write(sql::kTake, std::move(Parameters()
                                                      .add(holder)
                                                      .add(number(seen.fence))
                                                      .add(number(seen.counter))
                                                      .add(std::string_view(seen.holder))));
      if (taken.affected() != 1) return std::nullopt;
      return Lease{seen.fence + 1, 0, std::string(holder)};
    });
  }

  Result<std::optional<Lease>> renew(const Lease& lease) override {
    return guarded([&]() -> std::optional<Lease> {
      const Rows renewed = connection_.write(sql::kRenew, proof(lease));
      if (renewed.size() == 0) return std::nullopt;
      return Lease{lease.fence, static_cast<std::uint64_t>(renewed.number(0, 0)), lease.holder};
    });
  }

  Status release(const Lease& lease) override {
    return guarded([&] { static_cast<void>(connection_.write(sql::kRelease, proof(lease))); });
  }

 private:
  std::vector<store::WaitingRow> read_waiting(const LaneRead& spec) {
    return store::read_waiting(
        connection_.read(spec.lane == Lane::overdue ? sql::kWaitingSent : sql::kWaitingRetry,
                         std::move(Parameters()
                                       .add(spec.message_type)
                                       .add(spec.after.id)
                                       .add(spec.after.at)
                                       .add(std::int64_t{spec.rows_max}))));
  }

  LanePage read_lane(const LaneRead& spec) {
    Parameters parameters;
    parameters.add(spec.message_type).add(spec.after.id).add(std::int64_t{spec.rows_max});
    parameters.add(static_cast<std::int64_t>(spec.bytes_max));
    if (spec.lane != Lane::fresh) parameters.add(spec.after.at);
    if (spec.lane == Lane::overdue) parameters.add(std::int64_t{spec.overdue_after.count()});
    const std::vector<Call> calls = {
        connection_.call(sql::kNow),
        connection_.call(spec.lane == Lane::fresh     ? sql::kReadFresh
                         : spec.lane == Lane::overdue ? sql::kReadOverdue
                                                      : sql::kReadDue,
                         std::move(parameters))};
    const std::vector<Rows> answers = connection_.database().read(calls);
    const Rows& rows = answers[1];
    LanePage page;
    page.now = answers[0].time(0, 0);
    page.rows.reserve(rows.size());
    std::size_t bytes = 0;
    for (std::size_t at = 0; at < rows.size(); ++at) {
      bytes += rows.view(at, 5).size();
      page.rows.push_back(store::read_row(rows, at));
    }
    page.exhausted = rows.size() < spec.rows_max && bytes < spec.bytes_max;
    return page;
  }

  Connection connection_;
};

}  // namespace

std::unique_ptr<RelaySession> make_relay_session(const Options& options) {
  return std::make_unique<PostgresRelaySession>(options);
}

}  // namespace waybill::postgres
