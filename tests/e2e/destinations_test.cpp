// Several brokers at once behind one relay, as the configuration names them.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <thread>

#include "../../examples/order_points/demo/process.hpp"
#include "../../examples/order_points/tests/program.hpp"
#include "waybill/brokers/rabbitmq.hpp"
#include "waybill/testing/server.hpp"
#include "waybill/testing/tcp_gate.hpp"

namespace waybill::e2e {
namespace {

using order_points::test::run_program;
using std::chrono::steady_clock;

// A Kafka of the test's own, in a folder that its user can reach.
class OwnKafka {
 public:
  // With more server properties.
  explicit OwnKafka(const std::string& properties = {}) {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ + "/properties") << properties;
    server_.emplace(testing::Server::own(WAYBILL_SERVERS_TOOLS, "kafka", folder_,
                                         "WAYBILL_KAFKA_PROPERTIES='" + folder_ + "/properties'"));
  }
  ~OwnKafka() {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }
  OwnKafka(const OwnKafka&) = delete;
  OwnKafka& operator=(const OwnKafka&) = delete;

  [[nodiscard]] const testing::Server& server() const { return *server_; }
  [[nodiscard]] const std::string& folder() const { return folder_; }

 private:
  const std::string folder_ = "/var/tmp/waybill-e2e-" + std::to_string(std::random_device()());
  std::optional<testing::Server> server_;
};

// A table that plain SQL fills, and a relay with a configuration file.
class Destinations : public ::testing::Test {
 protected:
  void SetUp() override { expect_ok("schema apply"); }

