#include "subscriber.hpp"

#include <algorithm>

#include "failure.hpp"
#include "waybill/brokers/cloud_events.hpp"
#include "waybill/message_id.hpp"

namespace waybill::kafka {
namespace {

constexpr std::size_t kNameBytesMax = 255;
constexpr Millis kCommitRetry{100};
constexpr Millis kAwayTold{3000};  // a broker that restarts is back by then
constexpr Millis kAwayTellAgain{60'000};
constexpr Millis kAwayLook{100};
constexpr Millis kRevokeCommit{2000};  // the longest that a leaving partition waits for its commit

Steady now() {
  return std::chrono::steady_clock::now();
}

std::string_view bytes(const void* data, std::size_t size) {
  return data == nullptr ? std::string_view()
                         : std::string_view(static_cast<const char*>(data), size);
}

DatabaseTime timestamp_of(const rd_kafka_message_t& message) {
  rd_kafka_timestamp_type_t kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const std::int64_t millis = rd_kafka_message_timestamp(&message, &kind);
  return DatabaseTime(Millis(kind == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? 0 : millis));
}

void read_header(std::string_view name, std::string_view value, Delivery& delivery) {
  if (name.starts_with(kEventPrefix)) {
    cloud_events::read({name.substr(kEventPrefix.size()), value}, delivery);
  } else if (name == cloud_events::kPlainIdHeader && delivery.message_id.empty()) {
    delivery.message_id = value;
  }
}

Delivery read(const rd_kafka_message_t& message, const std::string& topic) {
  Delivery delivery;
  delivery.body = bytes(message.payload, message.len);
  delivery.sent_at = timestamp_of(message);
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0;
         rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
         ++i) {
      read_header(name, bytes(value, size), delivery);
    }
  }
  if (message.key != nullptr) delivery.key = bytes(message.key, message.key_len);
  if (delivery.message_id.empty() || delivery.message_id.size() > kMessageIdBytesMax) {
    // No MessageId on purpose: a consumer parks it, each one under its own name.
    delivery.message_id = "kafka:" + topic + ":" + std::to_string(message.partition) + ":" +
                          std::to_string(message.offset);
  }
  return delivery;
}

}  // namespace

KafkaSubscriber::KafkaSubscriber(const Options& options, const SubscriberOptions& subscriber,
                                 Client client)
    : options_(options), subscriber_(subscriber), client_(std::move(client)) {
  rd_kafka_poll_set_consumer(client_.get());
  queue_.reset(rd_kafka_queue_get_consumer(client_.get()));
}

KafkaSubscriber::~KafkaSubscriber() {
  if (abandoned_) return;
  closing_ = true;
  const Steady until = now() + options_.close_timeout;
  commit_and_wait(to_commit(), until);
  const ClientError refused(rd_kafka_consumer_close_queue(client_.get(), queue_.get()));
  while (!refused && rd_kafka_consumer_closed(client_.get()) == 0 && now() < until) {
    const Event event = next_event(queue_.get(), std::min(until, now() + Millis(20)));
    if (event) handle(event.get());
  }
}

Status KafkaSubscriber::subscribe() {
  const PartitionList topics = list(RD_KAFKA_PARTITION_UA);
  const rd_kafka_resp_err_t error = rd_kafka_subscribe(client_.get(), topics.get());
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return Error{Remedy::fix_call,
               "cannot subscribe to '" + subscriber_.topic + "': " + rd_kafka_err2str(error),
               "check topic and group"};
}

Status KafkaSubscriber::receive(Steady until, std::size_t at_most, std::vector<Delivery>& out) {
  const std::size_t before = out.size();
  for (;;) {
    // Also with something to deliver: rebalances and commits are among the events.
    const bool is_enough = waiting_ > 0 || failure_ || woken_;
    Event event = next_event(queue_.get(), is_enough ? Steady() : until);
    for (std::size_t taken = 1; event; ++taken) {
      handle(event.get());
      if (taken >= at_most) break;
      event = next_event(queue_.get(), Steady());
    }
    deliver(before + at_most, out);
    commit();
    tell_absence();
    const bool woken = woken_.exchange(false);
    if (out.size() > before || failure_ || woken || now() >= until) break;
  }
  if (!failure_ || out.size() > before) return {};
  const Error failure = *std::exchange(failure_, std::nullopt);
  return failure;
}

Status KafkaSubscriber::settle(std::span<const std::uint64_t> tokens, Settle how) {
  for (const std::uint64_t token : tokens) {
    const auto found = delivered_.find(token);
    if (found == delivered_.end()) continue;  // of a partition that was lost
    const Place place = found->second;
    delivered_.erase(found);
    Reading& reading = readings_.at(place.partition);
    if (how == Settle::ack) {
      reading.ack(place.offset);
    } else {
      reading.again(place.offset);
      ++waiting_;
    }
  }
  for (auto& [partition, reading] : readings_) pause_or_resume(partition, reading);
  commit();
  return {};
}

