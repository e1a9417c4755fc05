// The engine's memory and its rules, split over engine*.cpp.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "gate.hpp"
#include "lane_state.hpp"
#include "lease_keeper.hpp"
#include "waybill/relay/engine.hpp"

namespace waybill::relay {

class Engine::State {
 public:
  State(const EngineOptions& options, std::uint64_t seed, Mode mode);

  void handle(std::span<const Event> events, Steady now, std::vector<Action>& actions);

  [[nodiscard]] Steady wake_at() const noexcept { return wake_at_; }
  [[nodiscard]] bool finished() const noexcept { return released_; }
  [[nodiscard]] EngineStats stats() const;
  [[nodiscard]] std::vector<DestinationView> destinations() const;

 private:
  // What the store is asked to do; one may fail for long while the others work: a server that is
  // read-only, a right that is missing.
  enum class Work { reading, leasing, marking };
  enum class Kind { routes, list, read, settled, keys, mark, judge, look, take, renew, release };
  struct StoreTrouble {
    std::uint32_t failures = 0;  // in a row
    Steady retry_at{};
  };
  struct Request {
    Kind kind = Kind::routes;
    Lane lane = Lane::fresh;
    TypeId type = 0;
    DestinationId destination = 0;
    Stream stream = Stream::head;
    LaneCursor after{};
    std::uint32_t reserved = 0;
    std::int64_t route_version = 0;
    Steady asked_at{};
    std::uint64_t term = 0;
    std::vector<RowMark> marks{};
  };

  enum class Phase : std::uint8_t { waiting, publishing, marking, judging };
  struct RowState {
    TypeId type = 0;
    DestinationId destination = 0;
    Stream stream = Stream::head;
    Phase phase = Phase::publishing;
    MessageState from = MessageState::INIT;
    bool accepted = false;
    bool probe = false;
    std::uint32_t epoch = 0;
    std::uint32_t sends = 0;
    std::uint32_t refusals = 0;
    std::uint64_t term = 0;  // the lease under which it was read
    std::uint64_t key = 0;   // of ordered types
    std::size_t bytes = 0;   // as long as the payload is kept
  };

  struct DestinationState {
    Gate gate;
    std::uint32_t in_flight = 0;  // admitted without outcome, or reserved by a read
    std::size_t bytes = 0;
    std::uint32_t unknowns = 0;  // in a row
    std::uint32_t types_present = 0;
  };

  // A row that holds back the later rows of its key.
  struct Blocker {
    MessageState state = MessageState::RETRY;  // INIT: a judgement of it is in doubt
    bool accepted = false;                     // a broker has had it
    std::uint32_t epoch = 0;
    Steady since{};

    [[nodiscard]] bool only_unconfirmed() const { return accepted && state != MessageState::DEAD; }
  };
  // One key of an ordered type: one row in flight, the others of it wait.
  struct KeyState {
    std::int64_t in_flight = 0;                // 0 = none
    std::set<std::int64_t> waiting;            // admitted, in id order
    std::map<std::int64_t, Blocker> blockers;  // by id
    // Fresh rows that could not be taken stay in the table, and the head stream sweeps over them
    // again when the way is free. 0 = none.
    std::int64_t left = 0;  // the lowest
    bool sweeping = false;
    std::int64_t left_in_sweep = 0;  // the lowest that this sweep left
  };
  using KeyName = std::pair<TypeId, std::uint64_t>;

  enum class Admitted { passed, taken, no_room };

