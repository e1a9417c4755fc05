// What became of a publish, and how it is marked.
#include <algorithm>

#include "engine_state.hpp"
#include "waybill/test_points.hpp"

namespace waybill::relay {
namespace {

// ± 20 %, in thousandths.
constexpr std::uint64_t kJitter = 200;
constexpr unsigned kDoublingsMax = 40;

// A well-mixed 64-bit number from another (splitmix64), the same on every platform.
std::uint64_t mix(std::uint64_t value) noexcept {
  value += 0x9E3779B97F4A7C15U;
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31U);
}

// first × 2^doublings, at most `longest`.
Millis grow(Millis first, unsigned doublings, Millis longest) {
  Millis wait = first;
  for (unsigned i = 0; i < std::min(doublings, kDoublingsMax) && wait < longest; ++i) wait *= 2;
  return std::min(wait, longest);
}

bool waits_for_time(PublishResult result) {
  return result == PublishResult::unreachable || result == PublishResult::throttled;
}

}  // namespace

std::uint64_t Engine::State::chance(std::int64_t id, std::uint64_t salt) const noexcept {
  return mix(mix(seed_ ^ static_cast<std::uint64_t>(id)) ^ salt);
}

Millis Engine::State::retry_wait(std::int64_t id, std::uint32_t refusals) const {
  const Millis wait = grow(options_.retry_first, refusals, options_.retry_max);
  const auto thousandths =
      static_cast<std::int64_t>(1000 - kJitter + chance(id, refusals) % (2 * kJitter + 1));
  return wait * thousandths / 1000;
}

// Never shorter than the deadline: that is how a copy that somebody asked for is told apart.
Millis Engine::State::resend_wait(std::int64_t id, const RowState& row) const {
  const Millis deadline = types_[row.type].route.confirm_deadline;
  const std::uint32_t copies = row.sends > row.refusals ? row.sends - row.refusals : 1;
  const Millis wait =
      grow(deadline, row.accepted ? copies : 0, std::max(options_.resend_max, deadline));
  const auto thousandths = static_cast<std::int64_t>(1000 + chance(id, row.sends) % (kJitter + 1));
  return wait * thousandths / 1000;
}

void Engine::State::on(const Published& event) {
  const auto found = rows_.find(event.id);
  if (found == rows_.end() || found->second.phase != Phase::publishing) return;
  RowState& row = found->second;
  TypeState& type = types_[row.type];
  DestinationState& destination = destinations_[row.destination];
  release_room(row);
  if (row.probe) type.probing = false;
  const bool unknown = event.result == PublishResult::unknown;
  if (WAYBILL_MUTATION("unknown_is_acked") && unknown) return acked(event.id, row);
  if (WAYBILL_MUTATION("unknown_stays_in_flight") && unknown) return;
  if (WAYBILL_MUTATION("transport_is_refusal") && waits_for_time(event.result)) {
    return rejected(event.id, row);
  }
  switch (event.result) {
    case PublishResult::acked:
    case PublishResult::rejected:
      destination.unknowns = 0;
      if (destination.gate.succeeded(pipeline_)) {
        raise(Alarm::destination_down, row.destination, false);
      }
      if (type.gate.succeeded(pipeline_)) raise(Alarm::destination_refuses, row.type, false);
      if (event.result == PublishResult::acked) return acked(event.id, row);
      return rejected(event.id, row);
    case PublishResult::destination_down:
      destination.unknowns = 0;
      if (destination.gate.succeeded(pipeline_)) {
        raise(Alarm::destination_down, row.destination, false);
      }
      (void)type.gate.failed(now_, options_.probe_interval);
      raise(Alarm::destination_refuses, row.type, true);
      break;
    default:
      transport_failed(event.id, row, event);
      break;
  }
  leave(event.id, row);
}

