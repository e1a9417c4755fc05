#include "queue_fixture.hpp"

#include <sqlite3.h>
#include <stdlib.h>

#include <filesystem>
#include <stdexcept>

namespace waybill::testing {
namespace {

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().to_string());
  return std::move(*result);
}

void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().to_string());
}

int keep_first(void* context, int, char** values, char**) {
  *static_cast<std::int64_t*>(context) = values[0] == nullptr ? 0 : std::stoll(values[0]);
  return 0;
}

}  // namespace

QueueFixture::QueueFixture() {
  folder_ = std::filesystem::temp_directory_path() / "waybill-queue-XXXXXX";
  if (mkdtemp(folder_.data()) == nullptr) throw std::runtime_error("no temporary folder");
  options.path = folder_ + "/queue.db";
  options.lease_ttl = Millis(200);
  options.busy_timeout = Millis(2000);
}

QueueFixture::~QueueFixture() {
  crashed_.clear();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
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

Outgoing message(std::uint64_t token, const std::string& id, const std::string& body,
                 const std::string& key) {
  Outgoing outgoing;
  outgoing.token = token;
  outgoing.destination = "orders";
  outgoing.message_id = id;
  outgoing.message_type = "t";
  outgoing.key = key;
  outgoing.body = body;
  return outgoing;
}

void poll_for(Publisher& publisher, OutcomeBook& book, std::size_t count) {
  const Steady until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (book.count < count && std::chrono::steady_clock::now() < until) {
    publisher.poll(until, book);
  }
}

Answer publish_one(Publisher& publisher, const Outgoing& outgoing) {
  struct Keep final : OutcomeSink {
    void on_outcome(const PublishOutcome& outcome) override {
      answer = {outcome.result, std::string(outcome.reason)};
      ++count;
    }
    Answer answer;
    int count = 0;
  } keep;
  if (publisher.submit({&outgoing, 1}) != 1) throw std::runtime_error("not accepted");
  const Steady until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (keep.count == 0 && std::chrono::steady_clock::now() < until) publisher.poll(until, keep);
  if (keep.count != 1) throw std::runtime_error("not exactly one outcome");
  return keep.answer;
}

void publish_many(Publisher& publisher, std::size_t count, const std::string& prefix,
                  std::size_t keys) {
  std::vector<std::string> ids;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) {
    ids.push_back(prefix + "/t/" + std::to_string(i));
    names.push_back("k" + std::to_string(i % keys));
  }
  std::size_t submitted = 0;
  OutcomeBook book;
  while (submitted < count) {
    std::vector<Outgoing> batch;
    for (std::size_t i = submitted; i < count && batch.size() < 1000; ++i) {
      batch.push_back(message(i, ids[i], ids[i], names[i]));
    }
    submitted += publisher.submit(batch);
    poll_for(publisher, book, submitted);
  }
  for (const auto& [token, results] : book.outcomes) {
    if (results != std::vector{PublishResult::acked}) throw std::runtime_error("not acked");
  }
  if (book.outcomes.size() != count) throw std::runtime_error("outcomes are missing");
}

std::vector<Delivery> receive(Subscriber& subscriber, Millis wait, std::size_t at_most) {
  std::vector<Delivery> deliveries;
  must(subscriber.receive(std::chrono::steady_clock::now() + wait, at_most, deliveries));
  return deliveries;
}

void settle(Subscriber& subscriber, const std::vector<Delivery>& deliveries, Settle how) {
  std::vector<std::uint64_t> tokens;
  for (const Delivery& delivery : deliveries) tokens.push_back(delivery.token);
  must(subscriber.settle(tokens, how));
}

}  // namespace waybill::testing
