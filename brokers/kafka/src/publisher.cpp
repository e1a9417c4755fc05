#include "publisher.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "failure.hpp"
#include "waybill/message_id.hpp"

namespace waybill::kafka {
namespace {

constexpr std::size_t kReasonBytesMax = 512;
constexpr std::size_t kTopicsMax = 1000;
constexpr Millis kReplaceInterval{1000};  // a new client may fail at once, for the same reason

// The opaque pointer of a message is its slot's index.
void* to_opaque(std::uint32_t index) {
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(index));  // NOLINT
}

std::uint32_t from_opaque(const void* opaque) {
  return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(opaque));  // NOLINT
}

rd_kafka_vu_t memory(rd_kafka_vtype_t kind, std::string_view bytes) {
  rd_kafka_vu_t argument{};
  argument.vtype = kind;
  // A null pointer would mean "no value", which deletes in a compacted topic.
  argument.u.mem.ptr = const_cast<char*>(bytes.data() == nullptr ? "" : bytes.data());  // NOLINT
  argument.u.mem.size = bytes.size();
  return argument;
}

void add(rd_kafka_headers_t* headers, std::string_view name, std::string_view value) {
  const char* const bytes = value.data() == nullptr ? "" : value.data();
  rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()), bytes,
                      static_cast<ssize_t>(value.size()));
}

}  // namespace

KafkaPublisher::KafkaPublisher(const Options& options, Client client) : options_(options) {
  adopt(std::move(client));
}

PublisherTraits KafkaPublisher::traits() const {
  return {options_.window_max, options_.body_bytes_max, false};
}

std::size_t KafkaPublisher::submit(std::span<const Outgoing> messages) {
  if (closed_ || fatal_ || !suspects_.empty()) return 0;
  messages = messages.first(std::min(messages.size(), options_.window_max - in_flight()));
  // Beforehand: librdkafka sends as soon as it has a message, and the sooner the others follow, the
  // more of them share its requests.
  std::vector<Headers> headers;
  headers.reserve(messages.size());
  for (const Outgoing& message : messages) headers.push_back(headers_of(message));
  std::size_t accepted = 0;
  for (const Outgoing& message : messages) {
    const Index index = take_slot(message);
    if (!hand_over(index, std::move(headers[accepted]))) {
      free_slot(index);
      break;
    }
    ++accepted;
  }
  return accepted;
}

void KafkaPublisher::poll(Steady until, OutcomeSink& sink) {
  answered_ = false;
  give_refusals(sink);
  work(until, sink);
}

void KafkaPublisher::wake() noexcept {
  woken_ = true;
  const std::lock_guard lock(queue_mutex_);
  if (queue_) rd_kafka_queue_yield(queue_.get());
}

void KafkaPublisher::close(Steady deadline, OutcomeSink& sink) {
  closed_ = true;
  do {
    poll(deadline, sink);
  } while (in_flight() > 0 && std::chrono::steady_clock::now() < deadline);
  for (Index index = 0; index < slots_.size(); ++index) {
    if (!slots_[index].used) continue;
    answer(index, PublishResult::unknown, "closed before the broker answered", sink);
  }
  adopt(nullptr);
}

void KafkaPublisher::provoke_fatal_error() noexcept {
  rd_kafka_test_fatal_error(client_.get(), RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
                            "provoked by a test");
}

// The old client ends its threads after the lock: whoever calls wake() must not wait for that.
void KafkaPublisher::adopt(Client client) {
  topics_.clear();
  Queue queue(client ? rd_kafka_queue_get_main(client.get()) : nullptr);
  {
    const std::lock_guard lock(queue_mutex_);
    queue.swap(queue_);
  }
  queue.reset();
  client_ = std::move(client);
}

// After a fatal error, when nothing is in flight any more.
void KafkaPublisher::replace_client() {
  replace_from_ = std::chrono::steady_clock::now() + kReplaceInterval;
  auto client = make_producer(options_);
  if (!client) return;  // out of threads or files
  adopt(std::move(*client));
  fatal_ = false;
  trouble_ = {};
}

KafkaPublisher::Index KafkaPublisher::take_slot(const Outgoing& message) {
  if (free_.empty()) {
    free_.push_back(static_cast<Index>(slots_.size()));
    slots_.emplace_back();
  }
  const Index index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  slot.message = message;
  slot.used = true;
  slot.alone = false;
  return index;
}

