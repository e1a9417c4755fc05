#include "rabbitmq_fixture.hpp"

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>

#include "subscriber.hpp"

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

}  // namespace

Server shared_rabbitmq() {
  return Server::shared(WAYBILL_SERVERS_TOOLS, "rabbitmq");
}

OwnRabbitmq::OwnRabbitmq(const std::string& configuration)
    : folder_("/var/tmp/" + random_name("waybill-rabbitmq")), server_([&] {
        if (!configuration.empty()) setenv("WAYBILL_RABBITMQ_CONF", configuration.c_str(), 1);
        Server server = Server::own(WAYBILL_SERVERS_TOOLS, "rabbitmq", folder_);
        unsetenv("WAYBILL_RABBITMQ_CONF");
        return server;
      }()) {}

void OwnRabbitmq::wipe_and_start() const {
  server_.kill();
  std::filesystem::remove_all(folder_ + "/rabbitmq/data");
  server_.start();
}

void OwnRabbitmq::control(const std::string& arguments) const {
  run("WAYBILL_SERVERS='" + folder_ + "' " + WAYBILL_SERVERS_TOOLS + "/rabbitmq ctl " + arguments +
      " 2>&1");
}

void OwnRabbitmq::signal(const std::string& name) const {
  run("kill -" + name + " $(cat '" + folder_ + "/rabbitmq/pid')");
}

RabbitmqFixture::RabbitmqFixture() : RabbitmqFixture(shared_rabbitmq().url()) {}

RabbitmqFixture::RabbitmqFixture(const std::string& url) : exchange(random_name("orders")) {
  options.url = url;
  declare("points");
}

RabbitmqFixture::~RabbitmqFixture() = default;

void RabbitmqFixture::declare(const std::string& group) const {
  must(rabbitmq::apply_topology(options, {.exchange = exchange,
                                          .exchange_type = "fanout",
                                          .queue = queue_of(group),
                                          .queue_kind = rabbitmq::QueueKind::quorum,
                                          .single_active = false,
                                          .bindings = {""}}));
}

std::unique_ptr<Publisher> RabbitmqFixture::open_publisher() {
  return must(rabbitmq::open_publisher(options));
}

std::unique_ptr<Subscriber> RabbitmqFixture::open_subscriber(const std::string& group,
                                                             const std::string& member) {
  declare(group);
  auto subscriber = must(rabbitmq::open_subscriber(options, {queue_of(group), member}));
  // Takes part from here on, not from the first receive().
  std::vector<Delivery> none;
  must(subscriber->receive(std::chrono::steady_clock::now(), 0, none));
  return subscriber;
}

void RabbitmqFixture::crash(std::unique_ptr<Subscriber> subscriber) {
  dynamic_cast<rabbitmq::RabbitmqSubscriber&>(*subscriber).abandon();
}

}  // namespace waybill::testing
