// Runs the benchmarks named on the command line (all without names) and writes their ratios as
// JSON.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <exception>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "bench.hpp"
#include "waybill/drivers/sqlite.hpp"

namespace waybill::bench {
namespace {

std::string to_json(const Measurement& m) {
  const auto text = [](const std::string& value) {
    return boost::json::serialize(boost::json::string(value));
  };
  return fmt::format(
      R"({{"name": {}, "ratio": {}, "value": {}, "unit": {}, "against": {}, "better": {}, )"
      R"("median": {}, "min": {}, "max": {}, "rounds": {}}})",
      text(m.name), figure(m.ratio), figure(m.value), text(m.unit), text(m.against), text(m.better),
      figure(m.median), figure(m.min), figure(m.max), m.rounds);
}

// latest.json: an array with one entry a line, in the order of the benchmarks.
class Results {
 public:
  // Keeps the entries of an earlier run when `keep`.
  Results(std::string path, bool keep) : path_(std::move(path)) {
    if (path_.empty() || !keep) return;
    std::ostringstream text;
    text << std::ifstream(path_).rdbuf();
    boost::system::error_code failed;
    const boost::json::value earlier = boost::json::parse(text.str(), failed);
    if (failed || !earlier.is_array()) return;
    for (const boost::json::value& entry : earlier.get_array()) put(of(entry));
  }

  void put(Measurement m) {
    const auto same = std::find_if(entries_.begin(), entries_.end(),
                                   [&](const Measurement& e) { return e.name == m.name; });
    if (same == entries_.end()) {
      entries_.push_back(std::move(m));
    } else {
      *same = std::move(m);
    }
  }

  void write() const {
    if (path_.empty()) return;
    std::ofstream file(path_);
    const char* separator = "[\n  ";
    for (const Measurement& m : entries_) {
      file << separator << to_json(m);
      separator = ",\n  ";
    }
    file << (entries_.empty() ? "[]\n" : "\n]\n");
    if (!file.flush()) throw std::runtime_error("cannot write " + path_);
  }

 private:
  static Measurement of(const boost::json::value& entry) {
    const auto text = [&](const char* key) {
      return boost::json::value_to<std::string>(entry.at(key));
    };
    const auto number = [&](const char* key) { return entry.at(key).to_number<double>(); };
    return {text("name"),     number("ratio"),
            number("value"),  text("unit"),
            text("against"),  text("better"),
            number("median"), number("min"),
            number("max"),    entry.at("rounds").to_number<int>()};
  }

  std::string path_;
  std::vector<Measurement> entries_;
};

// "sqlite.drain" means that entry, "sqlite" or "embedded.commit_to_points" all entries below it.
bool means(const std::string& wanted, const std::string& entry) {
  return entry == wanted || entry.starts_with(wanted + ".");
}

std::vector<Benchmark> all_benchmarks() {
  std::vector<Benchmark> all = sqlite_benchmarks();
  for (const auto& more :
       {relay_benchmarks(), scan_benchmarks(), postgres_benchmarks(), postgres_store_benchmarks(),
        mariadb_benchmarks(), mariadb_store_benchmarks(), inbox_benchmarks(), kafka_benchmarks(),
        rabbitmq_benchmarks(), end_to_end_benchmarks()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

// Says which names there are when one means nothing.
bool are_known(const std::vector<std::string>& wanted, const std::vector<Benchmark>& all) {
  for (const std::string& name : wanted) {
    const bool known = std::any_of(all.begin(), all.end(), [&](const Benchmark& benchmark) {
      return std::any_of(benchmark.entries.begin(), benchmark.entries.end(),
                         [&](const std::string& entry) { return means(name, entry); });
    });
    if (known) continue;
    fmt::print(stderr, "no benchmark '{}'; there are:\n", name);
    for (const Benchmark& benchmark : all) {
      for (const std::string& entry : benchmark.entries) fmt::print(stderr, "  {}\n", entry);
    }
    return false;
  }
  return true;
}

int main_of(int argc, char** argv) {
  std::string out;
  std::vector<std::string> wanted;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--out" && i + 1 < argc) {
      out = argv[++i];
    } else {
      wanted.emplace_back(argv[i]);
    }
  }
  const std::vector<Benchmark> all = all_benchmarks();
  if (!are_known(wanted, all)) return 2;
  const auto is_wanted = [&](const std::string& entry) {
    return wanted.empty() || std::any_of(wanted.begin(), wanted.end(),
                                         [&](const std::string& w) { return means(w, entry); });
  };

  Results results(out, !wanted.empty());
  int exit_code = 0;
  fmt::print("{:<36} {:>8} {:>10} {:<7} {}\n", "name", "ratio", "value", "unit", "against");
  for (const Benchmark& benchmark : all) {
    if (std::none_of(benchmark.entries.begin(), benchmark.entries.end(), is_wanted)) continue;
    fmt::print(stderr, "... {}\n", benchmark.entries.front());
    try {
      for (const Measurement& m : benchmark.run()) {
        if (!is_wanted(m.name)) continue;
        fmt::print("{:<36} {:>8.3f} {:>10} {:<7} {}\n", m.name, m.ratio, figure(m.value), m.unit,
                   m.against);
        results.put(m);
      }
    } catch (const std::exception& error) {
      fmt::print(stderr, "{}: {}\n", benchmark.entries.front(), error.what());
      exit_code = 1;
    }
    std::fflush(stdout);
    results.write();
  }
  return exit_code;
}

}  // namespace
}  // namespace waybill::bench

int main(int argc, char** argv) {
  waybill::sqlite::disable_memory_statistics();  // as the program does; both sides gain by it
  try {
    return waybill::bench::main_of(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "waybill_bench: {}\n", error.what());
    return 1;
  }
}
