// A real broker, with a consumer of its own that writes down every copy.
#include <sqlite3.h>

#include <condition_variable>
#include <mutex>
#include <random>
#include <set>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <vector>

#include "broker.hpp"
#include "shop_broker.hpp"
#include "waybill/brokers/kafka.hpp"
#include "waybill/brokers/rabbitmq.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::e2e {
namespace {

using testing::must;

constexpr Millis kQuiet{400};  // nothing came for so long: nothing is on its way
// Before the first one: on a loaded machine Kafka lets a consumer begin seconds late.
constexpr Millis kQuietAtFirst{5000};
constexpr bool kIsKafka = std::string_view(WAYBILL_BROKER) == "kafka";

rabbitmq::Options rabbitmq_options() {
  rabbitmq::Options options;
  options.url = broker_url();
  return options;
}

kafka::Options kafka_options() {
  kafka::Options options;
  options.brokers = broker_url();
  return options;
}

// A topic of Kafka, which every group reads; an exchange of RabbitMQ with a queue for each reader.
void make_ready(const std::string& name, const std::string& reader, const std::string& watcher) {
  if constexpr (kIsKafka) {
    must(kafka::apply_topology(kafka_options(), {.topic = name}));
  } else {
    for (const std::string& queue : {reader, watcher}) {
      rabbitmq::Topology topology;
      topology.exchange = name;
      topology.queue = queue;
      topology.bindings = {"#"};
      must(rabbitmq::apply_topology(rabbitmq_options(), topology));
    }
  }
}

std::unique_ptr<Subscriber> open_watcher(const std::string& name, const std::string& watcher) {
  if constexpr (kIsKafka) {
    return must(
        kafka::open_subscriber(kafka_options(), {.topic = name, .group = watcher, .member = "w"}));
  } else {
    return must(rabbitmq::open_subscriber(rabbitmq_options(), {.queue = watcher, .member = "w"}));
  }
}

class Log {
 public:
  explicit Log(const std::string& file) {
    sqlite3* raw = nullptr;
    sqlite3_open(file.c_str(), &raw);
    database_.reset(raw);
    sqlite3_busy_timeout(raw, 10000);
    run("CREATE TABLE log (position INTEGER PRIMARY KEY, message_id TEXT NOT NULL)");
  }
  void add(const std::vector<Delivery>& copies) {
    run("BEGIN IMMEDIATE");
    for (const Delivery& copy : copies) {
      run("INSERT INTO log (message_id) VALUES ('" + copy.message_id + "')");
    }
    run("COMMIT");
  }

 private:
  void run(const std::string& sql) {
    if (sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
      throw std::runtime_error(sqlite3_errmsg(database_.get()));
    }
  }
  std::unique_ptr<sqlite3, decltype(&sqlite3_close)> database_{nullptr, &sqlite3_close};
};

class ServerBroker final : public ShopBroker {
 public:
  explicit ServerBroker(const std::string& folder)
      : file_(folder + "/copies.db"), own_("-" + std::to_string(std::random_device()())) {}
  ~ServerBroker() override {
    for (std::jthread& watcher : watchers_) watcher.request_stop();
  }
  ServerBroker(const ServerBroker&) = delete;
  ServerBroker& operator=(const ServerBroker&) = delete;

  std::string address() const override { return broker_url(); }
  std::string url() const override { return broker_url(); }
  std::string destination(const std::string& name) override {
    const std::string own = name + own_;
    if (ready_.insert(name).second) {
      make_ready(own, own + ".reader", own + ".watcher");
      watchers_.emplace_back([this, own](const std::stop_token& stop) { watch(stop, own); });
    }
    return kIsKafka ? own : own + "/";
  }
  std::string source(const std::string& name) override {
    destination(name);
    return kIsKafka ? name + own_ : name + own_ + ".reader";
  }
  std::string log_file() override {
    std::unique_lock lock(mutex_);
    came_.wait_for(lock, kQuietAtFirst, [this] { return has_come_; });
    while (came_.wait_for(lock, kQuiet) != std::cv_status::timeout) {
    }
    return file_;
  }

 private:
  void watch(const std::stop_token& stop, const std::string& own) {
    const auto subscriber = open_watcher(own, own + ".watcher");
    while (!stop.stop_requested()) {
      std::vector<Delivery> copies;
      must(subscriber->receive(std::chrono::steady_clock::now() + Millis(100), 1000, copies));
      if (copies.empty()) continue;
      std::vector<std::uint64_t> tokens;
      for (const Delivery& copy : copies) tokens.push_back(copy.token);
      {
        const std::lock_guard lock(mutex_);
        log_.add(copies);
        has_come_ = true;
      }
      came_.notify_all();
      must(subscriber->settle(tokens, Settle::ack));
    }
  }

  const std::string file_;
  const std::string own_;  // ends every name
  std::mutex mutex_;       // guards log_ and has_come_
  std::condition_variable came_;
  Log log_{file_};
  bool has_come_ = false;
  std::set<std::string> ready_;
  std::vector<std::jthread> watchers_;
};

}  // namespace

const bool kBrokerIsServer = true;

std::unique_ptr<ShopBroker> make_shop_broker(const std::string& folder) {
  return std::make_unique<ServerBroker>(folder);
}

}  // namespace waybill::e2e