  // engine.cpp: events that are not about rows, and the order of decisions
  void on(const RouteIs& event);
  void on(const ProgressIs& event);
  void on(const RoutesRead& event);
  void on(const TypesListed& event);
  void on(const LeaseSeen& event);
  void on(const LeaseIs& event);
  void on(const LeaseReleased& event);
  void on(const Failed& event);
  void on(const Rung& event);
  void on(const Stop& event);
  void on(const Tick&) {}
  void decide();
  void drive_lease();
  void begin_term();
  void end_term();
  void drive_routes();
  void drive_lists();
  void drive_stop();
  [[nodiscard]] bool all_done() const;
  [[nodiscard]] bool settled(const TypeState& type) const;
  [[nodiscard]] static Work work_of(Kind kind);
  [[nodiscard]] StoreTrouble& trouble(Work work) {
    return trouble_[static_cast<std::size_t>(work)];
  }
  void store_answered(Kind kind);
  void store_failed(Kind kind);
  void raise(Alarm alarm, std::uint32_t subject, bool raised, std::int64_t id = 0);

  // engine_reads.cpp: what to read next
  void activate(TypeState& type);
  void start_late(TypeState& type, LateReason reason, std::int64_t after);
  void issue_reads();
  bool issue_read(TypeState& type);
  bool issue_stream(TypeState& type, Stream stream);
  void on(const RowsRead& event);
  void look_at_clock(DatabaseTime now);
  void take_fresh(TypeState& type, const Request& request, const RowsRead& event);
  void end_fresh(TypeState& type, Stream stream);
  void head_goes_on(TypeState& type);
  void take_search(TypeState& type, const RowsRead& event);
  void next_search(TypeState& type);
  [[nodiscard]] std::uint32_t room_of(const TypeState& type) const;
  [[nodiscard]] std::uint32_t stream_room(TypeState& type, Stream stream) const;
  [[nodiscard]] std::size_t bytes_room(const TypeState& type) const;

  // engine_settle.cpp: rows that wait for a consumer which was removed
  void on(const SettledRead& event);
  void drive_settle();
  bool look_for_settled(TypeState& type);
  [[nodiscard]] bool settles_first(const TypeState& type) const;

  // engine_rows.cpp: rows of a page
  Admitted admit_fresh(TypeState& type, const RowHead& row, Stream stream, Steady asked_at);
  void take_slow(TypeState& type, const Request& request, const RowsRead& event);
  Admitted admit_slow(TypeState& type, const RowHead& row, Stream stream, bool& end);
  Admitted admit_resend(TypeState& type, const RowHead& row, Stream stream, bool& end);
  [[nodiscard]] bool has_room(TypeState& type, const RowHead& row, Stream stream) const;
  RowState& remember(TypeState& type, const RowHead& row, Stream stream);
  void publish(TypeState& type, const RowHead& row, Stream stream, bool probe = false);
  void submit(std::int64_t id, const RowState& row);
  void judge(std::int64_t id, RowState& row, Cause cause, Millis due_in);

  // engine_keys.cpp: order per key
  void on(const KeysRead& event);
  void drive_keys();
  [[nodiscard]] bool is_ordered(const TypeState& type, const RowHead& row) const;
  [[nodiscard]] bool is_on_its_way(const TypeState& type, std::int64_t id) const;
  [[nodiscard]] Admitted ask_key(TypeState& type, const RowHead& row, Stream stream);
  [[nodiscard]] static bool has_place(const KeyState& key);
  [[nodiscard]] static bool lower_is_left(const KeyState& key, std::int64_t id);
  static void leave_in_table(KeyState& key, std::int64_t id);
  void sweep(const KeyName& name, KeyState& key);
  void end_sweeps(TypeId type);
  void park(std::int64_t id, RowState& row, KeyState& key);
  void block(const RowState& row, std::int64_t id, MessageState state, bool accepted);
  void key_advanced(std::int64_t id, const RowState& row);
  void key_waits(std::int64_t id, const RowState& row);
  void key_blocked(std::int64_t id, const RowState& row, MessageState state);
  void key_marked(std::int64_t id, const RowState& row);
  void key_in_doubt(std::int64_t id);
  void give_back_waiting(KeyState& key);
  void next_of_key(const KeyName& name);
  void release_parked(const KeyName& name, KeyState& key);
  void forget_free_key(const KeyName& name);
  void rewind_head(TypeState& type, std::int64_t to);
  void forget_waiting();
  void forget_doubts(TypeId type, std::int64_t after, std::int64_t until,
                     const std::vector<std::int64_t>& ids);

