// What the engine reads next, and what it makes of the answer.
#include <algorithm>

#include "engine_state.hpp"
#include "waybill/test_points.hpp"

namespace waybill::relay {
namespace {

// Full pages of the head in a row that make it look for the newest row and leave the rest to the
// backlog.
constexpr std::uint32_t kPagesOfBacklog = 3;
// A page is read even for little room, so that a few rows in flight do not hide what is behind.
constexpr std::uint32_t kPageRowsMin = 32;
constexpr std::int64_t kSearchStep = 1000;
constexpr std::int64_t kSearchMax = std::int64_t{1} << 61;
// Held rows are looked at again in batches.
constexpr Millis kReleaseSpacing{20};

// What waiting for an answer cannot explain.
constexpr Millis kClockJump = std::chrono::minutes(1);
constexpr Millis kClockProbation = std::chrono::hours(1);

constexpr Lane lane_of(Stream stream) noexcept {
  if (stream == Stream::due) return Lane::due;
  return stream == Stream::overdue ? Lane::overdue : Lane::fresh;
}

constexpr std::size_t index(Lane lane) noexcept {
  return static_cast<std::size_t>(lane);
}

}  // namespace

std::uint32_t Engine::State::room_of(const TypeState& type) const {
  const DestinationState& destination = destinations_[type.route.destination];
  const std::size_t used = rows_.size() + reserved_;
  const std::size_t total = options_.rows_max > used ? options_.rows_max - used : 0;
  const std::uint32_t room = std::min(destination.gate.room(pipeline_, destination.in_flight, now_),
                                      type.gate.room(pipeline_, type.in_flight, now_));
  return static_cast<std::uint32_t>(std::min<std::size_t>(room, total));
}

// Types of one destination leave room for each other, and so do a type's backlog and its newest
// rows.
std::uint32_t Engine::State::stream_room(TypeState& type, Stream stream) const {
  std::uint32_t limit = pipeline_;
  if (destinations_[type.route.destination].types_present > 1) limit /= 2;
  const std::uint32_t type_room = limit > type.in_flight ? limit - type.in_flight : 0;
  const bool shares =
      stream == Stream::backlog || (stream == Stream::head && type[Stream::backlog].wanted);
  if (shares) limit /= 2;
  const std::uint32_t used = type[stream].in_flight;
  const std::uint32_t stream_room = limit > used ? limit - used : 0;
  return std::min({room_of(type), stream_room, shares ? stream_room : type_room});
}

std::size_t Engine::State::bytes_room(const TypeState& type) const {
  const std::size_t used = destinations_[type.route.destination].bytes;
  const std::size_t mine = options_.window_bytes > used ? options_.window_bytes - used : 0;
  const std::size_t all = options_.bytes_max > bytes_ ? options_.bytes_max - bytes_ : 0;
  return std::min(mine, all);
}

// Decides which lanes of a type have to be looked at now.
void Engine::State::activate(TypeState& type) {
  if (!type.known || !type.route.routed) return;
  if (room_of(type) == 0) {
    // Room comes with outcomes; only an open gate waits for the time.
    const Gate& gate = destinations_[type.route.destination].gate;
    if (gate.state() == GateState::open) (void)due(gate.probe_at());
    if (type.gate.state() == GateState::open) (void)due(type.gate.probe_at());
    return;
  }
  for (const Stream stream : {Stream::due, Stream::overdue}) {
    const std::size_t lane = index(lane_of(stream));
    StreamState& pass = type[stream];
    if (WAYBILL_MUTATION("no_overdue_lane") && stream == Stream::overdue) continue;
    if (WAYBILL_MUTATION("no_due_lane") && stream == Stream::due) continue;
    if (pass.wanted || !type.present[lane] || !due(type.next_pass_at[lane])) continue;
    pass.wanted = true;
    pass.after = {};
    pass.cost = {};
  }
  if (type[Stream::late].wanted) return;
  if (type.give_back_from != kNoId && due(type.give_back_at)) {
    const std::int64_t from = type.give_back_from - 1;
    type.give_back_from = kNoId;
    start_late(type, LateReason::given_back, from);
  } else if (!type.held.empty() && due(type.held.ripe_at(options_.grace)) && due(type.release_at)) {
    start_late(type, LateReason::released, type.held.lowest() - 1);
  } else if (type.present[index(Lane::fresh)] && !type[Stream::backlog].wanted &&
             due(type.rescan_at)) {
    start_late(type, LateReason::rescan, 0);
  } else if (type.present[index(Lane::fresh)] && due(type.late_at)) {
    start_late(type, LateReason::reread, type.history.oldest());
  }
}

void Engine::State::start_late(TypeState& type, LateReason reason, std::int64_t after) {
  if (WAYBILL_MUTATION("no_late_reread") && reason == LateReason::reread) after = kNoId;
  if (WAYBILL_MUTATION("no_rescan") && reason == LateReason::rescan) after = kNoId;
  StreamState& head = type[Stream::head];
  type.history.note(now_, head.after.id, options_.late_reread, options_.late_window);
  if (type.route.ordering != Ordering::none) {
    // One stream only, see on(TypesListed): the head itself goes back.
    head.after.id = std::min(head.after.id, after);
    head.wanted = true;
    if (reason == LateReason::rescan) type.rescan_at = now_ + options_.rescan_min;
    type.late_at = now_ + options_.late_reread;
    return;
  }
  if (after >= head.after.id) {
    if (reason == LateReason::rescan) type.rescan_at = now_ + options_.rescan_min;
    type.late_at = now_ + options_.late_reread;
    return;
  }
  StreamState& late = type[Stream::late];
  late.wanted = true;
  late.after = {{}, after};
  late.until = head.after.id;
  late.cost = {};
  type.late_reason = reason;
}

void Engine::State::issue_reads() {
  std::size_t refused = 0;
  while (reads_ < options_.reads_max && refused < types_.size()) {
    next_type_ = (next_type_ + 1) % types_.size();
    refused = issue_read(types_[next_type_]) ? 0 : refused + 1;
  }
}

bool Engine::State::issue_read(TypeState& type) {
  if (!type.known || !type.route.routed) return false;
  for (std::uint32_t i = 0; i < kStreams; ++i) {
    const auto stream = static_cast<Stream>((type.turn + i) % kStreams);
    if (!issue_stream(type, stream)) continue;
    type.turn = static_cast<std::uint32_t>(stream) + 1;
    return true;
  }
  return false;
}

bool Engine::State::issue_stream(TypeState& type, Stream stream) {
  StreamState& state = type[stream];
  if (!state.wanted || state.reading || !due(state.not_before)) return false;
  if (type.route.ordering != Ordering::none && !type.keys_known) return false;
  const bool search = stream == Stream::search;
  const std::uint32_t room = search ? 1 : stream_room(type, stream);
  const std::size_t bytes = search ? 1 : bytes_room(type);
  if (room == 0 || bytes == 0) return false;
  const bool calm = destinations_[type.route.destination].gate.state() == GateState::closed &&
                    type.gate.state() == GateState::closed;
  // Small pages cost as much as large ones: wait until there is room for one that is worth it.
  const std::uint32_t worth = std::min(options_.page_rows, pipeline_ / 2) / 2;
  if (!search && calm && room < worth && type.in_flight > 0) return false;
  ReadRows read;
  read.type = type.route.type;
  read.lane = lane_of(stream);
  read.after = state.after;
  if (stream == Stream::overdue) read.overdue_after = type.route.confirm_deadline;
  read.rows_max = search ? 1 : std::min(options_.page_rows, std::max(room, kPageRowsMin));
  read.bytes_max = std::min(options_.page_bytes, bytes);
  const std::uint32_t reserved = search ? 0 : std::min(room, read.rows_max);
  reserved_ += reserved;
  type.in_flight += reserved;
  destinations_[type.route.destination].in_flight += reserved;
  state.reading = true;
  read.request = ask({.kind = Kind::read,
                      .lane = read.lane,
                      .type = read.type,
                      .destination = type.route.destination,
                      .stream = stream,
                      .after = state.after,
                      .reserved = reserved});
  act(std::move(read));
  return true;
}

void Engine::State::on(const RowsRead& event) {
  const auto request = answered(event.request);
  if (!request || request->kind != Kind::read) return;
  store_answered(request->kind);
  look_at_clock(event.now);
  if (request->term != term_ || !may_publish()) return;
  TypeState& type = types_[request->type];
  StreamState& stream = type[request->stream];
  // The stream went elsewhere, or the route away, while the read was under way.
  const bool moved = stream.after.id != request->after.id || stream.after.at != request->after.at;
  if (moved || !stream.wanted || !type.route.routed) return;
  stream.cost += now_ - request->asked_at;
  switch (request->stream) {
    case Stream::head:
    case Stream::backlog:
    case Stream::late:
      return take_fresh(type, *request, event);
    case Stream::search:
      return take_search(type, event);
    case Stream::due:
    case Stream::overdue:
      return take_slow(type, *request, event);
  }
}

// The first time that the database tells is believed; a clock that jumped, only when it has gone on
// evenly for a while, since nobody takes back what the age of a row decides.
void Engine::State::look_at_clock(DatabaseTime now) {
  using std::chrono::microseconds;
  const auto steady = std::chrono::duration_cast<microseconds>(now_.time_since_epoch());
  const microseconds ahead = now.time_since_epoch() - steady;
  const bool jumped = database_ahead_ && std::chrono::abs(ahead - *database_ahead_) > kClockJump;
  if (jumped) ages_known_at_ = now_ + kClockProbation;
  database_ahead_ = ahead;
  database_now_ = now;
}

void Engine::State::take_fresh(TypeState& type, const Request& request, const RowsRead& event) {
  StreamState& stream = type[request.stream];
  std::vector<std::int64_t> ids;
  bool full = false;
  bool ended = event.exhausted;
  bool found = false;
  for (const RowHead& row : event.rows) {
    if (row.id > stream.until) {
      ended = true;
      break;
    }
    ids.push_back(row.id);
    const Admitted admitted = admit_fresh(type, row, request.stream, request.asked_at);
    full = admitted == Admitted::no_room;
    if (full) {
      ended = false;
      break;
    }
    found = found || admitted == Admitted::taken;
    stream.after.id = row.id;
  }
  ended = ended || (!full && stream.after.id >= stream.until);
  const std::int64_t covered = ended ? stream.until : stream.after.id;
  held_ -= type.held.forget_absent(request.after.id, covered, request.asked_at, ids);
  if (type.route.ordering != Ordering::none) {
    forget_doubts(request.type, request.after.id, covered, ids);
  }
  if (full && stream.after.id == request.after.id) stream.not_before = now_ + options_.poll_busy;
  if (found) {
    poll_ = options_.poll_busy;
    list_at_[index(Lane::fresh)] = std::min(list_at_[index(Lane::fresh)], now_ + poll_);
  }
  if (ended) {
    end_fresh(type, request.stream);
  } else if (request.stream == Stream::head && !full) {
    head_goes_on(type);
  }
}

void Engine::State::end_fresh(TypeState& type, Stream stream) {
  StreamState& state = type[stream];
  state.wanted = false;
  switch (stream) {
    case Stream::head:
      type.passed[index(Lane::fresh)] = true;
      type.full_pages = 0;
      type.history.note(now_, state.after.id, options_.late_reread, options_.late_window);
      end_sweeps(type.route.type);
      break;
    case Stream::backlog:
      type.rescan_at = now_;
      break;
    default: {
      const auto cost = state.cost * options_.rescan_factor;
      if (type.late_reason == LateReason::released) type.release_at = now_ + kReleaseSpacing;
      if (type.late_reason == LateReason::given_back || type.late_reason == LateReason::released) {
        break;
      }
      type.late_at = now_ + std::max<Steady::duration>(options_.late_reread, cost);
      if (type.late_reason == LateReason::rescan) {
        type.rescan_at = now_ + std::max<Steady::duration>(options_.rescan_min, cost);
      }
      break;
    }
  }
}

void Engine::State::head_goes_on(TypeState& type) {
  ++type.full_pages;
  if (type.full_pages < kPagesOfBacklog || type[Stream::search].wanted ||
      type[Stream::backlog].wanted || type.route.ordering != Ordering::none) {
    return;
  }
  type.search_low = type[Stream::head].after.id;
  type.search_high = 0;
  type[Stream::search].wanted = true;
  next_search(type);
}

// Looks for the newest row by asking whether there is one behind an id: first in growing steps,
// then halving, down to a page.
void Engine::State::next_search(TypeState& type) {
  StreamState& search = type[Stream::search];
  StreamState& head = type[Stream::head];
  type.search_low = std::max(type.search_low, head.after.id);
  const bool bounded = type.search_high != 0;
  const std::int64_t page = options_.page_rows;
  if (type.search_low > kSearchMax || (bounded && type.search_high - type.search_low <= page)) {
    search.wanted = false;
    type.full_pages = 0;
    if (type.search_low - head.after.id <= 2 * page) return;
    StreamState& backlog = type[Stream::backlog];
    backlog.wanted = true;
    backlog.after = head.after;
    backlog.until = type.search_low;
    head.after.id = type.search_low;
    type.history.reset(now_, head.after.id);
    return;
  }
  search.after.id = bounded ? type.search_low + (type.search_high - type.search_low) / 2
                            : type.search_low * 2 + kSearchStep;
}

void Engine::State::take_search(TypeState& type, const RowsRead& event) {
  if (event.rows.empty()) {
    type.search_high = type[Stream::search].after.id;
  } else {
    type.search_low = std::max(type.search_low, event.rows.back().id);
  }
  next_search(type);
}

}  // namespace waybill::relay
