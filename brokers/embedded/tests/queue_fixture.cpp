#include "queue_fixture.hpp"

#include <sqlite3.h>

#include <filesystem>
#include <stdexcept>

#include "waybill/testing/must.hpp"

namespace waybill::testing {
namespace {

int keep_first(void* context, int, char** values, char**) {
  *static_cast<std::int64_t*>(context) = values[0] == nullptr ? 0 : std::stoll(values[0]);
  return 0;
}

}  // namespace

QueueFixture::QueueFixture() {
  options.path = folder_.file("queue.db");
  options.lease_ttl = Millis(200);
  options.busy_timeout = Millis(2000);
}

std::unique_ptr<Publisher> QueueFixture::open_publisher() {
  return must(embedded::open_publisher(options));
}

std::unique_ptr<Subscriber> QueueFixture::open_subscriber(const std::string& group,
                                                          const std::string& member) {
  return must(embedded::open_subscriber(options, {"orders", group, member}));
}

void QueueFixture::crash(std::unique_ptr<Subscriber> subscriber) {
  crashed_.push_back(std::move(subscriber));
}

void QueueFixture::execute(const std::string& sql) {
  static_cast<void>(number(sql));
}

std::int64_t QueueFixture::number(const std::string& sql) {
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open(options.path.c_str(), &raw);
  const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> db(raw, &sqlite3_close);
  sqlite3_busy_timeout(raw, 5000);
  std::int64_t first = 0;
  if (opened != SQLITE_OK ||
      sqlite3_exec(raw, sql.c_str(), keep_first, &first, nullptr) != SQLITE_OK) {
    throw std::runtime_error(std::string(sqlite3_errmsg(raw)) + ": " + sql);
  }
  return first;
}

HarmableQueue::HarmableQueue() {
  queue_.options.busy_timeout = Millis(100);
}

void HarmableQueue::stand_still() {
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open(queue_.options.path.c_str(), &raw);
  std::shared_ptr<sqlite3> holder(raw, &sqlite3_close);
  sqlite3_busy_timeout(raw, 5000);
  if (opened != SQLITE_OK ||
      sqlite3_exec(raw, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) != SQLITE_OK) {
    throw std::runtime_error(sqlite3_errmsg(raw));
  }
  holder_ = std::move(holder);
}

void HarmableQueue::come_back_empty() {
  for (const char* part : {"", "-wal", "-shm"}) std::filesystem::remove(queue_.options.path + part);
  holder_.reset();
}

void poll_for(Publisher& publisher, OutcomeBook& book, std::size_t count) {
  const Steady until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (book.count < count && std::chrono::steady_clock::now() < until) {
    publisher.poll(until, book);
  }
}

std::vector<Delivery> receive_once(Subscriber& subscriber, Millis wait, std::size_t at_most) {
  std::vector<Delivery> deliveries;
  must(subscriber.receive(std::chrono::steady_clock::now() + wait, at_most, deliveries));
  return deliveries;
}

}  // namespace waybill::testing