void KafkaSubscriber::wake() noexcept {
  woken_ = true;
  rd_kafka_queue_yield(queue_.get());
}

void KafkaSubscriber::handle(rd_kafka_event_t* event) {
  switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_FETCH:
      while (const rd_kafka_message_t* message = rd_kafka_event_message_next(event)) {
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) take(*message);
      }
      break;
    case RD_KAFKA_EVENT_REBALANCE:
      rebalance(event);
      break;
    case RD_KAFKA_EVENT_OFFSET_COMMIT:
      handle_commit(event);
      break;
    case RD_KAFKA_EVENT_ERROR:
      handle_error(event);
      break;
    default:
      break;
  }
}

void KafkaSubscriber::take(const rd_kafka_message_t& message) {
  if (closing_ || !readings_.contains(message.partition)) return;
  Delivery delivery = read(message, subscriber_.topic);
  if (!readings_.at(message.partition).can_add(message.offset)) forget(message.partition);
  Reading& reading = readings_[message.partition];
  reading.add(message.offset, std::move(delivery));
  ++waiting_;
  pause_or_resume(message.partition, reading);
}

// Begins behind the partition that was last, so that a long one starves no other.
void KafkaSubscriber::deliver(std::size_t size_max, std::vector<Delivery>& out) {
  auto next = readings_.upper_bound(last_delivered_);
  for (std::size_t i = 0; i < readings_.size(); ++i, ++next) {
    if (next == readings_.end()) next = readings_.begin();
    while (out.size() < size_max) {
      const auto delivered = next->second.deliver(next_token_);
      if (!delivered) break;
      delivered_.emplace(next_token_++, Place{next->first, delivered->offset});
      out.push_back(*delivered->delivery);
      --waiting_;
      last_delivered_ = next->first;
    }
    if (out.size() >= size_max) return;
  }
}

void KafkaSubscriber::rebalance(rd_kafka_event_t* event) {
  rd_kafka_topic_partition_list_t* const partitions = rd_kafka_event_topic_partition_list(event);
  const auto each = [&](auto&& act) {
    for (int i = 0; i < partitions->cnt; ++i) act(partitions->elems[i].partition);
  };
  ClientError refused;
  if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    each([&](std::int32_t partition) { readings_[partition]; });
    refused.reset(rd_kafka_incremental_assign(client_.get(), partitions));
  } else {
    if (rd_kafka_assignment_lost(client_.get()) == 0) {
      commit_and_wait(to_commit(partitions), now() + kRevokeCommit);
    }
    each([&](std::int32_t partition) {
      forget(partition);
      readings_.erase(partition);
    });
    refused.reset(rd_kafka_incremental_unassign(client_.get(), partitions));
  }
  if (refused) {
    failure_ =
        Error{Remedy::retry, std::string("rebalance: ") + rd_kafka_error_string(refused.get()), ""};
  }
}

// Its tokens mean nothing any more.
void KafkaSubscriber::forget(std::int32_t partition) {
  Reading& reading = readings_[partition];
  waiting_ -= reading.waiting();
  reading = {};
  std::erase_if(delivered_, [&](const auto& entry) { return entry.second.partition == partition; });
}

void KafkaSubscriber::handle_error(rd_kafka_event_t* event) {
  const rd_kafka_resp_err_t error = rd_kafka_event_error(event);
  // Of another process that took the instance, or of the client itself: it stands still for good.
  const bool is_fatal =
      error == RD_KAFKA_RESP_ERR__FATAL || error == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
  if (!is_fatal && !is_destination_failure(error)) {  // librdkafka tries again
    if (error != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
      trouble_ = rd_kafka_event_error_string(event);
    } else if (!look_at_) {
      look_at_ = now() + kAwayTold;
    }
    return;
  }
  failure_ = Error{Remedy::fix_call,
                   "topic '" + subscriber_.topic + "', group '" + subscriber_.group +
                       "': " + rd_kafka_event_error_string(event),
                   is_fatal ? "is its `instance` in use by another process? then name another"
                            : "create the topic, or grant access"};
}

