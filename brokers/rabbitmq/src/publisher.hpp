// The publisher: what is in flight on one connection, and what became of it.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>

#include "connection.hpp"
#include "options.hpp"

namespace waybill::rabbitmq {

// Where a message goes, from its destination and its type.
struct Target {
  std::string_view exchange;
  std::string_view routing_key;
};
[[nodiscard]] Target target_of(const Outgoing& message) noexcept;

class RabbitmqPublisher final : public Publisher, private ChannelUser {
 public:
  RabbitmqPublisher(const Options& options, Server server);

  [[nodiscard]] PublisherTraits traits() const override;
  [[nodiscard]] std::size_t submit(std::span<const Outgoing> messages) override;
  void poll(Steady until, OutcomeSink& sink) override;
  void wake() noexcept override { waker_.wake(); }
  void close(Steady deadline, OutcomeSink& sink) override;

 private:
  struct Entry {
    Outgoing message;
    Steady due;                // the outcome is told by then
    std::uint64_t begins = 0;  // in the stream of the connection
    bool is_answered = false;  // told, or among the answers
    bool is_returned = false;
    std::string returned;  // why
  };
  struct Answer {
    std::uint64_t token = 0;
    PublishResult result = PublishResult::unknown;
    std::string reason;
  };

  void on_channel_open() override;
  void on_frame(const amqp_frame_t& frame) override;
  bool on_channel_closed(std::uint16_t code, const std::string& text) override;
  void on_blocked() override;

  void step();
  void connect();
  void note_loss();
  void expire();
  void encode();
  [[nodiscard]] std::optional<Answer> refuse(const Outgoing& message) const;
  [[nodiscard]] bool encode(Entry& entry, std::uint64_t number);
  [[nodiscard]] bool must_go_alone(const Entry& entry) const;
  void settle(std::uint64_t tag, bool multiple, PublishResult result);
  void note_return(const amqp_frame_t& header);
  // What was not sent goes back to pending_, the rest is unknown.
  void abandon_sent(const std::string& reason);
  void answer(Entry& entry, PublishResult result, std::string_view reason);
  void answer_pending(PublishResult result, std::string_view reason);
  void drop_answered();
  void give_answers(OutcomeSink& sink);
  [[nodiscard]] Steady next_due() const;

  const Options options_;
  const Server server_;
  Waker waker_;
  Connection connection_;
  Millis pause_{0};  // before the next attempt to connect
  Steady connect_from_{};
  bool lost_ = true;  // and noted

  std::size_t body_bytes_max_;
  std::size_t open_ = 0;           // messages without an answer
  std::deque<Entry> pending_;      // not encoded yet, in the order of submission
  std::deque<Entry> sent_;         // in the order of their publish numbers; the first has no answer
  std::deque<Answer> answers_;     // to be told
  std::uint64_t next_number_ = 1;  // of the message that is encoded next
  std::uint64_t channel_begins_ = 1;  // the publish number with the delivery tag 1
  bool alone_ = false;                // the only one in sent_ was sent alone
  std::size_t alone_next_ = 0;        // so many are sent alone, to find out which one is refused
  std::set<std::string, std::less<>> proven_;  // exchanges that took a message on this channel
  std::string returning_;                      // reply text of the return whose header follows
  bool is_returning_ = false;

  HeaderTable headers_;
  DatabaseTime sent_at_;  // of the last message; those of a batch have the same
  std::string sent_at_text_ = cloud_events::to_rfc3339({});
  bool closed_ = false;
};

}  // namespace waybill::rabbitmq