void Engine::State::transport_failed(std::int64_t /*id*/, RowState& row, const Published& event) {
  DestinationState& destination = destinations_[row.destination];
  if (event.result == PublishResult::unknown) ++destination.unknowns;
  if (!waits_for_time(event.result) && destination.unknowns < options_.unknowns_max &&
      destination.gate.state() == GateState::closed) {
    return;  // a single lost answer says little about the destination
  }
  const Millis wish = std::clamp(event.retry_after, Millis(0), options_.throttle_max);
  (void)destination.gate.failed(now_, std::max(options_.probe_interval, wish));
  raise(Alarm::destination_down, row.destination, true);
}

void Engine::State::on(const Withdrawn& event) {
  const auto found = rows_.find(event.id);
  if (found == rows_.end() || found->second.phase != Phase::publishing) return;
  release_room(found->second);
  if (found->second.probe) types_[found->second.type].probing = false;
  leave(event.id, found->second);
}

void Engine::State::release_room(RowState& row) {
  TypeState& type = types_[row.type];
  DestinationState& destination = destinations_[row.destination];
  --destination.in_flight;
  destination.bytes -= row.bytes;
  bytes_ -= row.bytes;
  row.bytes = 0;
  --type.in_flight;
  --type[row.stream].in_flight;
}

void Engine::State::acked(std::int64_t id, RowState& row) {
  ++counters_.published;
  if (row.accepted) ++counters_.resent;
  // Where the next row of a key depends on this one's state, that is written under the lease: a
  // deposed relay must not change it behind the back of the one that took over.
  const bool fenced = row.key != 0 && types_[row.type].route.ordering == Ordering::confirmed;
  if (fenced && row.term != term_) return leave(id, row);
  row.phase = Phase::marking;
  RowMark mark{id, row.from, Cause::acked, row.epoch, Millis(0)};
  // A SENT row keeps waiting for its confirmation, whatever the route says meanwhile.
  if (types_[row.type].route.confirmed || row.from == MessageState::SENT) {
    mark.cause = Cause::acked_unconfirmed;
    if (row.from != MessageState::INIT) mark.due_in = resend_wait(id, row);
  }
  if (WAYBILL_MUTATION("ack_closes_all") && row.from != MessageState::SENT)
    mark.cause = Cause::acked;
  if (WAYBILL_MUTATION("forgotten_epoch")) mark.epoch = 0;
  (fenced ? judgements_ : marks_).push_back(mark);
  act(Drop{id});
  key_advanced(id, row);
}

void Engine::State::rejected(std::int64_t id, RowState& row) {
  ++counters_.refused;
  // Another relay may have worked since: the row may have been accepted, or tried more often.
  if (row.term != term_) return leave(id, row);
  const bool last = row.refusals + 1 >= options_.refusals_max && row.from != MessageState::SENT;
  judge(id, row, last ? Cause::refused_for_good : Cause::refused,
        last ? Millis(0) : retry_wait(id, row.refusals));
  key_blocked(id, row, last ? MessageState::DEAD : MessageState::RETRY);
}

// Leaves the row in the table as it is and sees to it that it is read again.
void Engine::State::leave(std::int64_t id, RowState row) {
  key_waits(id, row);
  forget(id);
  if (row.from != MessageState::INIT) return;  // the lane is read from its start anyway
  TypeState& type = types_[row.type];
  if (type.route.ordering != Ordering::none) {
    return rewind_head(type, id - 1);
  }
  if (type.give_back_from == kNoId) type.give_back_at = now_ + options_.republish_after;
  type.give_back_from = std::min(type.give_back_from, id);
}

void Engine::State::forget(std::int64_t id) {
  rows_.erase(id);
  act(Drop{id});
}

