// Which rows of a page the engine takes, and in which order they leave.
#include <algorithm>

#include "engine_state.hpp"
#include "waybill/test_points.hpp"

namespace waybill::relay {
namespace {

constexpr std::size_t index(Lane lane) noexcept {
  return static_cast<std::size_t>(lane);
}

// What may go at once after a pause, in terms of a pace.
constexpr Millis kResendBurst{200};

}  // namespace

bool Engine::State::has_room(TypeState& type, const RowHead& row, Stream stream) const {
  if (stream_room(type, stream) == 0) return false;
  // One row always fits, however large.
  const DestinationState& destination = destinations_[type.route.destination];
  return destination.bytes == 0 || row.bytes <= bytes_room(type);
}

Engine::State::Admitted Engine::State::admit_fresh(TypeState& type, const RowHead& row,
                                                   Stream stream, Steady asked_at) {
  if (rows_.contains(row.id) && !WAYBILL_MUTATION("in_flight_twice")) return Admitted::passed;
  if (is_stale(row.id, asked_at)) return Admitted::passed;
  if (type.route.held && !row.defect && !WAYBILL_MUTATION("no_grace")) {
    switch (type.held.look(row.id, asked_at, options_.grace)) {
      case HeldRows::Answer::unknown:
        if (held_ >= options_.held_max) {
          // The late stream has to reach the held rows; a rescan finds this one again.
          return stream == Stream::late ? Admitted::passed : Admitted::no_room;
        }
        type.held.hold(row.id, now_);
        ++held_;
        return Admitted::passed;
      case HeldRows::Answer::wait:
        return Admitted::passed;
      case HeldRows::Answer::go:
        break;
    }
  }
  if (is_ordered(type, row)) {
    const Admitted answer = ask_key(type, row, stream);
    if (answer != Admitted::taken) return answer;
  }
  if (!has_room(type, row, stream)) return Admitted::no_room;
  if (type.held.size() > 0) {
    const std::size_t before = type.held.size();
    type.held.forget(row.id);
    held_ -= before - type.held.size();
  }
  publish(type, row, stream);
  return Admitted::taken;
}

Engine::State::RowState& Engine::State::remember(TypeState& type, const RowHead& row,
                                                 Stream stream) {
  RowState state;
  state.type = type.route.type;
  state.destination = type.route.destination;
  state.stream = stream;
  state.from = row.from;
  state.accepted = row.accepted_at.has_value();
  state.epoch = row.epoch;
  state.sends = row.sends;
  state.refusals = row.refusals;
  state.term = term_;
  if (is_ordered(type, row) && !WAYBILL_MUTATION("no_key_order")) state.key = row.key_hash;
  if (mode_ == Mode::once) left_.insert(row.id);
  act(Admit{row.id});
  return rows_.insert_or_assign(row.id, state).first->second;
}

// Takes the row and sends it off, or, when an earlier row of its key is on its way, lets it wait.
void Engine::State::publish(TypeState& type, const RowHead& row, Stream stream, bool probe) {
  RowState& state = remember(type, row, stream);
  if (row.defect) {
    const bool final = row.from != MessageState::SENT;
    if (state.key != 0) block(state, row.id, MessageState::DEAD, false);
    return judge(row.id, state, final ? Cause::refused_for_good : Cause::refused, Millis(0));
  }
  state.bytes = row.bytes;
  state.probe = probe;
  bytes_ += row.bytes;
  DestinationState& destination = destinations_[state.destination];
  destination.bytes += row.bytes;
  ++destination.in_flight;
  ++type.in_flight;
  ++type[stream].in_flight;
  if (state.key != 0) {
    KeyState& key = keys_[{state.type, state.key}];
    if (key.in_flight != 0) {
      state.phase = Phase::waiting;
      key.waiting.insert(row.id);
      return;
    }
    key.in_flight = row.id;
  }
  submit(row.id, state);
}

void Engine::State::submit(std::int64_t id, const RowState& row) {
  act(Publish{id, row.type, row.destination});
  if (WAYBILL_MUTATION("mark_before_ack")) {
    const bool confirmed = types_[row.type].route.confirmed;
    marks_.push_back(
        {id, row.from, confirmed ? Cause::acked_unconfirmed : Cause::acked, row.epoch, Millis(0)});
  }
}

void Engine::State::judge(std::int64_t id, RowState& row, Cause cause, Millis due_in) {
  row.phase = Phase::judging;
  judgements_.push_back({id, row.from, cause, row.epoch, due_in});
}

// Rows of the due and overdue lanes, in the lane's order.
void Engine::State::take_slow(TypeState& type, const Request& request, const RowsRead& event) {
  StreamState& stream = type[request.stream];
  bool full = false;
  bool end = event.exhausted;
  for (const RowHead& row : event.rows) {
    bool stop = false;
    if (!rows_.contains(row.id) && !is_stale(row.id, request.asked_at)) {
      full = admit_slow(type, row, request.stream, stop) == Admitted::no_room;
    }
    if (stop) end = true;
    if (full || stop) break;
    stream.after = {row.at, row.id};
  }
  if (full || !end) return;
  stream.wanted = false;
  const std::size_t lane = index(request.lane);
  type.passed[lane] = true;
  const auto cost = stream.cost * options_.rescan_factor;
  type.next_pass_at[lane] = now_ + std::max<Steady::duration>(options_.slow_poll, cost);
}

Engine::State::Admitted Engine::State::admit_slow(TypeState& type, const RowHead& row,
                                                  Stream stream, bool& end) {
  if (row.accepted_at || row.from == MessageState::SENT) {
    return admit_resend(type, row, stream, end);
  }
  if (is_ordered(type, row)) {
    const Admitted answer = ask_key(type, row, stream);
    if (answer != Admitted::taken) return answer;
  }
  if (!has_room(type, row, stream)) return Admitted::no_room;
  publish(type, row, stream);
  return Admitted::taken;
}

// A row that the broker has had already. No answer is not loss: it is sent again only if its
// consumer has passed it by, as the single probe of its type, or if somebody asked for it.
Engine::State::Admitted Engine::State::admit_resend(TypeState& type, const RowHead& row,
                                                    Stream stream, bool& end) {
  if (settles_first(type)) {
    end = stream == Stream::overdue;
    return Admitted::passed;
  }
  if (!has_room(type, row, stream)) return Admitted::no_room;
  if (stream == Stream::overdue && !type.route.confirmed) {
    // Nobody has to confirm this type any more: every required consumer has.
    RowState& state = remember(type, row, stream);
    state.phase = Phase::marking;
    marks_.push_back({row.id, row.from, Cause::confirmed, row.epoch, Millis(0)});
    act(Drop{row.id});
    return Admitted::taken;
  }
  const DatabaseTime accepted = row.accepted_at.value_or(row.modified);
  if (type.route.confirmed && accepted + type.progress.retention <= database_now_) {
    if (now_ < ages_known_at_) return Admitted::passed;
    judge(row.id, remember(type, row, stream), Cause::horizon_passed, Millis(0));
    return Admitted::taken;
  }
  const std::uint32_t rate =
      type.progress.recorded ? options_.resends_per_second : options_.resends_per_second_blind;
  const auto interval = std::chrono::nanoseconds(std::chrono::seconds(1)) / std::max(1U, rate);
  const auto deadline = type.route.confirm_deadline;
  // The relay's own waits are never shorter than the deadline: somebody else asked for this copy.
  const bool asked_for = stream == Stream::due && row.at - row.modified < deadline;
  const bool passed_by =
      type.progress.recorded && row.modified < type.progress.confirmed_sent - deadline;
  const bool flood = WAYBILL_MUTATION("resend_flood");
  if (asked_for || passed_by || !type.progress.recorded || !type.route.confirmed || flood) {
    if (!type.resends.take(now_, interval, kResendBurst)) {
      end = true;
      return Admitted::passed;
    }
    publish(type, row, stream);
    return Admitted::taken;
  }
  if (type.probing || now_ < type.next_probe_at) {
    // The overdue lane is in the order of the last send: what follows was passed by even less.
    end = stream == Stream::overdue;
    return Admitted::passed;
  }
  const unsigned doublings = std::min(type.probes, 16U);
  type.next_probe_at = now_ + std::min<Millis>(deadline * (1LL << doublings),
                                               std::max(options_.resend_max, deadline));
  if (++type.probes > 2) raise(Alarm::consumer_silent, type.route.type, true);
  type.probing = true;
  publish(type, row, stream, true);
  return Admitted::taken;
}

}  // namespace waybill::relay
