// Decides what a relay does next: events in, actions out; no I/O, threads, clock or payloads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "waybill/clock.hpp"
#include "waybill/error.hpp"
#include "waybill/message_state.hpp"
#include "waybill/message_store.hpp"
#include "waybill/publisher.hpp"
#include "waybill/relay/engine_options.hpp"
#include "waybill/route.hpp"

namespace waybill::relay {

// Names are interned by whoever drives the engine: small numbers from 0 on, never re-used.
using TypeId = std::uint32_t;
using DestinationId = std::uint32_t;
// Names one store call; its answer or failure comes back with it, exactly once.
using RequestId = std::uint64_t;

// A row without its payload.
struct RowHead {
  std::int64_t id = 0;
  MessageState from = MessageState::INIT;
  DatabaseTime at{};        // its place in the lane: gmt_modified or next_attempt_at
  DatabaseTime modified{};  // gmt_modified
  std::optional<DatabaseTime> accepted_at;  // when a broker first had it
  std::uint64_t key_hash = 0;               // 0 = no key
  std::size_t bytes = 0;                    // of the payload
  std::uint32_t epoch = 0;
  std::uint32_t sends = 0;
  std::uint32_t refusals = 0;
  bool defect = false;  // cannot be published: goes DEAD
};

// ---- events -----------------------------------------------------------------------------------

// The route of a type, or that it has none. Told before the type appears anywhere else, and again
// at each change.
struct RouteIs {
  TypeId type = 0;
  bool routed = false;
  DestinationId destination = 0;
  bool confirmed = false;  // consumers have to confirm
  bool held = false;       // an in-process sender goes first
  Ordering ordering = Ordering::none;
  Millis confirm_deadline{30'000};
  std::int64_t version = 0;  // another at each change of the route in the database
};
// How far the slowest required consumer of a type has come. Without `recorded` the store cannot
// say.
struct ProgressIs {
  TypeId type = 0;
  bool recorded = false;
  DatabaseTime confirmed_sent{};                          // the epoch's start: has never confirmed
  std::chrono::seconds retention = std::chrono::days(7);  // the shortest of the consumers
};
// The progress of a type with that route (null: none) from what is known of consumers. The slowest
// one counts, and the one that forgets first; who has not said how long it remembers does so for
// `retention_default`.
[[nodiscard]] ProgressIs progress_of(TypeId type, std::string_view name, const Route* route,
                                     const std::optional<std::vector<ConsumerProgress>>& known,
                                     std::chrono::seconds retention_default);
struct RoutesRead {
  RequestId request = 0;
};
struct TypesListed {
  RequestId request = 0;
  std::span<const TypeId> types;
};
struct RowsRead {
  RequestId request = 0;
  std::span<const RowHead> rows;  // in the lane's order
  bool exhausted = false;
  DatabaseTime now{};
};
struct SettledRead {
  RequestId request = 0;
  std::span<const SettledRow> rows;
  LaneCursor last{};
  bool exhausted = false;
};
// A row that holds back later rows of its key, as the store has it.
struct KeyBlockHead {
  std::int64_t id = 0;
  std::uint64_t key_hash = 0;
  MessageState state = MessageState::RETRY;
  std::uint32_t epoch = 0;
  bool accepted = false;
};
struct KeysRead {
  RequestId request = 0;
  std::span<const KeyBlockHead> blocks;
  bool complete = true;  // false: there are more than were asked for
};
struct Published {
  std::int64_t id = 0;
  PublishResult result = PublishResult::unknown;
  Millis retry_after{0};
};
// A Publish that was not tried, because it came too late.
struct Withdrawn {
  std::int64_t id = 0;
};
struct MarksDone {
  RequestId request = 0;
  std::span<const Marked> results;
  bool deposed = false;  // judgements only: the lease is somebody else's, nothing changed
};
struct LeaseSeen {
  RequestId request = 0;
  LeaseView lease;
};
// The answer to TakeLease and RenewLease.
struct LeaseIs {
  RequestId request = 0;
  std::optional<Lease> lease;
};
struct LeaseReleased {
  RequestId request = 0;
};
struct Failed {
  RequestId request = 0;
  Remedy remedy = Remedy::retry;
};
struct Rung {};  // rows may have been committed
struct Stop {};  // read and publish no more, mark what comes back, release
struct Tick {};  // time passed

using Event = std::variant<RouteIs, ProgressIs, RoutesRead, TypesListed, RowsRead, SettledRead,
                           KeysRead, Published, Withdrawn, MarksDone, LeaseSeen, LeaseIs,
                           LeaseReleased, Failed, Rung, Stop, Tick>;

// ---- actions ----------------------------------------------------------------------------------

struct ReadRoutes {  // routes and progress, if changed; RouteIs and ProgressIs first, then
                     // RoutesRead
  RequestId request = 0;
};
struct ListTypes {
  RequestId request = 0;
  Lane lane = Lane::fresh;
};
struct ReadRows {
  RequestId request = 0;
  TypeId type = 0;
  Lane lane = Lane::fresh;
  LaneCursor after;
  Millis overdue_after{0};
  std::uint32_t rows_max = 0;
  std::size_t bytes_max = 0;