  // engine_outcomes.cpp: what became of them
  void on(const Published& event);
  void on(const Withdrawn& event);
  void on(const MarksDone& event);
  void acked(std::int64_t id, RowState& row);
  void rejected(std::int64_t id, RowState& row);
  void transport_failed(std::int64_t id, RowState& row, const Published& event);
  void release_room(RowState& row);
  void leave(std::int64_t id, RowState row);
  void forget(std::int64_t id);
  void flush_marks();
  void marks_failed(Request request, Remedy remedy);
  void count_mark(const RowMark& mark, Marked result);
  void forget_old_marks();
  // The row was marked after the read was asked, which therefore shows what is past.
  [[nodiscard]] bool is_stale(std::int64_t id, Steady asked_at) const;
  [[nodiscard]] Millis resend_wait(std::int64_t id, const RowState& row) const;
  [[nodiscard]] Millis retry_wait(std::int64_t id, std::uint32_t refusals) const;
  [[nodiscard]] std::uint64_t chance(std::int64_t id, std::uint64_t salt) const noexcept;

  [[nodiscard]] bool due(Steady at);
  [[nodiscard]] bool may_publish() const;
  [[nodiscard]] TypeState* type_of(TypeId id);
  RequestId ask(Request request);
  // The open request of that id and kind, taken out; nothing if there is none.
  std::optional<Request> answered(RequestId id);
  template <class A>
  void act(A action) {
    actions_->push_back(Action(std::in_place_type<A>, std::move(action)));
  }

  const EngineOptions options_;
  const std::uint64_t seed_;
  const Mode mode_;
  const std::uint32_t pipeline_;  // rows of a destination: one window publishing, one read ahead

  Steady now_{};
  std::vector<Action>* actions_ = nullptr;
  Steady wake_at_ = Steady::max();

  LeaseKeeper lease_;
  std::uint64_t term_ = 0;  // grows with each lease; answers to reads of an older one are void
  Steady told_until_{};
  bool stopping_ = false;
  bool releasing_ = false;
  bool released_ = false;

  std::map<RequestId, Request> requests_;
  RequestId last_request_ = 0;
  std::uint32_t reads_ = 0;
  // Rows marked while a read was under way, oldest first, and when; a read's time-out bounds them.
  std::deque<std::int64_t> marked_;
  std::unordered_map<std::int64_t, Steady> marked_at_;
  bool marking_ = false;
  bool judging_ = false;
  bool reading_routes_ = false;
  bool settling_ = false;
  std::array<bool, 3> listing_{};

  std::array<StoreTrouble, 3> trouble_;  // per Work

  Steady routes_at_{};
  bool routes_read_ = false;
  std::array<Steady, 3> list_at_{};
  std::array<bool, 3> listed_{};
  Millis poll_;
  Steady ring_at_{};
  bool rung_ = false;

  std::vector<TypeState> types_;
  std::vector<DestinationState> destinations_;
  std::size_t next_type_ = 0;
  std::unordered_map<std::int64_t, RowState> rows_;
  std::map<KeyName, KeyState> keys_;
  std::set<KeyName> sweeping_;
  std::uint32_t reserved_ = 0;
  std::size_t bytes_ = 0;
  std::size_t held_ = 0;
  DatabaseTime database_now_{};                              // of the page that is looked at
  std::optional<std::chrono::microseconds> database_ahead_;  // of the steady clock, as read last
  Steady ages_known_at_{};                                   // not before, after a jump

  std::vector<RowMark> marks_;
  std::vector<RowMark> judgements_;

  EngineStats counters_;
  std::set<std::int64_t> left_;  // mode once
  std::set<std::pair<Alarm, std::uint32_t>> raised_;
};

}  // namespace waybill::relay
