#include "connection.hpp"

#include <filesystem>
#include <map>
#include <thread>

#include "waybill/stores/rules.hpp"

namespace waybill::sqlite {

std::unique_lock<std::mutex> WriteGate::enter() {
  std::unique_lock lock(mutex_);
  std::this_thread::sleep_until(last_ + gap_);
  return lock;
}

std::shared_ptr<WriteGate> write_gate(const std::string& path, Millis gap) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<WriteGate>> gates;
  std::error_code failed;
  const auto canonical = std::filesystem::weakly_canonical(path, failed);
  const std::lock_guard lock(mutex);
  std::erase_if(gates, [](const auto& gate) { return gate.second.expired(); });
  auto& known = gates[failed ? path : canonical.string()];
  auto gate = known.lock();
  if (!gate) known = gate = std::make_shared<WriteGate>(gap);
  return gate;
}

const Options& Connection::checked(const Options& options) {
  store::check_table_name(options.table);
  return options;
}

Connection::Connection(const Options& options, OpenMode mode)
    : database_(checked(options).path, mode, options.busy_timeout),
      gate_(write_gate(options.path, options.write_gap)),
      table_(options.table) {
  database_.after_commit([this] { leave_gate(); });
}

std::string Connection::fill_in(std::string_view sql) const {
  return store::fill_in(sql, table_, has_headers_);
}

void Connection::detect_headers() {
  static constexpr std::string_view kDetect =
      "SELECT COUNT(*) FROM pragma_table_info('{table}') WHERE name = 'headers'";
  Query columns = query(kDetect);
  has_headers_ = columns.step() && columns.number(0) == 1;
}

}  // namespace waybill::sqlite