void KafkaPublisher::free_slot(Index index) {
  slots_[index].used = false;
  free_.push_back(index);
}

// False: librdkafka has no room, or has failed for good.
bool KafkaPublisher::hand_over(Index index, Headers headers) {
  const Outgoing& message = slots_[index].message;
  const auto refused = [&](PublishResult result, std::string reason) {
    refusals_.push_back({index, result, std::move(reason)});
    return true;
  };
  if (message.body.size() > options_.body_bytes_max) {
    return refused(PublishResult::rejected, "the body is over body_bytes_max");
  }
  if (message.message_id.empty() || message.message_id.size() > kMessageIdBytesMax) {
    return refused(PublishResult::rejected, "the message id is empty or over 768 bytes");
  }
  const rd_kafka_resp_err_t error = produce(message, index, std::move(headers));
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++handed_over_;
    return true;
  }
  if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL || error == RD_KAFKA_RESP_ERR__FATAL) return false;
  const PublishResult result = classify(error, RD_KAFKA_MSG_STATUS_NOT_PERSISTED, trouble_.error);
  return refused(result, reason_of(error, result, message.destination));
}

rd_kafka_resp_err_t KafkaPublisher::produce(const Outgoing& message, Index index, Headers headers) {
  rd_kafka_topic_t* const topic = topic_of(message.destination);
  if (topic == nullptr) return RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
  std::array<rd_kafka_vu_t, 6> arguments;
  std::size_t size = 0;
  const auto add = [&](rd_kafka_vtype_t kind) -> rd_kafka_vu_t& {
    arguments[size].vtype = kind;
    return arguments[size++];
  };
  add(RD_KAFKA_VTYPE_RKT).u.rkt = topic;
  add(RD_KAFKA_VTYPE_MSGFLAGS).u.i = RD_KAFKA_MSG_F_COPY;
  add(RD_KAFKA_VTYPE_OPAQUE).u.ptr = to_opaque(index);
  arguments[size++] = memory(RD_KAFKA_VTYPE_VALUE, message.body);
  if (!message.key.empty()) arguments[size++] = memory(RD_KAFKA_VTYPE_KEY, message.key);
  add(RD_KAFKA_VTYPE_HEADERS).u.headers = headers.get();
  const ClientError error(rd_kafka_produceva(client_.get(), arguments.data(), size));
  if (error && rd_kafka_error_is_fatal(error.get()) != 0) return RD_KAFKA_RESP_ERR__FATAL;
  if (error) return rd_kafka_error_code(error.get());
  static_cast<void>(headers.release());  // the message owns them now
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

// Handed over whole: librdkafka 2.0 frees headers that it collected itself twice when it refuses
// the message.
Headers KafkaPublisher::headers_of(const Outgoing& message) {
  Headers headers(rd_kafka_headers_new(8));
  if (options_.format == WireFormat::plain) {
    add(headers.get(), cloud_events::kPlainIdHeader, message.message_id);
    return headers;
  }
  if (message.sent_at != sent_at_) {
    sent_at_ = message.sent_at;
    sent_at_text_ = cloud_events::to_rfc3339(sent_at_);
  }
  const cloud_events::Attributes event(message, sent_at_text_, options_.source);
  std::string header(kEventPrefix);
  for (const auto& [name, value] : event.all()) {
    header.replace(kEventPrefix.size(), header.npos, name);
    add(headers.get(), header, value);
  }
  return headers;
}

rd_kafka_topic_t* KafkaPublisher::topic_of(std::string_view name) {
  const auto known = topics_.find(name);
  if (known != topics_.end()) return known->second.get();
  if (!is_topic_name(name)) return nullptr;
  if (topics_.size() >= kTopicsMax) topics_.clear();
  const std::string text(name);
  Topic topic(rd_kafka_topic_new(client_.get(), text.c_str(), nullptr));
  if (!topic) return nullptr;
  return topics_.emplace(text, std::move(topic)).first->second.get();
}

void KafkaPublisher::give_refusals(OutcomeSink& sink) {
  while (!refusals_.empty()) {
    const Answer refusal = std::move(refusals_.front());
    refusals_.pop_front();
    answer(refusal.slot, refusal.result, refusal.reason, sink);
  }
}

void KafkaPublisher::answer(Index index, PublishResult result, std::string_view reason,
                            OutcomeSink& sink) {
  free_slot(index);
  answered_ = true;
  sink.on_outcome({slots_[index].message.token, result, Millis(0), reason});
}

// Serves events until an outcome was delivered, `until`, or wake(); then those that are there.
void KafkaPublisher::work(Steady until, OutcomeSink& sink) {
  for (;;) {
    go_on();
    give_refusals(sink);
    const bool is_enough = answered_ || woken_.exchange(false);
    if (is_enough) until = Steady();
    if (!queue_) return;
    // Asking an empty queue costs librdkafka a system call.
    if (is_enough && rd_kafka_queue_length(queue_.get()) == 0) return;
    const bool waits_for_client = fatal_ && handed_over_ == 0 && !closed_;
    const Event event =
        next_event(queue_.get(), waits_for_client ? std::min(until, replace_from_) : until);
    if (event) {
      handle(event.get(), sink);
    } else if (std::chrono::steady_clock::now() >= until) {
      return;
    }
  }
}

// What has waited for the messages in flight to be answered.
void KafkaPublisher::go_on() {
  if (handed_over_ > 0) return;
  if (fatal_ && !closed_ && std::chrono::steady_clock::now() >= replace_from_) replace_client();
  if (suspects_.empty() || fatal_) return;
  const Index index = suspects_.front();
  suspects_.pop_front();
  slots_[index].alone = true;
  if (!hand_over(index, headers_of(slots_[index].message))) suspects_.push_front(index);
}

void KafkaPublisher::handle(rd_kafka_event_t* event, OutcomeSink& sink) {
  switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_DR:
      while (const rd_kafka_message_t* report = rd_kafka_event_message_next(event)) {
        handle_report(*report, sink);
      }
      break;
    case RD_KAFKA_EVENT_ERROR:
      handle_error(event);
      break;
    default:
      break;
  }
}

