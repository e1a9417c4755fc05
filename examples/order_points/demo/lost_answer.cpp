#include "lost_answer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <thread>

#include "../brokers.hpp"
#include "../database.hpp"
#include "process.hpp"
#include "waybill/http/client.hpp"
#include "waybill/testing/tcp_gate.hpp"

namespace demo {
namespace {
namespace testing = waybill::testing;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr seconds kPatience{30};
// So long nothing more is granted before it is believed.
constexpr seconds kSilence{1};

enum class Kind { naive_commits, naive_rolls_back, waybill };

constexpr const char* kNames[] = {"naive, commits when in doubt", "naive, rolls back when in doubt",
                                  "waybill"};

struct Failure {
  const char* id;
  const char* title;
  testing::GateSender lost_from;
};
constexpr Failure kFailures[] = {
    {"B1", "the broker never gets the message: the network loses the publish",
     testing::GateSender::client},
    {"B2", "the broker gets the message, and its answer is lost", testing::GateSender::server}};

// "scheme://host:port/…" through the gate.
std::string through(const testing::TcpGate& gate, const std::string& url) {
  const std::size_t begin = url.find("//") + 2;
  const std::size_t end = std::min(url.find('/', begin), url.size());
  return url.substr(0, begin) + "127.0.0.1:" + std::to_string(gate.port()) + url.substr(end);
}

std::uint16_t port_of(const std::string& url) {
  return static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
}

testing::GateProtocol protocol_of(const std::string& url) {
  return url.starts_with("kafka") ? testing::GateProtocol::kafka : testing::GateProtocol::amqp;
}

// What a query of one row and column answers; empty when there is none, or no table yet.
std::string look_up(const std::string& database, const std::string& sql) try {
  std::string value;
  order_points::with_kind_of(database, [&](auto handle) {
    using Handle = decltype(handle);
    const auto reader =
        order_points::open_database<Handle>(database, order_points::OpenAs::read_only);
    order_points::Query<Handle> query(reader.get(), sql);
    if (query.step()) value = query.text(0);
  });
  return value;
} catch (const std::exception&) {
  return "";
}

// An order service behind a gate, a points service that is not, and databases and a topic of
// theirs.
class Shop {
 public:
  Shop(const Setting& setting, const std::function<void()>& meanwhile, const Failure& failure,
       Kind kind)
      : setting_(setting),
        meanwhile_(meanwhile),
        failure_(failure),
        kind_(kind),
        key_(fmt::format("lost_answer_{}_{}", failure.id[1], static_cast<int>(kind))),
        gate_("127.0.0.1", port_of(setting.broker), protocol_of(setting.broker)),
        order_("order service", setting.file(key_ + "_order.log"), [this] { return order(); }),
        points_("points service", setting.file(key_ + "_points.log"), [this] { return points(); }) {
    outcome_.failure = failure.id;
    outcome_.shop = kNames[static_cast<int>(kind)];
  }

  void open() {
    for (const char* part : {"_orders", "_points"})
      if (is_waybill()) setting_.create_database(key_ + part);
    std::ofstream(setting_.file(key_ + ".key")) << new_key();
    static_cast<void>(
        setting_.run_waybill({"broker", "apply", topic(), "--queue", setting_.broker}, meanwhile_));
    order_.start();
    url_ = "http://127.0.0.1:" + order_.wait_for_port(setting_.file(key_ + "_order.port"));
  }

  // The network fails, a customer places an order.
  void place() {
    // The naive services would not try again, but their client libraries may.
    gate_.break_at({failure_.lost_from, testing::GateKind::publish, 1, !is_waybill()},
                   testing::GateEnd::black_hole);
    begin_ = steady_clock::now();
    waybill::http::Client customer({.base_url = url_});
    const auto answer = customer.send(
        {"POST",
         "/orders",
         {{"content-type", "application/json"}},
         fmt::format(R"({{"order_id":"{}","user_id":"u1","amount_cents":4200}})", failure_.id)});
    if (!answer) throw std::runtime_error(answer.error().to_string());
    outcome_.told = answer->status;
    tell(fmt::format("customer places order {}, and is told: {}", failure_.id,
                     outcome_.told == 201 ? "committed" : "rolled back"));
    if (is_waybill()) watch_the_relay();
    count_publishes();
  }