// A host may have an address that nobody listens on, and a quiet topic gives no sign of life: so it
// is looked whether a broker answers.
void KafkaSubscriber::tell_absence() {
  if (failure_ || !look_at_ || now() < *look_at_) return;
  const rd_kafka_metadata_t* found = nullptr;
  const rd_kafka_resp_err_t error =
      rd_kafka_metadata(client_.get(), 0, nullptr, &found, static_cast<int>(kAwayLook.count()));
  if (found != nullptr) rd_kafka_metadata_destroy(found);
  look_at_.reset();
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return;
  look_at_ = now() + kAwayTellAgain;
  failure_ = Error{Remedy::retry,
                   "topic '" + subscriber_.topic + "', group '" + subscriber_.group +
                       "': no broker of '" + brokers_of(options_) + "' answers: " + trouble_,
                   "check host, port, TLS and credentials"};
}

bool KafkaSubscriber::is_full(const Reading& reading, std::uint32_t share) const noexcept {
  return reading.size() >= std::max(1U, options_.unsettled_max / share) ||
         reading.bytes() >= options_.unsettled_bytes_max / share;
}

// Resumes at half, because what was fetched ahead of a pause is fetched again.
void KafkaSubscriber::pause_or_resume(std::int32_t partition, Reading& reading) {
  const bool pause = is_full(reading, reading.paused ? 2 : 1);
  if (pause == reading.paused) return;
  reading.paused = pause;
  const PartitionList one = list(partition);
  if (pause) {
    rd_kafka_pause_partitions(client_.get(), one.get());
  } else {
    rd_kafka_resume_partitions(client_.get(), one.get());
  }
}

PartitionList KafkaSubscriber::list(std::int32_t partition) const {
  PartitionList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), subscriber_.topic.c_str(), partition);
  return list;
}

PartitionList KafkaSubscriber::to_commit(const rd_kafka_topic_partition_list_t* only) {
  PartitionList offsets;
  for (const auto& [partition, reading] : readings_) {
    const auto offset = reading.to_commit();
    if (!offset) continue;
    if (only != nullptr && rd_kafka_topic_partition_list_find(
                               const_cast<rd_kafka_topic_partition_list_t*>(only),  // NOLINT
                               subscriber_.topic.c_str(), partition) == nullptr) {
      continue;
    }
    if (!offsets) offsets.reset(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(offsets.get(), subscriber_.topic.c_str(), partition)->offset =
        *offset;
  }
  return offsets;
}

void KafkaSubscriber::commit() {
  if (committing_ || now() < commit_from_) return;
  const PartitionList offsets = to_commit();
  if (!offsets) return;
  committing_ = rd_kafka_commit_queue(client_.get(), offsets.get(), queue_.get(), nullptr,
                                      nullptr) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

void KafkaSubscriber::commit_and_wait(PartitionList offsets, Steady until) {
  if (!offsets) return;
  const Queue answers(rd_kafka_queue_new(client_.get()));
  if (rd_kafka_commit_queue(client_.get(), offsets.get(), answers.get(), nullptr, nullptr) !=
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    return;
  }
  const Event event = next_event(answers.get(), until);
  if (event) note_commit(event.get());
}

void KafkaSubscriber::handle_commit(rd_kafka_event_t* event) {
  committing_ = false;
  note_commit(event);
  if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
    commit_from_ = now() + kCommitRetry;
}

void KafkaSubscriber::note_commit(rd_kafka_event_t* event) {
  if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  const rd_kafka_topic_partition_list_t* const offsets = rd_kafka_event_topic_partition_list(event);
  for (int i = 0; offsets != nullptr && i < offsets->cnt; ++i) {
    const rd_kafka_topic_partition_t& one = offsets->elems[i];
    const auto reading = readings_.find(one.partition);
    if (reading == readings_.end() || one.err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    reading->second.committed(one.offset);
  }
}

Result<std::unique_ptr<Subscriber>> open_subscriber(const Options& options,
                                                    const SubscriberOptions& subscriber) {
  if (auto valid = check(options); !valid) return valid.error();
  if (!is_topic_name(subscriber.topic)) {
    return Error{Remedy::fix_call, "no topic can be named '" + subscriber.topic + "'",
                 "use 1 to 249 of A-Z a-z 0-9 . _ -"};
  }
  if (subscriber.group.empty() || subscriber.group.size() > kNameBytesMax ||
      subscriber.member.size() > kNameBytesMax || subscriber.instance.size() > kNameBytesMax) {
    return Error{Remedy::fix_call, "a subscriber needs a group, and names of at most 255 bytes",
                 "name the group"};
  }
  auto client = make_consumer(options, subscriber);
  if (!client) return client.error();
  auto opened = std::make_unique<KafkaSubscriber>(options, subscriber, std::move(*client));
  if (auto joined = opened->subscribe(); !joined) return joined.error();
  return std::unique_ptr<Subscriber>(std::move(opened));
}

}  // namespace waybill::kafka
