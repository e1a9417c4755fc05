#include "connection.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <thread>

namespace waybill::sqlite {
namespace {

constexpr std::size_t kTableCharsMax = 48;

void check_table_name(const std::string& table) {
  const bool usable = !table.empty() && table.size() <= kTableCharsMax &&
                      (table[0] < '0' || table[0] > '9') &&
                      std::all_of(table.begin(), table.end(), [](char c) {
                        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
                      });
  if (usable) return;
  throw Failure{{Remedy::fix_call, "table name '" + table + "' cannot be used",
                 "1 to 48 of a-z 0-9 _, no digit first"}};
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

}  // namespace

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
  check_table_name(options.table);
  return options;
}

Connection::Connection(const Options& options, OpenMode mode)
    : database_(checked(options).path, mode, options.busy_timeout),
      gate_(write_gate(options.path, options.write_gap)),
      table_(options.table) {}

std::string Connection::fill_in(std::string_view sql) const {
  std::string text(sql);
  replace_all(text, "{table}", table_);
  replace_all(text, "{headers}", has_headers_ ? "m.headers" : "NULL");
  return text;
}

void Connection::detect_headers() {
  static constexpr std::string_view kDetect =
      "SELECT COUNT(*) FROM pragma_table_info('{table}') WHERE name = 'headers'";
  Query columns = query(kDetect);
  has_headers_ = columns.step() && columns.number(0) == 1;
}

}  // namespace waybill::sqlite