  [[nodiscard]] LaneRead of(std::string_view message_type) const {
    return {lane, message_type, after, overdue_after, rows_max, bytes_max};
  }
};
// Those of the next rows of a lane that wait for no consumer any more.
struct ReadSettled {
  RequestId request = 0;
  TypeId type = 0;
  Lane lane = Lane::overdue;
  LaneCursor after;
  std::uint32_t rows_max = 0;

  [[nodiscard]] LaneRead of(std::string_view message_type) const {
    return {.lane = lane, .message_type = message_type, .after = after, .rows_max = rows_max};
  }
};
// The rows of an ordered type that hold back others.
struct ReadKeys {
  RequestId request = 0;
  TypeId type = 0;
  bool confirmed = false;
  std::uint32_t rows_max = 0;
};
// Keep the payload of this row of a page that was just read, until Drop. Rows not named: forget.
struct Admit {
  std::int64_t id = 0;
};
struct Publish {
  std::int64_t id = 0;
  TypeId type = 0;
  DestinationId destination = 0;
};
struct Drop {
  std::int64_t id = 0;
};
struct RowMark {
  std::int64_t id = 0;
  MessageState from = MessageState::INIT;
  Cause cause = Cause::acked;
  std::uint32_t epoch = 0;
  Millis due_in{0};
};
struct MarkRows {
  RequestId request = 0;
  std::vector<RowMark> marks;  // facts, sorted by id
};
struct JudgeRows {
  RequestId request = 0;
  Lease lease;
  std::vector<RowMark> marks;  // judgements, sorted by id; the driver adds each row's reason
};
struct LookAtLease {
  RequestId request = 0;
};
struct TakeLease {
  RequestId request = 0;
  LeaseView seen;  // last
};
struct RenewLease {
  RequestId request = 0;
  Lease lease;
};
struct ReleaseLease {
  RequestId request = 0;
  Lease lease;
};
// What has not been submitted to a broker by then must not be: answer Withdrawn.
struct PublishUntil {
  Steady until;
};

enum class Alarm {
  type_without_route,   // subject: type
  destination_refuses,  // subject: type whose lane stopped (unroutable, unknown topic, denied)
  destination_down,     // subject: destination whose breaker opened
  message_dead,         // subject: type; never heals
  consumer_silent,      // subject: type
  key_blocked,          // subject: type of ordered messages; a row keeps later ones of its key back
  too_many_blocks,      // subject: type of ordered messages; too many rows do so: the type waits
  too_many_types,       // subject: 0
  store_fails,          // subject: 0
  lease_lost,           // subject: 0; never heals
};
struct RaiseAlarm {
  Alarm alarm = Alarm::store_fails;
  std::uint32_t subject = 0;
  bool raised = true;   // false: it healed
  std::int64_t id = 0;  // the row, with message_dead
};

using Action = std::variant<ReadRoutes, ListTypes, ReadRows, ReadSettled, ReadKeys, Admit, Publish,
                            Drop, MarkRows, JudgeRows, LookAtLease, TakeLease, RenewLease,
                            ReleaseLease, PublishUntil, RaiseAlarm>;

struct EngineStats {
  std::uint64_t published = 0;
  std::uint64_t marked = 0;
  std::uint64_t refused = 0;
  std::uint64_t resent = 0;
  std::uint64_t dead = 0;
  std::uint64_t left = 0;  // mode once: rows seen that are still to be published
  std::size_t in_flight = 0;
  bool is_leader = false;
  bool was_deposed = false;
  std::uint64_t fence = 0;
};

enum class GateState { closed, open, ramping };

struct DestinationView {
  DestinationId destination = 0;
  GateState gate = GateState::closed;
  std::uint64_t in_flight = 0;
};

enum class Mode {
  serve,  // until Stop
  once,   // what can be published now, then release
};

// One relay's decisions about one table.
//
//   std::vector<Action> actions;
//   engine.handle(Tick{}, clock.now(), actions);       // → LookAtLease{1}
//   engine.handle(LeaseSeen{1, {}}, clock.now(), actions);  // free → TakeLease …
//
// **Guarantee**: deterministic: the same options, seed, events and times give the same actions. A
// row is never published again before the outcome of its last Publish was told; a mark names rows
// whose outcome was told; nothing is published without a lease that is surely still ours.
// **Ownership**: copies what it keeps of an event. Memory is bounded by the options: rows_max rows
// in flight, held_max held ids, types_max types.
// **Errors**: none; answers to unknown requests and rows are ignored.
// **Thread safety**: confined to one thread.
class Engine {
 public:
  Engine(const EngineOptions& options, std::uint64_t seed, Mode mode = Mode::serve);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Appends what to do. `now` never goes back.
  void handle(const Event& event, Steady now, std::vector<Action>& actions);
  void handle(std::span<const Event> events, Steady now, std::vector<Action>& actions);

  // When to send a Tick if nothing happens before.
  [[nodiscard]] Steady wake_at() const noexcept;

  // After Stop, or in mode once when all is done: nothing in flight, the lease is released.
  [[nodiscard]] bool finished() const noexcept;

  [[nodiscard]] EngineStats stats() const;
  [[nodiscard]] std::vector<DestinationView> destinations() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace waybill::relay
