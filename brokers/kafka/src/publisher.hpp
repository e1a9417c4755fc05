// The publisher, with what only tests may do to it.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "client.hpp"
#include "waybill/brokers/cloud_events.hpp"

namespace waybill::kafka {

class KafkaPublisher final : public Publisher {
 public:
  KafkaPublisher(const Options& options, Client client);

  [[nodiscard]] PublisherTraits traits() const override;
  [[nodiscard]] std::size_t submit(std::span<const Outgoing> messages) override;
  void poll(Steady until, OutcomeSink& sink) override;
  void wake() noexcept override;
  void close(Steady deadline, OutcomeSink& sink) override;

  // As a broker that makes the client useless.
  void provoke_fatal_error() noexcept;

 private:
  using Index = std::uint32_t;
  struct Slot {
    Outgoing message;
    bool used = false;
    bool alone = false;  // handed over with nothing else in flight
  };
  struct Answer {
    Index slot = 0;
    PublishResult result = PublishResult::unknown;
    std::string reason;
  };
  struct Trouble {
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    std::string text;
  };

  void adopt(Client client);
  void replace_client();
  [[nodiscard]] std::size_t in_flight() const noexcept { return slots_.size() - free_.size(); }
  [[nodiscard]] Index take_slot(const Outgoing& message);
  void free_slot(Index index);
  [[nodiscard]] bool hand_over(Index index, Headers headers);
  [[nodiscard]] rd_kafka_resp_err_t produce(const Outgoing& message, Index index, Headers headers);
  [[nodiscard]] Headers headers_of(const Outgoing& message);
  [[nodiscard]] rd_kafka_topic_t* topic_of(std::string_view name);
  void give_refusals(OutcomeSink& sink);
  void answer(Index index, PublishResult result, std::string_view reason, OutcomeSink& sink);
  void work(Steady until, OutcomeSink& sink);
  void handle(rd_kafka_event_t* event, OutcomeSink& sink);
  void handle_report(const rd_kafka_message_t& report, OutcomeSink& sink);
  void handle_error(rd_kafka_event_t* event);
  void go_on();
  [[nodiscard]] std::string reason_of(rd_kafka_resp_err_t error, PublishResult result,
                                      std::string_view topic) const;

  const Options options_;
  std::mutex queue_mutex_;  // guards queue_ against wake()
  Client client_;
  Queue queue_;  // destroyed before its client, as are the topics
  std::map<std::string, Topic, std::less<>> topics_;
  std::atomic<bool> woken_{false};

  std::vector<Slot> slots_;  // grows to window_max; its index travels through librdkafka
  std::vector<Index> free_;
  std::size_t handed_over_ = 0;  // of them with librdkafka
  std::deque<Answer> refusals_;  // outcomes that need no broker
  std::deque<Index> suspects_;   // came back rejected in a batch: each is tried alone
  bool answered_ = false;        // an outcome was delivered in this poll
  DatabaseTime sent_at_;         // of the last message; those of a batch have the same
  std::string sent_at_text_ = cloud_events::to_rfc3339({});
  Trouble trouble_;
  bool fatal_ = false;
  Steady replace_from_{};  // the client, after a fatal error
  bool closed_ = false;
};

}  // namespace waybill::kafka