  // A consumer of the demo's own, which gives back what it looked at.
  void look_into_the_broker() {
    const std::size_t arrived =
        gate_.passed(testing::GateSender::client, testing::GateKind::publish);
    auto subscriber = order_points::open_subscriber(setting_.broker, topic(), "demo");
    if (!subscriber) throw std::runtime_error(subscriber.error().to_string());
    const auto until = steady_clock::now() + kPatience;
    std::vector<waybill::Delivery> found;
    while (found.size() < arrived && steady_clock::now() < until) {
      if (auto received = (*subscriber)->receive(until, 10, found); !received)
        throw std::runtime_error(received.error().to_string());
    }
    for (const waybill::Delivery& message : found)
      outcome_.message_ids.push_back(message.message_id);
  }

  void start_points() {
    points_.start();
    static_cast<void>(points_.wait_for_port(setting_.file(key_ + "_points.port")));
  }

  // The points service reads what the broker has; then the books are looked at.
  LostAnswer settle() {
    const std::int64_t expected = outcome_.message_ids.empty() ? 0 : 1;
    wait_until([&] { return grants() >= expected; }, kPatience);
    if (is_waybill()) {
      wait_until([&] { return note_state() == "SUCCESS"; }, kPatience);
      tell(fmt::format("row {}: points granted, and confirmed to the order service", state_));
    }
    wait_until([&] { return grants() > expected; }, kSilence);
    audit();
    return outcome_;
  }

 private:
  [[nodiscard]] bool is_waybill() const { return kind_ == Kind::waybill; }
  [[nodiscard]] std::string topic() const { return key_; }
  [[nodiscard]] std::string database(const std::string& part) const {
    return is_waybill() ? setting_.database(key_ + part) : setting_.file(key_ + part + ".db");
  }

  [[nodiscard]] std::vector<std::string> order() const {
    const std::vector<std::string> command = {
        setting_.program(is_waybill() ? "order_service" : "naive_order_service"),
        "--db",
        database("_orders"),
        "--queue",
        through(gate_, setting_.broker),
        "--topic",
        topic(),
        "--port-file",
        setting_.file(key_ + "_order.port")};
    switch (kind_) {
      case Kind::naive_commits:
        return command;
      case Kind::naive_rolls_back:
        return join(command, {"--roll-back-in-doubt"});
      case Kind::waybill:
        break;
    }
    return join(command, {"--create", "--relay", "--dispatch", "relay", "--key-file",
                          setting_.file(key_ + ".key")});
  }

  [[nodiscard]] std::vector<std::string> points() const {
    const std::vector<std::string> command = {setting_.program("points_service"),
                                              "--db",
                                              database("_points"),
                                              "--queue",
                                              setting_.broker,
                                              "--topic",
                                              topic(),
                                              "--create",
                                              "--port-file",
                                              setting_.file(key_ + "_points.port")};
    if (!is_waybill()) return join(command, {"--no-inbox"});
    return join(command, {"--key-file", setting_.file(key_ + ".key"), "--confirm-url", url_});
  }

  void tell(const std::string& step) const {
    const std::chrono::duration<double> since = steady_clock::now() - begin_;
    fmt::print("  {:<32} {:5.1f} s  {}\n", outcome_.shop, since.count(), step);
    std::fflush(stdout);
  }

  // The row's state; its course goes into the outcome.
  std::string note_state() {
    state_ = look_up(database("_orders"), "SELECT state FROM local_message");
    if (outcome_.states.empty() || outcome_.states.back() != state_)
      outcome_.states.push_back(state_);
    return state_;
  }

  void watch_the_relay() {
    tell(fmt::format("row {}: committed with the order, not published yet", note_state()));
    wait_until([&] { return gate_.has_acted(); }, kPatience);
    tell(fmt::format("published; no answer comes: in doubt, the row stays {}", note_state()));
    const std::size_t before =
        gate_.passed(testing::GateSender::client, testing::GateKind::publish);
    wait_until(
        [&] {
          note_state();
          return gate_.passed(testing::GateSender::client, testing::GateKind::publish) > before;
        },
        kPatience);
    tell("published again, under the same id");
    wait_until([&] { return note_state() == "SENT"; }, kPatience);
    tell(fmt::format("row {}: the broker has it, the points service has not confirmed it yet",
                     state_));
  }

  void count_publishes() {
    outcome_.publishes =
        gate_.passed(testing::GateSender::client, testing::GateKind::publish) +
        (gate_.has_acted() && failure_.lost_from == testing::GateSender::client ? 1 : 0);
  }

