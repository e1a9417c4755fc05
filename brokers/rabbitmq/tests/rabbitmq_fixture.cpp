#include "rabbitmq_fixture.hpp"

#include <cstdio>
#include <stdexcept>

#include "raw_client.hpp"
#include "subscriber.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::testing {
Server shared_rabbitmq() {
  return Server::shared(WAYBILL_SERVERS_TOOLS, "rabbitmq");
}

Server own_rabbitmq(const std::string& configuration) {
  return Server::own(WAYBILL_SERVERS_TOOLS, "rabbitmq",
                     "/var/tmp/" + random_name("waybill-rabbitmq"),
                     "WAYBILL_RABBITMQ_CONF='" + configuration + "'");
}

RabbitmqFixture::RabbitmqFixture() : RabbitmqFixture(shared_rabbitmq().url()) {}

RabbitmqFixture::RabbitmqFixture(const std::string& url) : exchange(random_name("orders")) {
  options.url = url;
  // A quorum queue with a message of 16 MiB keeps the server of all tests busy for seconds.
  options.body_bytes_max = std::size_t{1} << 20;
  declare("points");
}

RabbitmqFixture::~RabbitmqFixture() {
  try {
    RawClient client(options.url);
    for (const std::string& queue : queues_) client.delete_queue(queue);
  } catch (const std::exception& error) {
    // The server may be gone, with its queues.
    std::fputs(error.what(), stderr);
  }
}

void RabbitmqFixture::apply(const rabbitmq::Topology& topology) {
  must(rabbitmq::apply_topology(options, topology));
  if (!topology.queue.empty()) queues_.insert(topology.queue);
}

void RabbitmqFixture::declare(const std::string& group) {
  rabbitmq::Topology topology;
  topology.exchange = exchange;
  topology.exchange_type = "fanout";
  topology.queue = queue_of(group);
  topology.bindings = {""};
  apply(topology);
}

std::vector<std::string> RabbitmqFixture::missing_destinations() {
  rabbitmq::Topology unbound;
  unbound.exchange = random_name("unbound");
  apply(unbound);
  return {random_name("late") + "/", unbound.exchange + "/", random_name("late")};
}

void RabbitmqFixture::create(const std::string& destination) {
  const std::size_t slash = destination.find('/');
  rabbitmq::Topology topology;
  topology.queue = random_name("made");
  if (slash == std::string::npos) {
    topology.queue = destination;
  } else {
    topology.exchange = destination.substr(0, slash);
    topology.bindings = {"t"};  // the type of all messages in tests
  }
  apply(topology);
}

std::unique_ptr<Publisher> RabbitmqFixture::open_refused_publisher() {
  rabbitmq::Options refused = options;
  refused.url.replace(refused.url.find("guest:guest"), 11, "guest:wrong-secret");
  return must(rabbitmq::open_publisher(refused));
}

HarmableRabbitmq::HarmableRabbitmq() : rabbitmq_(server_.url()) {
  rabbitmq_.options.publish_timeout = std::chrono::seconds(2);
  rabbitmq_.options.connect_timeout = std::chrono::seconds(2);
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
