// Confirmations by a broker: a reply topic that consumers write and the producer reads.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "waybill/clock.hpp"
#include "waybill/confirm/endpoint.hpp"
#include "waybill/confirm/request.hpp"
#include "waybill/error.hpp"
#include "waybill/lasting_trouble.hpp"
#include "waybill/log.hpp"
#include "waybill/publisher.hpp"
#include "waybill/subscriber.hpp"

namespace waybill::confirm {

// The type of such a message; its id is waybill/waybill.confirmations/<webhook-id>.
inline constexpr std::string_view kReplyType = "waybill.confirmations";

// Its body: the request's headers, one a line as "name: value", an empty line, the request's body.
[[nodiscard]] std::string encode_reply(const Request& request);
// **Errors**: fix_call when there is no empty line within the first 4 KiB, or a header has no
// colon.
[[nodiscard]] Result<Request> parse_reply(std::string_view body);

struct PostToTopicOptions {
  std::string destination;  // the reply topic, as `open` knows it
  Millis timeout{15'000};   // of one request; longer than the publisher's own
};

// A Post for Sender that publishes each request and answers kPublished when the broker has it.
//
//   Sender sender(inbox_store, post_to_topic(open_publisher, {.destination = "confirmations"}), …);
//
// **Guarantee**: an answer means that the broker acknowledged. What the producer makes of it nobody
// tells; the loop closes all the same: a confirmation that got lost or was dropped leaves its row
// SENT, the message comes again, and the duplicate is confirmed again.
// **Errors** of a request: look when the answer was lost, retry when it surely was not published,
// fix_call when the topic is not there or denied. One that is too large is answered 413.
// **Ownership**: copies share one publisher, opened by the first request and anew after trouble.
// **Thread safety**: one thread at a time, as a Sender calls it.
[[nodiscard]] Post post_to_topic(OpenPublisher open, PostToTopicOptions options);

using OpenSubscriber = std::function<Result<std::unique_ptr<Subscriber>>()>;

struct ReplyReaderOptions {
  // A reply may lie in the topic for as long as the producer is away. Replayed by somebody who can
  // write to the topic it changes nothing that it had not changed before.
  std::chrono::seconds age_max = std::chrono::days(7);  // 5 min … 3650 days
  std::size_t batch_max = 100;                          // requests taken from the broker at once
  Millis retry_wait{500};  // while the broker or the database has no answer
  LogSink log = {};
};

struct ReplyReaderStats {
  std::uint64_t requests = 0;  // written and settled
  std::uint64_t dropped = 0;   // unsigned, forged, too old or malformed; told as an alarm
};

// The producer's side: reads the topic and hands each request to the endpoint, as HTTP does.
//
//   ReplyReader reader(endpoint, open_subscriber, {});
//   if (Status started = reader.start(); !started) return started;
//
// **Guarantee**: a request is settled after its verdicts were written; while the database does not
// answer it stays in the topic. Any number of readers may share a group. What does not
// authenticate, or is no request, is counted, told as an alarm and dropped.
// **Ownership**: borrows the endpoint; owns its thread and the subscriber.
// **Errors**: start(): fix_call for options out of bounds, else what opening said.
// **Thread safety**: stats() from any thread; start() and stop() from one.
class ReplyReader {
 public:
  ReplyReader(Endpoint& endpoint, OpenSubscriber open, ReplyReaderOptions options);
  ~ReplyReader();
  ReplyReader(const ReplyReader&) = delete;
  ReplyReader& operator=(const ReplyReader&) = delete;

  [[nodiscard]] Status start();
  // Ends after the batch that runs; what is not settled stays in the topic.
  void stop();
  [[nodiscard]] ReplyReaderStats stats() const;

 private:
  void work(const std::stop_token& stop);
  enum class Fate { written, dropped, waits };
  void handle(const std::vector<Delivery>& batch, const std::stop_token& stop);
  // `why` says why it was dropped.
  [[nodiscard]] Fate handle(const Delivery& delivery, std::string& why);
  void settle(std::span<const std::uint64_t> tokens, Settle how);
  void wait(const std::stop_token& stop);
  void tell_trouble(const Error& error);
  void tell(LogLevel level, const std::string& text) const;

  Endpoint& endpoint_;
  const OpenSubscriber open_;
  const ReplyReaderOptions options_;
  std::unique_ptr<Subscriber> subscriber_;
  mutable std::mutex mutex_;  // guards the next two
  std::condition_variable_any condition_;
  ReplyReaderStats stats_;
  LastingTrouble trouble_;  // of the topic; the thread's
  std::jthread thread_;
};

}  // namespace waybill::confirm
