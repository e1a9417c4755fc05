// What the engine remembers of one message type between two reads.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "gate.hpp"
#include "waybill/relay/engine.hpp"

namespace waybill::relay {

inline constexpr std::int64_t kNoId = std::numeric_limits<std::int64_t>::max();

// The ways to read a type. Three walk over the fresh lane: `head` follows the newest rows,
// `backlog` works off what head jumped over, `late` looks again at what head passed (late
// committers, rows given back, held rows, full rescans).
enum class Stream : std::uint8_t { head, backlog, late, search, due, overdue };
inline constexpr std::size_t kStreams = 6;

struct StreamState {
  bool wanted = false;
  bool reading = false;
  LaneCursor after{};
  std::int64_t until = kNoId;   // fresh lane: the last id that counts
  Steady::duration cost{};      // of the reads of this pass; not the waits for room between them
  Steady not_before{};          // the last page had no row that could be taken
  std::uint32_t in_flight = 0;  // rows that came this way and have no outcome yet
};

// Why the late stream looks again.
enum class LateReason : std::uint8_t { reread, rescan, given_back, released };

// Where the head was, so that rows which commit late with a small id are found again.
class HeadHistory {
 public:
  void reset(Steady now, std::int64_t head) { places_.assign(1, {now, head}); }
  void note(Steady now, std::int64_t head, Millis spacing, Millis window);
  [[nodiscard]] std::int64_t oldest() const { return places_.empty() ? 0 : places_.front().second; }

 private:
  std::deque<std::pair<Steady, std::int64_t>> places_;
};

// Rows that an in-process sender may be sending, each with the time when the engine first saw it.
class HeldRows {
 public:
  enum class Answer { unknown, wait, go };
  // `go`: held long enough before `asked_at`, when the read that shows the row still INIT began.
  [[nodiscard]] Answer look(std::int64_t id, Steady asked_at, Millis grace) const;
  void hold(std::int64_t id, Steady now);
  void forget(std::int64_t id) { ids_.erase(id); }
  // Forgets the rows in (after, until] that were held before `asked_at` and are not in `ids`,
  // sorted: they are INIT no more. Returns how many.
  std::size_t forget_absent(std::int64_t after, std::int64_t until, Steady asked_at,
                            const std::vector<std::int64_t>& ids);
  std::size_t clear();

  [[nodiscard]] bool empty() const noexcept { return ids_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return ids_.size(); }
  [[nodiscard]] std::int64_t lowest() const { return ids_.begin()->first; }
  // When the first of them has been held for `grace`; Steady::max() without any.
  [[nodiscard]] Steady ripe_at(Millis grace);

 private:
  std::map<std::int64_t, Steady> ids_;
  std::deque<std::pair<Steady, std::int64_t>> order_;  // by time; entries of forgotten rows linger
};

// At most one in `interval` on average, a burst of `burst` after a pause.
class Pace {
 public:
  [[nodiscard]] bool take(Steady now, std::chrono::nanoseconds interval, Millis burst);

 private:
  Steady next_at_{};
};

// Rows of a type that wait for no consumer any more because its route changed are looked for twice:
// a confirmation that was judged by the old route may commit after the first pass.
inline constexpr unsigned kSettlePasses = 2;

struct SettleState {
  unsigned passes = kSettlePasses;  // still to come; copies wait for the first one
  Steady at{};                      // not before
  Lane lane = Lane::overdue;
  LaneCursor after{};
};

struct TypeState {
  RouteIs route;
  ProgressIs progress;
  bool known = false;  // a route was told, even if it says "none"

  Gate gate;
  std::uint32_t in_flight = 0;  // admitted without outcome, or reserved by a read

  std::array<bool, 3> present{};  // by Lane, as listed last
  std::array<StreamState, kStreams> streams;
  std::uint32_t turn = 0;  // whose stream is asked first
  HeadHistory history;
  HeldRows held;
  std::int64_t give_back_from = kNoId;  // the smallest fresh row without a clear outcome
  Steady give_back_at{};
  Steady late_at{};
  Steady rescan_at{};
  LateReason late_reason = LateReason::reread;
  Steady release_at{};           // not before: held rows are looked at in batches
  std::uint32_t full_pages = 0;  // of head, in a row
  std::int64_t search_low = 0;   // there are rows behind it
  std::int64_t search_high = 0;  // there are none behind it; 0 = not known yet
  std::array<Steady, 3> next_pass_at{};
  std::array<bool, 3> passed{};  // the lane was read to its end since the lease began

  // Ordered types: which keys are held back.
  bool keys_known = false;
  bool keys_reading = false;
  Steady keys_at{};

  SettleState settle;

  Pace resends;
  bool probing = false;      // a probe is in flight
  std::uint32_t probes = 0;  // since the consumer was heard of last
  Steady next_probe_at{};

  StreamState& operator[](Stream stream) { return streams[static_cast<std::size_t>(stream)]; }
};

}  // namespace waybill::relay
