#include "kafka_fixture.hpp"

#include <stdexcept>

#include "subscriber.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::testing {
namespace {

Steady now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

Server shared_kafka() {
  return Server::shared(WAYBILL_SERVERS_TOOLS, "kafka");
}

Server own_kafka(const std::string& properties) {
  return Server::own(WAYBILL_SERVERS_TOOLS, "kafka", "/var/tmp/" + random_name("waybill-kafka"),
                     "WAYBILL_KAFKA_PROPERTIES='" + properties + "'");
}

KafkaFixture::KafkaFixture(std::uint32_t partitions)
    : KafkaFixture(shared_kafka().url(), partitions) {}

KafkaFixture::KafkaFixture(const std::string& url, std::uint32_t partitions)
    : topic(random_name("orders")) {
  options.brokers = url;
  must(kafka::apply_topology(options, {topic, partitions, 1}));
}

std::unique_ptr<Publisher> KafkaFixture::open_publisher() {
  return must(kafka::open_publisher(options));
}

std::unique_ptr<Subscriber> KafkaFixture::open_subscriber(const std::string& group,
                                                          const std::string& member) {
  // Groups are the server's, not the topic's.
  return must(kafka::open_subscriber(options, {topic, topic + "-" + group, member}));
}

void KafkaFixture::crash(std::unique_ptr<Subscriber> subscriber) {
  dynamic_cast<kafka::KafkaSubscriber&>(*subscriber).abandon();
}

std::vector<std::string> KafkaFixture::missing_destinations() {
  return {random_name("late")};
}

void KafkaFixture::create(const std::string& destination) {
  must(kafka::apply_topology(options, {destination, 1, 1}));
}

HarmableKafka::HarmableKafka() : kafka_(server_.url(), 4) {
  kafka_.options.publish_timeout = std::chrono::seconds(2);
}

void create_topic(const kafka::Options& options, const std::string& topic,
                  const std::map<std::string, std::string>& settings) {
  const auto client = must(kafka::make_producer(options));
  const kafka::Queue answers(rd_kafka_queue_new(client.get()));
  rd_kafka_NewTopic_t* created = rd_kafka_NewTopic_new(topic.c_str(), 1, 1, nullptr, 0);
  for (const auto& [name, value] : settings) {
    rd_kafka_NewTopic_set_config(created, name.c_str(), value.c_str());
  }
  rd_kafka_CreateTopics(client.get(), &created, 1, nullptr, answers.get());
  rd_kafka_NewTopic_destroy(created);
  static_cast<void>(kafka::next_event(answers.get(), now() + std::chrono::seconds(20)));
  kafka::Options any_size = options;
  any_size.body_bytes_max = 0;
  must(kafka::apply_topology(any_size, {topic, 1, 1}));
}

void delete_topic(const kafka::Options& options, const std::string& topic) {
  const auto client = must(kafka::make_producer(options));
  const kafka::Queue answers(rd_kafka_queue_new(client.get()));
  rd_kafka_DeleteTopic_t* deleted = rd_kafka_DeleteTopic_new(topic.c_str());
  rd_kafka_DeleteTopics(client.get(), &deleted, 1, nullptr, answers.get());
  rd_kafka_DeleteTopic_destroy(deleted);
  static_cast<void>(kafka::next_event(answers.get(), now() + std::chrono::seconds(20)));
}

std::int64_t committed(const kafka::Options& options, const std::string& topic,
                       const std::string& group, std::int32_t partition) {
  const auto client = must(kafka::make_consumer(options, {topic, group, "onlooker"}));
  const kafka::PartitionList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition);
  if (rd_kafka_committed(client.get(), list.get(), 20'000) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw std::runtime_error("cannot read the committed offset");
  }
  return list->elems[0].offset;
}

}  // namespace waybill::testing
