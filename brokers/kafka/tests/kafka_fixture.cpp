#include "kafka_fixture.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <random>
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

Steady now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

Server shared_kafka() {
  return Server::shared(WAYBILL_SERVERS_TOOLS, "kafka");
}

OwnKafka::OwnKafka(const std::string& properties)
    : folder_("/var/tmp/" + random_name("waybill-kafka")), server_([&] {
        if (!properties.empty()) setenv("WAYBILL_KAFKA_PROPERTIES", properties.c_str(), 1);
        Server server = Server::own(WAYBILL_SERVERS_TOOLS, "kafka", folder_);
        unsetenv("WAYBILL_KAFKA_PROPERTIES");
        return server;
      }()) {}

void OwnKafka::wipe_and_start() const {
  server_.kill();
  std::filesystem::remove_all(folder_ + "/kafka/data");
  server_.start();
}

void OwnKafka::signal(const std::string& name) const {
  run("kill -" + name + " $(cat '" + folder_ + "/kafka/pid')");
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

std::string random_name(const std::string& prefix) {
  std::random_device random;
  return prefix + "-" + std::to_string(getpid()) + "-" + std::to_string(random());
}

std::string run(const std::string& command) {
  std::FILE* const pipe = ::popen(command.c_str(), "re");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  std::string output;
  std::array<char, 4096> part{};
  std::size_t size = 0;
  while ((size = std::fread(part.data(), 1, part.size(), pipe)) > 0)
    output.append(part.data(), size);
  if (::pclose(pipe) != 0) throw std::runtime_error(command + " failed: " + output);
  return output;
}

Outgoing message(std::uint64_t token, std::string_view topic, std::string_view id,
                 std::string_view body, std::string_view key) {
  Outgoing outgoing;
  outgoing.token = token;
  outgoing.destination = topic;
  outgoing.message_id = id;
  outgoing.message_type = "t";
  outgoing.key = key;
  outgoing.body = body;
  return outgoing;
}

Answer publish_one(Publisher& publisher, const Outgoing& outgoing, Millis patience) {
  struct Keep final : OutcomeSink {
    void on_outcome(const PublishOutcome& outcome) override {
      answer = {outcome.result, std::string(outcome.reason), Millis(0)};
      ++count;
    }
    Answer answer;
    int count = 0;
  } keep;
  const Steady started = now();
  if (publisher.submit({&outgoing, 1}) != 1) throw std::runtime_error("not accepted");
  while (keep.count == 0 && now() < started + patience) publisher.poll(started + patience, keep);
  if (keep.count != 1) throw std::runtime_error("not exactly one outcome");
  keep.answer.took = std::chrono::duration_cast<Millis>(now() - started);
  return keep.answer;
}

void publish_many(Publisher& publisher, const std::string& topic, std::size_t count,
                  const std::string& prefix, std::size_t keys) {
  std::vector<std::string> ids;
  std::vector<std::string> names;
  std::vector<Outgoing> messages;
  for (std::size_t i = 0; i < count; ++i) {
    ids.push_back(prefix + "/t/" + std::to_string(i));
    names.push_back("k" + std::to_string(i % keys));
  }
  for (std::size_t i = 0; i < count; ++i) {
    messages.push_back(message(i, topic, ids[i], ids[i], names[i]));
  }
  OutcomeBook book;
  std::size_t submitted = 0;
  const Steady until = now() + std::chrono::seconds(20);
  while (book.count < count && now() < until) {
    submitted += publisher.submit(std::span(messages).subspan(submitted));
    publisher.poll(until, book);
  }
  if (book.outcomes.size() != count) throw std::runtime_error("outcomes are missing");
  for (const auto& [token, results] : book.outcomes) {
    if (results != std::vector{PublishResult::acked}) throw std::runtime_error("not acked");
  }
}

std::vector<Delivery> receive(Subscriber& subscriber, std::size_t count, Millis wait) {
  std::vector<Delivery> deliveries;
  const Steady until = now() + wait;
  while (deliveries.size() < count && now() < until) {
    must(subscriber.receive(until, count - deliveries.size(), deliveries));
  }
  return deliveries;
}

void settle(Subscriber& subscriber, const std::vector<Delivery>& deliveries, Settle how) {
  std::vector<std::uint64_t> tokens;
  for (const Delivery& delivery : deliveries) tokens.push_back(delivery.token);
  must(subscriber.settle(tokens, how));
}

}  // namespace waybill::testing