void KafkaPublisher::handle_report(const rd_kafka_message_t& report, OutcomeSink& sink) {
  const Index index = from_opaque(report._private);
  --handed_over_;
  const PublishResult result =
      classify(report.err, rd_kafka_message_status(&report), trouble_.error);
  if (result == PublishResult::acked) {
    trouble_ = {};
    return answer(index, result, {}, sink);
  }
  // The broker refuses a batch as a whole, because of one message or because of its size.
  if (result == PublishResult::rejected && !slots_[index].alone) {
    suspects_.push_back(index);
    return;
  }
  answer(index, result, reason_of(report.err, result, rd_kafka_topic_name(report.rkt)), sink);
}

void KafkaPublisher::handle_error(rd_kafka_event_t* event) {
  std::array<char, kReasonBytesMax> text{};
  const rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(client_.get(), text.data(), text.size());
  if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR) {
    fatal_ = true;  // librdkafka ends what is queued, and tells the fate of what is in flight
    trouble_ = {fatal, std::string("fatal: ") + text.data()};
    return;
  }
  const rd_kafka_resp_err_t error = rd_kafka_event_error(event);
  // It follows each failure of the last connection, which says more.
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !trouble_.text.empty()) return;
  trouble_ = {error, rd_kafka_event_error_string(event)};
}

std::string KafkaPublisher::reason_of(rd_kafka_resp_err_t error, PublishResult result,
                                      std::string_view topic) const {
  std::string reason;
  if (result == PublishResult::destination_down) reason = "topic '" + std::string(topic) + "': ";
  reason += rd_kafka_err2str(error);
  if (!trouble_.text.empty()) reason += "; last trouble: " + trouble_.text;
  reason.resize(std::min(reason.size(), kReasonBytesMax));
  return reason;
}

Result<std::unique_ptr<Publisher>> open_publisher(const Options& options) {
  if (auto valid = check(options); !valid) return valid.error();
  auto client = make_producer(options);
  if (!client) return client.error();
  return std::unique_ptr<Publisher>(std::make_unique<KafkaPublisher>(options, std::move(*client)));
}

}  // namespace waybill::kafka
