#include "waybill/drivers/sqlite_busy_handler.hpp"

#include <chrono>
#include <memory>
#include <random>
#include <thread>

namespace waybill::sqlite {
namespace {

constexpr const char* kClientDataKey = "waybill_busy_handler";

struct Waiting {
  Millis timeout;
  Steady since{};
};

int wait_a_little(void* context, int times) {
  auto& waiting = *static_cast<Waiting*>(context);
  const Steady now = std::chrono::steady_clock::now();
  if (times == 0) waiting.since = now;
  if (now - waiting.since >= waiting.timeout) return 0;
  thread_local std::minstd_rand random{std::random_device{}()};
  std::uniform_int_distribution<int> micros(200, 3000);
  std::this_thread::sleep_for(std::chrono::microseconds(micros(random)));
  return 1;
}

void forget(void* context) {
  delete static_cast<Waiting*>(context);
}

}  // namespace

void install_busy_handler(sqlite3* db, Millis timeout) {
  // A function of the connection owns the state, and so frees it together with the connection.
  auto waiting = std::make_unique<Waiting>(Waiting{timeout, {}});
  Waiting* context = waiting.get();
  const auto never_called = [](sqlite3_context* call, int, sqlite3_value**) {
    sqlite3_result_null(call);
  };
  sqlite3_busy_handler(db, nullptr, nullptr);
  // On failure SQLite calls the destructor itself.
  if (sqlite3_create_function_v2(db, kClientDataKey, 0, SQLITE_UTF8, waiting.release(),
                                 never_called, nullptr, nullptr, forget) == SQLITE_OK) {
    sqlite3_busy_handler(db, wait_a_little, context);
  }
}

}  // namespace waybill::sqlite
