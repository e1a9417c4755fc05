// Every limit and wait of the relay, with its default.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "waybill/clock.hpp"

namespace waybill::relay {

// What the engine is tuned by. All of it is read once, at construction.
struct EngineOptions {
  // Lease. The holder renews every ttl/3 and stops publishing at ttl - ttl/4 after it asked for the
  // last renewal that succeeded; a taker waits ttl + ttl/4. Longer: slower take-over; shorter: less
  // patience with a slow database.
  Millis ttl{2000};  // 200 ms … 5 min; must be the same in every relay of a table

  // Rows of types with dispatch sync or async are left to the in-process sender for this long.
  Millis grace{1000};  // must equal the dispatcher's

  // Memory. Payloads never exceed bytes_max plus one page per store session.
  std::uint32_t window = 1000;                       // publishes in flight, a destination
  std::size_t window_bytes = std::size_t{16} << 20;  // their payloads, a destination
  std::uint32_t rows_max = 20'000;                   // rows known to the engine, all destinations
  std::size_t bytes_max = std::size_t{64} << 20;     // payloads, all destinations
  std::uint32_t held_max = 50'000;                   // rows left to in-process senders, all types
  std::uint32_t types_max = 1000;                    // message types; rows of further ones wait
  std::uint32_t page_rows = 500;                     // rows of one read
  std::size_t page_bytes = std::size_t{4} << 20;     // payload of one read
  std::uint32_t mark_rows = 1500;                    // rows of one mark
  std::uint32_t reads_max = 2;                       // reads at the same time

  // Message failures: retry_first, doubling up to retry_max, ± 20 %; dead at the last refusal.
  Millis retry_first{1000};
  Millis retry_max = std::chrono::hours(1);
  std::uint32_t refusals_max = 12;

  // Transport and destination failures.
  Millis probe_interval{500};                      // one message at a time until one succeeds
  std::uint32_t unknowns_max = 5;                  // time-outs in a row that open the breaker
  Millis republish_after{100};                     // what had no clear outcome is read again
  Millis throttle_max = std::chrono::seconds(30);  // the longest wish of a broker that counts

  // Looking for rows. A ring looks at once.
  Millis poll_busy{5};         // right after something was found
  Millis poll_idle{100};       // grows to this while nothing is found
  Millis ring_gap{1};          // rings closer together than this are one
  Millis slow_poll{200};       // due and overdue lanes
  Millis late_reread{250};     // how often late committers are looked for
  Millis late_window{10'000};  // how far back
  Millis rescan_min{5000};     // full rescan of a lane: every max(this, cost × factor)
  std::uint32_t rescan_factor = 20;
  Millis keys_poll{100};         // ordered types, while rows of a key wait for an earlier one
  Millis routes_interval{1000};  // route changes and consumers' progress

  // Messages that the broker has and a consumer has not confirmed.
  std::uint32_t resends_per_second = 1000;      // a type whose consumer has passed them by
  std::uint32_t resends_per_second_blind = 20;  // a type in a store without progress records
  Millis resend_max = std::chrono::hours(1);    // the longest wait between copies and probes
  std::chrono::seconds retention_default = std::chrono::days(7);  // until the consumer says

  // Store failures: 100 ms, doubling.
  Millis store_retry_first{100};
  Millis store_retry_max{5000};
};

}  // namespace waybill::relay