  [[nodiscard]] std::int64_t grants() const {
    const std::string count = look_up(database("_points"), "SELECT count(*) FROM grants");
    return count.empty() ? 0 : std::stoll(count);
  }

  void audit() {
    const auto books =
        boost::json::parse(setting_.audit(database("_orders"), database("_points"), {}, [] {
        })).as_object();
    const auto number = [&](const char* name) { return books.at(name).as_int64(); };
    outcome_.orders = number("orders");
    outcome_.grants = number("grants");
    switch (kind_) {
      case Kind::naive_commits:
        outcome_.as_expected =
            number("missing") == (failure_.lost_from == testing::GateSender::client);
        break;
      case Kind::naive_rolls_back:
        outcome_.as_expected =
            number("phantom") == (failure_.lost_from == testing::GateSender::server);
        break;
      case Kind::waybill:
        outcome_.as_expected = books.at("clean").as_bool() && outcome_.orders == 1 &&
                               outcome_.grants == 1 && outcome_.publishes >= 2 && has_one_id() &&
                               state_ == "SUCCESS";
        break;
    }
  }

  // Each copy is the same message, and the broker has as many as it was given.
  [[nodiscard]] bool has_one_id() const {
    const auto& ids = outcome_.message_ids;
    return ids.size() == gate_.passed(testing::GateSender::client, testing::GateKind::publish) &&
           !ids.empty() && std::all_of(ids.begin(), ids.end(), [&](const std::string& id) {
             return id == "order/order.placed/" + std::string(failure_.id);
           });
  }

  template <class Condition>
  void wait_until(Condition condition, steady_clock::duration patience) {
    const auto until = steady_clock::now() + patience;
    while (!condition() && steady_clock::now() < until) {
      meanwhile_();
      std::this_thread::sleep_for(milliseconds(5));
    }
  }

  const Setting& setting_;
  const std::function<void()>& meanwhile_;
  const Failure& failure_;
  const Kind kind_;
  const std::string key_;  // of its files, databases and topic
  testing::TcpGate gate_;
  Service order_, points_;
  std::string url_;
  std::string state_;
  steady_clock::time_point begin_;
  LostAnswer outcome_;
};

std::string verdict(const LostAnswer& outcome) {
  if (outcome.orders > outcome.grants) return "an order without points !";
  if (outcome.orders < outcome.grants) return "points without an order !";
  return outcome.shop == kNames[2] ? "right" : "right, by luck";
}

void print_table(const std::vector<LostAnswer>& outcomes) {
  fmt::print("\n  {:<32} {:>9} {:>10} {:>6} {:>6}\n", "", "publishes", "at broker", "orders",
             "grants");
  for (const LostAnswer& outcome : outcomes) {
    fmt::print("  {:<32} {:>9} {:>10} {:>6} {:>6}  {}{}\n", outcome.shop, outcome.publishes,
               outcome.message_ids.size(), outcome.orders, outcome.grants, verdict(outcome),
               outcome.as_expected ? "" : "   UNEXPECTED");
  }
  std::fflush(stdout);
}

std::vector<LostAnswer> play(const Setting& setting, const std::function<void()>& meanwhile,
                             const Failure& failure) {
  fmt::print("\n{}: {}\n", failure.id, failure.title);
  std::vector<std::unique_ptr<Shop>> shops;
  for (const Kind kind : {Kind::naive_commits, Kind::naive_rolls_back, Kind::waybill})
    shops.push_back(std::make_unique<Shop>(setting, meanwhile, failure, kind));
  for (const auto& shop : shops) shop->open();
  for (const auto& shop : shops) shop->place();
  for (const auto& shop : shops) shop->look_into_the_broker();
  for (const auto& shop : shops) shop->start_points();
  std::vector<LostAnswer> outcomes;
  for (const auto& shop : shops) outcomes.push_back(shop->settle());
  print_table(outcomes);
  return outcomes;
}

}  // namespace

std::vector<LostAnswer> play_lost_answers(const Setting& setting,
                                          const std::function<void()>& meanwhile) {
  std::vector<LostAnswer> all;
  for (const Failure& failure : kFailures) {
    auto outcomes = play(setting, meanwhile, failure);
    std::move(outcomes.begin(), outcomes.end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace demo
