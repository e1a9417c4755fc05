// Rows that wait for no consumer any more: the one they waited for was removed from their route.
#include "engine_state.hpp"
#include "waybill/test_points.hpp"

namespace waybill::relay {

bool Engine::State::settles_first(const TypeState& type) const {
  return type.settle.passes == kSettlePasses && !WAYBILL_MUTATION("no_settling");
}

// One page at a time, of all types together: this has no hurry that fresh rows would have to wait
// for.
void Engine::State::drive_settle() {
  if (settling_ || WAYBILL_MUTATION("no_settling")) return;
  for (TypeState& type : types_) {
    if (look_for_settled(type)) return;
  }
}

bool Engine::State::look_for_settled(TypeState& type) {
  const SettleState& settle = type.settle;
  if (!type.known || !type.route.routed || settle.passes == 0 || !due(settle.at)) return false;
  // Room comes with outcomes and marks.
  if (rows_.size() + reserved_ + options_.page_rows > options_.rows_max) return false;
  settling_ = true;
  ReadSettled read;
  read.type = type.route.type;
  read.lane = settle.lane;
  read.after = settle.after;
  read.rows_max = options_.page_rows;
  read.request = ask({.kind = Kind::settled,
                      .lane = read.lane,
                      .type = read.type,
                      .route_version = type.route.version});
  act(read);
  return true;
}

// That every required consumer has said done is a fact, and facts need no fence: whoever learns it
// late marks nothing that is not so.
void Engine::State::on(const SettledRead& event) {
  const auto request = answered(event.request);
  if (!request || request->kind != Kind::settled) return;
  store_answered(request->kind);
  settling_ = false;
  TypeState& type = types_[request->type];
  // The next route starts anew.
  if (request->term != term_ || request->route_version != type.route.version) return;
  for (const SettledRow& row : event.rows) {
    // One that is on its way is marked by its outcome, and confirmed when its copy arrives.
    if (rows_.contains(row.id) || is_stale(row.id, request->asked_at)) continue;
    RowState state;
    state.type = request->type;
    state.destination = type.route.destination;
    state.phase = Phase::marking;
    state.from = row.state;
    state.epoch = row.epoch;
    rows_.emplace(row.id, state);
    marks_.push_back({row.id, row.state, Cause::confirmed, row.epoch, Millis(0)});
  }
  type.settle.after = event.last;
  if (!event.exhausted) return;
  type.settle.after = {};
  if (type.settle.lane == Lane::overdue) {
    type.settle.lane = Lane::due;
    return;
  }
  type.settle.lane = Lane::overdue;
  --type.settle.passes;
  type.settle.at = now_ + options_.late_window;
}

}  // namespace waybill::relay
