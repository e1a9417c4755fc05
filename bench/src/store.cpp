#include "store.hpp"

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "servers.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::bench {
namespace {

constexpr int kBatch = 1000;
constexpr int kBatches = 8;  // of one session in a round
constexpr int kMarkRounds = 9;
constexpr int kSingles = 200;  // rows that are marked row by row in a round
constexpr int kScans = 50;
constexpr int kScanRounds = 15;
constexpr int kInserts = 1000;  // a round
constexpr int kCleanRounds = 9;

std::unique_ptr<RelaySession> open_session(StoreBench& bench) {
  return testing::must(bench.open()->open_relay());
}

void mark_by_port(RelaySession& session, std::int64_t first, int rows, int batch) {
  std::vector<Mark> marks(static_cast<std::size_t>(batch));
  for (std::int64_t id = first; id < first + rows; id += batch) {
    for (int i = 0; i < batch; ++i) {
      Mark& mark = marks[static_cast<std::size_t>(i)];
      mark.id = id + i;
      mark.from = MessageState::INIT;
      mark.cause = Cause::acked;
    }
    for (const Marked result : testing::must(session.mark(marks))) {
      if (result != Marked::done) throw std::runtime_error("a row was not marked");
    }
  }
}

// `sessions` at once, each over rows of its own, which no round marked before.
std::vector<Measurement> marks(const std::string& name, const std::string& server,
                               StoreBench& bench, std::size_t sessions, int rows_of_each,
                               int batch) {
  std::vector<std::unique_ptr<RelaySession>> ports;
  std::vector<BareMark> bare;
  for (std::size_t i = 0; i < sessions; ++i) {
    ports.push_back(open_session(bench));
    bare.push_back(bench.bare_mark());
  }
  std::int64_t next = 1;
  const auto round = [&](const std::function<void(std::size_t, std::int64_t)>& mark) {
    const int total = rows_of_each * static_cast<int>(sessions);
    const std::int64_t first = next;
    bench.add(first, total);
    next += total;
    return cost_of(total, server_process(server), [&] {
      in_parallel(sessions, [&](std::size_t session) {
        mark(session, first + static_cast<std::int64_t>(session) * rows_of_each);
      });
    });
  };
  return compare_costs(
      name, "rows/s", "the bare SQL by the C client", kMarkRounds,
      [&] {
        return round([&](std::size_t session, std::int64_t first) {
          mark_by_port(*ports[session], first, rows_of_each, batch);
        });
      },
      [&] {
        return round([&](std::size_t session, std::int64_t first) {
          bare[session](first, rows_of_each, batch);
        });
      });
}

// Microseconds of a scan: every lane is listed and read once.
double scan(RelaySession& session, int scans) {
  const auto started = std::chrono::steady_clock::now();
  for (int i = 0; i < scans; ++i) {
    std::size_t found = 0;
    for (const Lane lane : {Lane::fresh, Lane::overdue, Lane::due}) {
      LaneRead read;
      read.lane = lane;
      read.message_type = "order.placed";
      read.overdue_after = std::chrono::hours(1);
      const auto types = session.types_present(lane);
      const auto page = session.read(read);
      if (!types || !page) throw std::runtime_error("the scan failed");
      found += page->rows.size();
    }
    if (found != 100) throw std::runtime_error("the scan found " + std::to_string(found) + " rows");
  }
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - started;
  return took.count() / scans;
}

std::vector<Measurement> growth(const std::string& name, const OpenStoreBench& open) {
  const std::int64_t kept = kept_rows();
  const auto large_bench = open();
  const auto small_bench = open();
  large_bench->fill({kept * 4 / 5, kept / 8, kept * 3 / 40});
  small_bench->fill({9'000, 700, 200});
  const auto large = open_session(*large_bench);
  const auto small = open_session(*small_bench);
  return {compare_scans(name, "limit 1.05, " + std::to_string(kept) + " kept rows against 10 000",
                        kScans, kScanRounds, *large, *small)};
}

// Goes through a table whose rows are all final, at the pace of `waybill clean`.
class Cleaner {
 public:
  explicit Cleaner(StoreBench& bench) {
    auto session = bench.open()->open_console();
    if (!session) throw std::runtime_error(session.error().to_string());
    session_ = std::move(*session);
    spec_.older_than = Millis(0);
  }

  // Until `stopped`; answers how many rows it deleted.
  std::int64_t run(const std::atomic<bool>& stopped) {
    std::int64_t deleted = 0;
    while (!stopped) {
      const auto started = std::chrono::steady_clock::now();
      const auto page = session_->clean(spec_);
      if (!page) throw std::runtime_error(page.error().to_string());
      if (page->exhausted) throw std::runtime_error("no rows are left to clean: keep more");
      spec_.after_id = page->last_id;
      deleted += page->deleted;
      std::this_thread::sleep_for(std::chrono::steady_clock::now() - started);
    }
    return deleted;
  }

 private:
  std::unique_ptr<ConsoleSession> session_;
  CleanSpec spec_;
};

// p99 of a user's INSERT, in ms, beside a clean-up and without; and how fast that is.
std::vector<Measurement> clean_up(const std::string& name, const OpenStoreBench& open) {
  const auto bench = open();
  const std::int64_t kept = kept_rows();
  bench->fill({kept, 0, 0});
  Cleaner cleaner(*bench);
  std::int64_t next = kept + 1000;
  const auto insert = [&] {
    std::vector<double> took;
    for (int i = 0; i < kInserts; ++i) {
      const auto started = std::chrono::steady_clock::now();
      bench->add(++next, 1);
      const std::chrono::duration<double, std::milli> one =
          std::chrono::steady_clock::now() - started;
      took.push_back(one.count());
    }
    return percentile(std::move(took), 0.99);
  };
  std::vector<double> rates;
  const auto beside = [&] {
    std::atomic<bool> stopped = false;
    double p99 = 0;
    in_parallel(2, [&](std::size_t thread) {
      const auto started = std::chrono::steady_clock::now();
      if (thread == 0) {
        p99 = insert();
        stopped = true;
        return;
      }
      const auto deleted = static_cast<double>(cleaner.run(stopped));
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
      rates.push_back(deleted / took.count());
    });
    return p99;
  };
  const std::string of = std::to_string(kept) + " final rows";
  Measurement wait =
      compare(name + ".clean_wait", "ms", "an INSERT, p99, without a clean-up of " + of,
              kCleanRounds, beside, insert, "lower");
  return {std::move(wait), reach(name + ".clean", "rows/s", "", 1000, std::move(rates))};
}

}  // namespace

Measurement compare_scans(const std::string& name, const std::string& limit, int scans, int rounds,
                          RelaySession& large, RelaySession& small) {
  // The first of each warms the caches.
  static_cast<void>(scan(large, scans));
  static_cast<void>(scan(small, scans));
  return compare(
      name, "us", limit, rounds, [&] { return scan(large, scans); },
      [&] { return scan(small, scans); }, "lower");
}

std::vector<Benchmark> store_benchmarks(const std::string& name, const OpenStoreBench& open) {
  const auto mark = [&](const std::string& what, std::size_t sessions, int rows, int batch) {
    const std::string entry = name + ".mark." + what;
    return Benchmark{{entry, entry + ".cpu"},
                     [=] { return marks(entry, name, *open(), sessions, rows, batch); }};
  };
  const std::string scan_growth = name + ".scan_growth";
  return {mark("1", 1, kBatches * kBatch, kBatch),
          mark("2", 2, kBatches * kBatch, kBatch),
          mark("row_by_row", 1, kSingles, 1),
          {{scan_growth}, [=] { return growth(scan_growth, open); }},
          {{name + ".clean_wait", name + ".clean"}, [=] { return clean_up(name, open); }}};
}

}  // namespace waybill::bench
