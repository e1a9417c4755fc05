#include <span>

#include "row_writer.hpp"
#include "rows.hpp"
#include "sessions.hpp"
#include "sql.hpp"
#include "waybill/stores/rules.hpp"

namespace waybill::sqlite {
namespace {

class SqliteRelaySession final : public RelaySession {
 public:
  explicit SqliteRelaySession(const Options& options) : connection_(options, OpenMode::existing) {
    verify(connection_, options, SchemaPart::producer);
  }

  Result<std::vector<Route>> routes() override {
    return guarded([&] { return read_routes(connection_); });
  }

  Result<std::int64_t> routes_version() override {
    return guarded([&] {
      Query query = connection_.query(sql::kRoutesVersion);
      query.step();
      return query.number(0);
    });
  }

  Result<std::vector<std::string>> types_present(Lane lane) override {
    return guarded([&] {
      std::vector<std::string> types;
      Query query = connection_.query(lane == Lane::fresh     ? sql::kTypesFresh
                                      : lane == Lane::overdue ? sql::kTypesOverdue
                                                              : sql::kTypesDue);
      while (query.step()) types.push_back(query.text(0));
      return types;
    });
  }

  Result<LanePage> read(const LaneRead& spec) override {
    return guarded([&] { return read_lane(spec); });
  }

  Result<std::vector<KeyBlock>> key_blocks(std::string_view message_type, bool confirmed,
                                           std::uint32_t rows_max) override {
    return guarded([&] {
      std::vector<KeyBlock> blocks;
      Query query = connection_.query(sql::kKeyBlocks);
      query.bind(message_type).bind(std::int64_t{confirmed}).bind(std::int64_t{rows_max});
      while (query.step()) {
        const auto state = parse_message_state(query.text(2));
        if (!state) continue;
        blocks.push_back({query.number(0), query.text(1), *state,
                          static_cast<std::uint32_t>(query.number(3)), query.number(4) != 0});
      }
      return blocks;
    });
  }

  Result<SettledPage> settled(const LaneRead& spec) override {
    return guarded([&] {
      const bool has_receipts = connection_.query(sql::kAnyReceipt).step();
      return store::settle(
          read_routes(connection_), has_receipts, spec, [&] { return read_waiting(spec); },
          [&](std::span<const std::int64_t> ids) { return read_receipts(connection_, ids); });
    });
  }

  Result<std::optional<std::vector<ConsumerProgress>>> consumer_progress() override {
    return guarded([&] {
      std::vector<ConsumerProgress> consumers;
      Query query = connection_.query(sql::kConsumerProgress);
      while (query.step()) {
        consumers.push_back({query.text(0), query.text(1), parse_time(query.text(2)),
                             std::chrono::seconds(query.number(3))});
      }
      return std::optional(std::move(consumers));
    });
  }

  Result<std::vector<Marked>> mark(std::span<const Mark> marks) override {
    return guarded([&] {
      store::check_facts(marks);
      if (marks.empty()) return std::vector<Marked>{};
      return connection_.write([&] { return apply(connection_, marks, nullptr); });
    });
  }

  Result<std::optional<std::vector<Marked>>> judge(const Lease& lease,
                                                   std::span<const Mark> marks) override {
    return guarded([&]() -> std::optional<std::vector<Marked>> {
      store::check_arrows(marks);
      return connection_.write([&]() -> std::optional<std::vector<Marked>> {
        if (!is_held(connection_, lease)) return std::nullopt;
        return apply(connection_, marks, &lease);
      });
    });
  }

  Result<LeaseView> lease() override {
    return guarded([&] { return read_lease(connection_); });
  }

  Result<std::optional<Lease>> take(const LeaseView& seen, std::string_view holder) override {
    return guarded([&] {
      store::check_holder(holder);
      return connection_.write([&]() -> std::optional<Lease> {
        Query query = connection_.query(sql::kTake);
        query.bind(holder).bind(static_cast<std::int64_t>(seen.fence));
        query.bind(static_cast<std::int64_t>(seen.counter)).bind(seen.holder);
        if (query.run() != 1) return std::nullopt;
        return Lease{seen.fence + 1, 0, std::string(holder)};
      });
    });
  }

  Result<std::optional<Lease>> renew(const Lease& lease) override {
    return guarded([&] {
      return connection_.write([&]() -> std::optional<Lease> {
        Query query = connection_.query(sql::kRenew);
        query.bind(static_cast<std::int64_t>(lease.fence)).bind(lease.holder);
        if (!query.step()) return std::nullopt;
        return Lease{lease.fence, static_cast<std::uint64_t>(query.number(0)), lease.holder};
      });
    });
  }

  Status release(const Lease& lease) override {
    return guarded([&] {
      connection_.write([&] {
        Query query = connection_.query(sql::kRelease);
        query.bind(static_cast<std::int64_t>(lease.fence)).bind(lease.holder).run();
      });
    });
  }

 private:
  std::vector<store::WaitingRow> read_waiting(const LaneRead& spec) {
    const std::string after = format_time(spec.after.at);
    Query query =
        connection_.query(spec.lane == Lane::overdue ? sql::kWaitingSent : sql::kWaitingRetry);
    query.bind(spec.message_type).bind(spec.after.id).bind(after).bind(std::int64_t{spec.rows_max});
    std::vector<store::WaitingRow> waiting;
    while (query.step()) {
      waiting.push_back({query.number(0), parse_time(query.text(1)),
                         static_cast<std::uint32_t>(query.number(2)), query.number(3) != 0});
    }
    return waiting;
  }

  LanePage read_lane(const LaneRead& spec) {
    LanePage page;
    {
      Query now = connection_.query(sql::kNow);
      now.step();
      page.now = parse_time(now.text(0));
    }
    const std::string after = format_time(spec.after.at);
    const std::string deadline = modifier(-spec.overdue_after);
    Query query = connection_.query(spec.lane == Lane::fresh     ? sql::kReadFresh
                                    : spec.lane == Lane::overdue ? sql::kReadOverdue
                                                                 : sql::kReadDue);
    query.bind(spec.message_type).bind(spec.after.id).bind(std::int64_t{spec.rows_max});
    if (spec.lane != Lane::fresh) query.bind(after);
    if (spec.lane == Lane::overdue) query.bind(deadline);
    std::size_t bytes = 0;
    while (query.step()) {
      page.rows.push_back(read_row(query));
      bytes += page.rows.back().content.size();
      if (bytes >= spec.bytes_max) return page;
    }
    page.exhausted = page.rows.size() < spec.rows_max;
    return page;
  }

  Connection connection_;
};

}  // namespace

std::unique_ptr<RelaySession> make_relay_session(const Options& options) {
  return std::make_unique<SqliteRelaySession>(options);
}

}  // namespace waybill::sqlite
