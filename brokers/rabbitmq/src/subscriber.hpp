// The subscriber: one consumer, and what it holds until it is settled.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "connection.hpp"
#include "holding.hpp"
#include "options.hpp"

namespace waybill::rabbitmq {

class RabbitmqSubscriber final : public Subscriber, private ChannelUser {
 public:
  RabbitmqSubscriber(const Options& options, Server server, const SubscriberOptions& subscriber);
  // Sends what is acked and says goodbye, for at most close_timeout.
  ~RabbitmqSubscriber() override;

  [[nodiscard]] Status receive(Steady until, std::size_t at_most,
                               std::vector<Delivery>& out) override;
  [[nodiscard]] Status settle(std::span<const std::uint64_t> tokens, Settle how) override;
  void wake() noexcept override { waker_.wake(); }

  // As a crash: without a word.
  void abandon() noexcept { abandoned_ = true; }

 private:
  void on_channel_open() override;
  void on_frame(const amqp_frame_t& frame) override;
  bool on_channel_closed(std::uint16_t code, const std::string& text) override;

  void step();
  void note_loss();
  void begin(const amqp_basic_deliver_t& deliver);
  void read_header(const amqp_frame_t& frame);
  void read_body(std::string_view part);
  void finish();
  [[nodiscard]] bool reads() const noexcept;

  const Options options_;
  const SubscriberOptions subscriber_;
  const Server server_;
  Waker waker_;
  Connection connection_;
  Millis pause_{0};  // before the next attempt to connect
  Steady connect_from_{};
  bool lost_ = true;                      // and noted
  bool refused_ = false;                  // what was lost needs somebody's help
  std::optional<Error> failure_;          // to be told by receive()
  std::optional<Steady> away_told_from_;  // while the server is away

  Holding holding_;
  std::optional<Delivery> incoming_;  // whose header or body is still being read
  std::uint64_t incoming_tag_ = 0;
  std::uint64_t incoming_bytes_ = 0;  // of its body, that are still missing
  std::uint64_t first_token_ = 1;     // of this channel: the token of the tag 1
  std::uint64_t last_tag_ = 0;
  bool abandoned_ = false;
};

}  // namespace waybill::rabbitmq