  void configure(const std::string& text) const {
    std::ofstream(file("waybill.toml"))
        << "[store]\nurl = \"sqlite://" << file("orders.db") << "\"\n"
        << text;
  }
  [[nodiscard]] order_points::test::ProgramResult waybill(const std::string& arguments) const {
    const bool configured = std::filesystem::exists(file("waybill.toml"));
    return run_program(std::string(WAYBILL) + " " + arguments +
                       (configured ? " --config " + file("waybill.toml")
                                   : " --store sqlite://" + file("orders.db")));
  }
  void expect_ok(const std::string& arguments) const {
    const auto result = waybill(arguments);
    ASSERT_EQ(result.exit_code, 0) << arguments << ": " << result.output;
  }
  void start_relay() {
    relay_.emplace(std::vector<std::string>{WAYBILL, "relay", "--config", file("waybill.toml")},
                   file("relay.log"));
  }
  // SIGTERM; the exit code.
  int stop_relay() {
    relay_->signal(SIGTERM);
    const int status = relay_->finish(std::chrono::seconds(20));
    relay_.reset();
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  [[nodiscard]] std::string relay_log() const {
    std::ifstream log(file("relay.log"));
    return {std::istreambuf_iterator<char>(log), {}};
  }

  void insert(const std::string& type, int rows) const {
    sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
        std::to_string(rows) +
        ") INSERT INTO local_message (message_type, biz_type, identifier, content) SELECT '" +
        type + "', 'order', hex(randomblob(8)), 'x' FROM n");
  }
  std::string sql(const std::string& statement) const {
    const auto result =
        run_program("sqlite3 -cmd '.timeout 5000' " + file("orders.db") + " \"" + statement + "\"");
    EXPECT_EQ(result.exit_code, 0) << result.output;
    return result.output;
  }
  // "SUCCESS|40" and so on, a line for each state.
  [[nodiscard]] std::string states_of(const std::string& type) const {
    return sql("SELECT state, COUNT(*) FROM local_message WHERE message_type = '" + type +
               "' GROUP BY state");
  }
  [[nodiscard]] bool wait_for_states(const std::string& type, const std::string& wanted) const {
    return wait([&] { return states_of(type) == wanted; });
  }
  [[nodiscard]] bool wait_for_log(const std::string& text) const {
    return wait([&] { return relay_log().find(text) != std::string::npos; });
  }
  template <class Done>
  static bool wait(Done done) {
    const auto until = steady_clock::now() + std::chrono::seconds(30);
    while (!done()) {
      if (steady_clock::now() > until) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
  }
  [[nodiscard]] std::string file(const std::string& name) const { return scratch_.file(name); }

 private:
  order_points::test::Scratch scratch_;
  std::optional<demo::Process> relay_;
};

TEST_F(Destinations, L3_C4_one_that_is_down_and_one_without_its_topic_slow_nobody_else) {
  const OwnKafka kafka;
  const std::string url = kafka.server().url();
  configure("[destinations.audit]\nurl = \"queue://" + file("audit.db") +
            "\"\n[destinations.orders]\nurl = \"" + url + "\"\ntopic = \"shop.orders\"\n" +
            "[destinations.late]\nurl = \"" + url + "\"\n[log]\nlevel = \"debug\"\n");
  for (const std::string type : {"audit", "orders", "late"})
    expect_ok("routes set " + type + " --destination " + type);
  expect_ok("broker apply orders audit");
  kafka.server().kill();
  start_relay();
  insert("orders", 40);
  insert("audit", 2000);
  EXPECT_TRUE(wait_for_states("audit", "SUCCESS|2000\n")) << relay_log();
  EXPECT_EQ(states_of("orders"), "INIT|40\n");

  kafka.server().start();
  insert("late", 3);
  insert("audit", 2000);
  EXPECT_TRUE(wait_for_states("orders", "SUCCESS|40\n")) << relay_log();
  EXPECT_TRUE(wait_for_states("audit", "SUCCESS|4000\n"));
  EXPECT_TRUE(wait_for_log("messages of type 'late' wait")) << relay_log();
  EXPECT_EQ(states_of("late"), "INIT|3\n");
  expect_ok("broker apply");
  EXPECT_TRUE(wait_for_states("late", "SUCCESS|3\n")) << relay_log();
  EXPECT_EQ(sql("SELECT COUNT(*) FROM local_message_delivery"), "0\n")
      << "nothing is counted against a message";
  EXPECT_EQ(stop_relay(), 0) << relay_log();
}

TEST_F(Destinations, L3_a_relay_that_is_told_to_stop_leaves_what_no_broker_answers) {
  const OwnKafka kafka;
  configure("[destinations.orders]\nurl = \"" + kafka.server().url() +
            "\"\n[destinations.audit]\nurl = \"queue://" + file("audit.db") +
            "\"\n[relay]\nstop_timeout = \"500ms\"\n");
  expect_ok("routes set order.placed --destination orders");
  expect_ok("routes set audit --destination audit");
  expect_ok("broker apply");
  start_relay();
  insert("order.placed", 5);
  ASSERT_TRUE(wait_for_states("order.placed", "SUCCESS|5\n")) << relay_log();
  kafka.server().suspend();
  insert("order.placed", 500);
  insert("audit", 5);
  // It reads both types by turns, so that orders are in flight as well.
  ASSERT_TRUE(wait_for_states("audit", "SUCCESS|5\n")) << relay_log();
  const auto asked = steady_clock::now();
  EXPECT_EQ(stop_relay(), 4) << relay_log();
  EXPECT_LT(steady_clock::now() - asked, std::chrono::seconds(10));
  EXPECT_TRUE(wait_for_log("in flight, left to the next relay")) << relay_log();
  EXPECT_EQ(states_of("order.placed"), "INIT|500\nSUCCESS|5\n");
  kafka.server().resume();
  start_relay();
  EXPECT_TRUE(wait_for_states("order.placed", "SUCCESS|505\n")) << relay_log();
  EXPECT_EQ(stop_relay(), 0) << relay_log();
}

// The address of the RabbitMQ of all tests, without its usual credentials.
std::string shared_rabbitmq() {
  std::string url = testing::Server::shared(WAYBILL_SERVERS_TOOLS, "rabbitmq").url();
  return url.erase(7, url.find('@') - 6);
}

TEST_F(Destinations, L3_what_rabbitmq_does_not_answer_before_the_end_is_left_too) {
  const std::string url = shared_rabbitmq();
  const auto port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
  testing::TcpGate gate("127.0.0.1", port, testing::GateProtocol::amqp);
  configure("[destinations.orders]\nurl = \"amqp://127.0.0.1:" + std::to_string(gate.port()) +
            "\"\ntopic = \"stop-" + std::to_string(std::random_device()()) +
            "\"\n[relay]\nstop_timeout = \"500ms\"\n");
  expect_ok("routes set order.placed --destination orders");
  expect_ok("broker apply");
  start_relay();
  insert("order.placed", 5);
  ASSERT_TRUE(wait_for_states("order.placed", "SUCCESS|5\n")) << relay_log();
  gate.break_at({testing::GateSender::server, testing::GateKind::publish, 1, true},
                testing::GateEnd::black_hole);
  insert("order.placed", 50);
  ASSERT_TRUE(wait([&] { return gate.has_acted(); })) << relay_log();
  EXPECT_EQ(stop_relay(), 4) << relay_log();
  EXPECT_EQ(states_of("order.placed"), "INIT|50\nSUCCESS|5\n");
  gate.heal();
  start_relay();
  EXPECT_TRUE(wait_for_states("order.placed", "SUCCESS|55\n")) << relay_log();
  EXPECT_EQ(stop_relay(), 0) << relay_log();
}

// TLS by an authority of the test's own, and one user with a password.
std::string secure_properties(const std::string& folder, std::uint32_t port) {
  const std::string secure = std::to_string(port);
  return "listeners=PLAINTEXT://127.0.0.1:@PORT@,SECURE://127.0.0.1:" + secure +
         ",CONTROLLER://127.0.0.1:@CONTROLLER@\nadvertised.listeners=PLAINTEXT://127.0.0.1:@PORT@,"
         "SECURE://localhost:" +
         secure + R"(
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL
listener.name.secure.sasl.enabled.mechanisms=PLAIN
listener.name.secure.plain.sasl.jaas.config=\
  org.apache.kafka.common.security.plain.PlainLoginModule required user_shop="right";
listener.name.secure.ssl.keystore.type=PEM
listener.name.secure.ssl.keystore.location=)" +
         folder + "/server.pem\n";
}

void make_certificates(const std::string& folder) {
  const auto made = run_program(
      "(cd " + folder +
      " && echo subjectAltName=DNS:localhost >names"
      " && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out "
      "ca.crt"
      " && openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out csr"
      " && openssl x509 -req -in csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile names -days "
      "2"
      " -out server.crt && cat server.key server.crt >server.pem)");
  ASSERT_EQ(made.exit_code, 0) << made.output;
}

TEST_F(Destinations, C4_credentials_come_from_a_file_and_wrong_ones_stop_the_lane_only) {
  const order_points::test::Scratch keys;
  make_certificates(keys.file(""));
  const std::uint32_t port = 12000 + std::random_device()() % 7000;
  const OwnKafka kafka(secure_properties(keys.file(""), port));
  expect_ok("routes set order.placed --destination orders");
  ASSERT_EQ(waybill("broker apply orders --queue " + kafka.server().url()).exit_code, 0);
  configure("[destinations.orders]\nurl = \"kafka://localhost:" + std::to_string(port) +
            "\"\nca_file = \"" + keys.file("ca.crt") +
            "\"\nuser = \"shop\"\npassword_file = \"password\"\nsasl_mechanism = \"PLAIN\"\n");
  insert("order.placed", 5);
  const auto without = waybill("relay --once");
  EXPECT_EQ(without.exit_code, 2);
  EXPECT_NE(without.output.find("destinations.orders: cannot read " + file("password")),
            std::string::npos)
      << without.output;

  std::ofstream(file("password")) << "wrong-secret\n";
  start_relay();
  EXPECT_TRUE(wait_for_log("messages of type 'order.placed' wait")) << relay_log();
  EXPECT_EQ(stop_relay(), 0);
  EXPECT_EQ(states_of("order.placed"), "INIT|5\n");
  EXPECT_EQ(relay_log().find("wrong-secret"), std::string::npos);

  std::ofstream(file("password")) << "right\n";
  expect_ok("broker check");
  start_relay();
  EXPECT_TRUE(wait_for_states("order.placed", "SUCCESS|5\n")) << relay_log();
  EXPECT_EQ(stop_relay(), 0);
}

TEST_F(Destinations, C4_an_exchange_of_rabbitmq_is_ready_with_its_queues_only) {
  const std::string url = shared_rabbitmq();
  const std::string name = "orders-" + std::to_string(std::random_device()());
  configure("[destinations.orders]\nurl = \"" + url + "\"\nuser = \"guest\"\n" +
            "password_env = \"PASSWORD\"\ntopic = \"" + name + "/\"\nqueues = [\"" + name +
            ".points\", \"" + name + ".mail\"]\n");
  expect_ok("routes set order.placed --destination orders");
  insert("order.placed", 5);
  ::setenv("PASSWORD", "wrong-secret", 1);
  const auto refused = waybill("broker check");
  EXPECT_EQ(refused.exit_code, 1) << refused.output;
  EXPECT_EQ(refused.output.find("wrong-secret"), std::string::npos) << refused.output;
  ::setenv("PASSWORD", "guest", 1);
  const auto missing = waybill("broker check");
  EXPECT_EQ(missing.exit_code, 1) << missing.output;
  EXPECT_NE(missing.output.find(name), std::string::npos) << missing.output;
  const auto waiting = waybill("relay --once --json");
  EXPECT_EQ(waiting.exit_code, 1) << waiting.output;
  EXPECT_EQ(states_of("order.placed"), "INIT|5\n");

  expect_ok("broker apply");
  expect_ok("broker check");
  expect_ok("relay --once");
  EXPECT_EQ(states_of("order.placed"), "SUCCESS|5\n");
  for (const std::string queue : {".points", ".mail"}) {
    rabbitmq::Options options;
    options.url = url;
    const auto subscriber = rabbitmq::open_subscriber(options, {name + queue, "test"});
    ASSERT_TRUE(subscriber.ok()) << subscriber.error().to_string();
    std::vector<Delivery> received;
    EXPECT_TRUE(wait([&] {
      const auto until = steady_clock::now() + Millis(100);
      return !(*subscriber)->receive(until, 10, received) || received.size() == 5;
    })) << queue;
  }
}

TEST_F(Destinations, one_may_take_the_body_and_its_id_alone) {
  const std::string kafka = testing::Server::shared(WAYBILL_SERVERS_TOOLS, "kafka").url();
  const std::string topic = "plain-" + std::to_string(std::random_device()());
  const std::string format = "\ntopic = \"" + topic + "\"\nformat = \"plain\"\n";
  configure("[destinations.log]\nurl = \"" + kafka + "\"" + format +
            "[destinations.queue]\nurl = \"" + shared_rabbitmq() + "\"" + format);
  for (const std::string name : {"log", "queue"})
    expect_ok("routes set " + name + " --destination " + name);
  expect_ok("broker apply");
  sql("INSERT INTO local_message (message_type, biz_type, identifier, content) VALUES"
      " ('log', 'order', 'A-1', 'body'), ('queue', 'order', 'A-2', 'body')");
  expect_ok("relay --once");
  EXPECT_EQ(
      run_program("kcat -C -q -e -b " + kafka.substr(8) + " -t " + topic + " -f '%h|%s'").output,
      "message_id=order/log/A-1|body");
  rabbitmq::Options options;
  options.url = shared_rabbitmq();
  const auto subscriber = rabbitmq::open_subscriber(options, {topic, "test"});
  ASSERT_TRUE(subscriber.ok()) << subscriber.error().to_string();
  std::vector<Delivery> received;
  const auto until = steady_clock::now() + std::chrono::seconds(20);
  ASSERT_TRUE((*subscriber)->receive(until, 1, received).ok());
  ASSERT_EQ(received.size(), 1U);
  EXPECT_EQ(received[0].message_id, "order/queue/A-2");
  EXPECT_EQ(received[0].body, "body");
  EXPECT_EQ(received[0].message_type, "") << "the type is an attribute of CloudEvents";
}

}  // namespace
}  // namespace waybill::e2e
