// The subscriber, with what only tests may do to it.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "client.hpp"
#include "reading.hpp"

namespace waybill::kafka {

class KafkaSubscriber final : public Subscriber {
 public:
  KafkaSubscriber(const Options& options, const SubscriberOptions& subscriber, Client client);
  // Commits what is settled and leaves the group, for at most close_timeout.
  ~KafkaSubscriber() override;

  // Joins the group; receive() then takes part.
  [[nodiscard]] Status subscribe();

  [[nodiscard]] Status receive(Steady until, std::size_t at_most,
                               std::vector<Delivery>& out) override;
  [[nodiscard]] Status settle(std::span<const std::uint64_t> tokens, Settle how) override;
  void wake() noexcept override;

  // As a crash: neither a commit nor a goodbye.
  void abandon() noexcept { abandoned_ = true; }

 private:
  struct Place {
    std::int32_t partition = 0;
    std::int64_t offset = 0;
  };

  void handle(rd_kafka_event_t* event);
  void take(const rd_kafka_message_t& message);
  void deliver(std::size_t size_max, std::vector<Delivery>& out);
  void rebalance(rd_kafka_event_t* event);
  void forget(std::int32_t partition);
  void handle_error(rd_kafka_event_t* event);
  void tell_absence();
  void handle_commit(rd_kafka_event_t* event);
  [[nodiscard]] bool is_full(const Reading& reading, std::uint32_t share) const noexcept;
  void pause_or_resume(std::int32_t partition, Reading& reading);
  [[nodiscard]] PartitionList list(std::int32_t partition) const;
  // The offsets to commit of all partitions, or of those in `only`; null if there are none.
  [[nodiscard]] PartitionList to_commit(const rd_kafka_topic_partition_list_t* only = nullptr);
  void commit();
  void commit_and_wait(PartitionList offsets, Steady until);
  void note_commit(rd_kafka_event_t* event);

  const Options options_;
  const SubscriberOptions subscriber_;
  Client client_;
  Queue queue_;  // destroyed before its client
  std::atomic<bool> woken_{false};
  std::map<std::int32_t, Reading> readings_;  // by partition
  std::unordered_map<std::uint64_t, Place> delivered_;
  std::uint64_t next_token_ = 1;
  std::int32_t last_delivered_ = -1;  // partition
  std::size_t waiting_ = 0;           // in all readings
  bool committing_ = false;           // one commit at a time is on its way
  Steady commit_from_{};              // not before, after one failed
  std::optional<Error> failure_;      // to be told by receive()
  std::string trouble_;               // what a connection said last
  std::optional<Steady> look_at_;     // when to see whether brokers are still away
  bool closing_ = false;
  bool abandoned_ = false;
};

}  // namespace waybill::kafka
