// librdkafka's handles, owned, and how waybill configures them.
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>
#include <string>
#include <string_view>

#include "waybill/brokers/kafka.hpp"

namespace waybill::kafka {

template <auto kDestroy>
struct Destroy {
  template <class T>
  void operator()(T* handle) const noexcept {
    kDestroy(handle);
  }
};

template <class T, auto kDestroy>
using Owned = std::unique_ptr<T, Destroy<kDestroy>>;

// Without a goodbye to a consumer group: a subscriber says it itself, within its deadline.
inline void destroy_client(rd_kafka_t* client) noexcept {
  rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

using Client = Owned<rd_kafka_t, destroy_client>;
using Queue = Owned<rd_kafka_queue_t, rd_kafka_queue_destroy>;
using Event = Owned<rd_kafka_event_t, rd_kafka_event_destroy>;
using Topic = Owned<rd_kafka_topic_t, rd_kafka_topic_destroy>;
using Headers = Owned<rd_kafka_headers_t, rd_kafka_headers_destroy>;
using PartitionList = Owned<rd_kafka_topic_partition_list_t, rd_kafka_topic_partition_list_destroy>;
using ClientError = Owned<rd_kafka_error_t, rd_kafka_error_destroy>;

// Room for key and headers beside the largest body.
inline constexpr std::size_t kEnvelopeBytesMax = std::size_t{64} << 10;

// Of the headers that hold CloudEvents attributes.
inline constexpr std::string_view kEventPrefix = "ce_";

[[nodiscard]] Status check(const Options& options);
[[nodiscard]] bool is_topic_name(std::string_view name) noexcept;

// Clients that report by events. They connect by themselves, later.
[[nodiscard]] Result<Client> make_producer(const Options& options);
[[nodiscard]] Result<Client> make_consumer(const Options& options,
                                           const SubscriberOptions& subscriber);

// The brokers without the URL's prefix.
[[nodiscard]] std::string brokers_of(const Options& options);

// The next event, or nothing: at `until`, or earlier after rd_kafka_queue_yield.
[[nodiscard]] Event next_event(rd_kafka_queue_t* queue, Steady until);

}  // namespace waybill::kafka