// One batch at a time of each kind: what gathers meanwhile makes the next one larger.
void Engine::State::flush_marks() {
  if (marks_.empty() && judgements_.empty()) return;
  if (!due(trouble(Work::marking).retry_at)) return;
  const auto batch = [this](std::vector<RowMark>& from) {
    const auto count =
        static_cast<std::ptrdiff_t>(std::min<std::size_t>(from.size(), options_.mark_rows));
    std::vector<RowMark> marks(from.begin(), from.begin() + count);
    from.erase(from.begin(), from.begin() + count);
    std::sort(marks.begin(), marks.end(),
              [](const RowMark& a, const RowMark& b) { return a.id < b.id; });
    if (WAYBILL_MUTATION("range_mark") && !marks.empty()) {
      RowMark in_range = marks.front();
      for (const std::int64_t last = marks.back().id; in_range.id < last; ++in_range.id) {
        marks.push_back(in_range);
      }
    }
    return marks;
  };
  if (!marks_.empty() && !marking_) {
    marking_ = true;
    MarkRows action{0, batch(marks_)};
    action.request = ask({.kind = Kind::mark, .marks = action.marks});
    act(std::move(action));
  }
  if (!judgements_.empty() && !judging_ && lease_.holds()) {
    judging_ = true;
    JudgeRows action{0, lease_.held(), batch(judgements_)};
    action.request = ask({.kind = Kind::judge, .marks = action.marks});
    act(std::move(action));
  }
}

void Engine::State::on(const MarksDone& event) {
  auto request = answered(event.request);
  if (!request) return;
  store_answered(request->kind);
  (request->kind == Kind::mark ? marking_ : judging_) = false;
  if (event.deposed) {
    if (lease_.holds() && request->term == term_) {
      lease_.lost(now_);
      end_term();
    }
    for (const RowMark& mark : request->marks) forget(mark.id);
    return;
  }
  forget_old_marks();
  for (std::size_t i = 0; i < request->marks.size(); ++i) {
    const Marked result = i < event.results.size() ? event.results[i] : Marked::gone;
    count_mark(request->marks[i], result);
  }
}

void Engine::State::count_mark(const RowMark& mark, Marked result) {
  const auto found = rows_.find(mark.id);
  const TypeId type = found != rows_.end() ? found->second.type : 0;
  if (result == Marked::done) {
    ++counters_.marked;
    const bool dead = mark.cause == Cause::refused_for_good || mark.cause == Cause::horizon_passed;
    if (mark.cause == Cause::unblocked) {
      // It waits in the due lane now.
      list_at_[static_cast<std::size_t>(Lane::due)] = now_;
      types_[type].next_pass_at[static_cast<std::size_t>(Lane::due)] = now_;
    }
    if (dead) {
      ++counters_.dead;
      raise(Alarm::message_dead, type, true, mark.id);
    }
  }
  // A refused row is not finished: it waits for its next attempt.
  if (mark.cause != Cause::refused || result != Marked::done) left_.erase(mark.id);
  if (found == rows_.end()) return;
  key_marked(mark.id, found->second);
  if (reads_ > 0 && marked_at_.insert_or_assign(mark.id, now_).second) marked_.push_back(mark.id);
  forget(mark.id);
}

// Those that every read under way was asked after.
void Engine::State::forget_old_marks() {
  Steady oldest = Steady::max();
  for (const auto& [number, request] : requests_) {
    if (request.kind == Kind::read) oldest = std::min(oldest, request.asked_at);
  }
  while (!marked_.empty() && marked_at_.at(marked_.front()) < oldest) {
    marked_at_.erase(marked_.front());
    marked_.pop_front();
  }
}

bool Engine::State::is_stale(std::int64_t id, Steady asked_at) const {
  if (WAYBILL_MUTATION("stale_read")) return false;
  const auto marked = marked_at_.find(id);
  return marked != marked_at_.end() && marked->second >= asked_at;
}

// Facts are marked again, also when the answer was lost. A judgement counts, so it must not be
// written twice: when nobody knows, the row is read again in whatever state it is now.
void Engine::State::marks_failed(Request request, Remedy remedy) {
  const bool facts = request.kind == Kind::mark;
  (facts ? marking_ : judging_) = false;
  const bool in_doubt = remedy == Remedy::look && !WAYBILL_MUTATION("judgement_repeated");
  if (!facts && (request.term != term_ || !lease_.holds() || in_doubt)) {
    for (const RowMark& mark : request.marks) {
      key_in_doubt(mark.id);
      forget(mark.id);
    }
    return;
  }
  std::vector<RowMark>& marks = facts ? marks_ : judgements_;
  marks.insert(marks.begin(), request.marks.begin(), request.marks.end());
}

}  // namespace waybill::relay
