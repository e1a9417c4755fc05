// Order per key: what a row of an ordered type has to wait for.
//
// A row may leave when no earlier row of its key is on its way, waits for another attempt, is
// parked or is dead; with ordering = confirmed also only when every earlier one is confirmed. Rows
// behind one that is stuck are parked, where operators see them, and are released in order.
#include <algorithm>

#include "engine_state.hpp"
#include "waybill/test_points.hpp"

namespace waybill::relay {
namespace {

// Rows that wait behind one of their key; further ones are read again when these have left.
constexpr std::size_t kWaitingOfKeyMax = 50;
constexpr Millis kTooManyWait{1000};

}  // namespace

// A copy of a row that a broker has had already has no place in the order.
bool Engine::State::is_ordered(const TypeState& type, const RowHead& row) const {
  return type.route.ordering != Ordering::none && row.key_hash != 0 && !row.accepted_at &&
         row.from != MessageState::SENT;
}

bool Engine::State::is_on_its_way(const TypeState& type, std::int64_t id) const {
  const auto found = rows_.find(id);
  if (found == rows_.end()) return false;
  const Phase phase = found->second.phase;
  return phase == Phase::waiting || phase == Phase::publishing ||
         (phase == Phase::marking && type.route.ordering == Ordering::publish);
}

Engine::State::Admitted Engine::State::ask_key(TypeState& type, const RowHead& row, Stream stream) {
  if (WAYBILL_MUTATION("no_key_order")) return Admitted::taken;
  const auto found = keys_.find({type.route.type, row.key_hash});
  if (found == keys_.end()) {
    return keys_.size() < options_.held_max ? Admitted::taken : Admitted::no_room;
  }
  KeyState& key = found->second;
  for (const auto& [id, blocker] : key.blockers) {
    if (id >= row.id) break;
    if (!blocker.accepted && is_on_its_way(type, id)) continue;
    const bool passing = blocker.only_unconfirmed() || blocker.state == MessageState::INIT;
    if (passing && row.from == MessageState::INIT) {
      leave_in_table(key, row.id);
      return Admitted::passed;
    }
    if (rows_.size() + reserved_ >= options_.rows_max) return Admitted::no_room;
    park(row.id, remember(type, row, stream), key);
    return Admitted::passed;
  }
  if (row.from == MessageState::INIT) {
    if (!lower_is_left(key, row.id) && has_place(key)) return Admitted::taken;
    leave_in_table(key, row.id);
    return Admitted::passed;
  }
  // Only the head stream knows whether an earlier row is still fresh.
  const bool clear = !key.sweeping && !lower_is_left(key, row.id);
  return clear && has_place(key) ? Admitted::taken : Admitted::passed;
}

bool Engine::State::has_place(const KeyState& key) {
  return key.waiting.size() < kWaitingOfKeyMax;
}

bool Engine::State::lower_is_left(const KeyState& key, std::int64_t id) {
  if (key.sweeping) return key.left_in_sweep != 0;
  return key.left != 0 && key.left < id;
}

void Engine::State::leave_in_table(KeyState& key, std::int64_t id) {
  std::int64_t& left = key.sweeping ? key.left_in_sweep : key.left;
  left = left == 0 ? id : std::min(left, id);
}

// Reads the key's fresh rows again, from the lowest that was left.
void Engine::State::sweep(const KeyName& name, KeyState& key) {
  key.sweeping = true;
  key.left_in_sweep = 0;
  sweeping_.insert(name);
  rewind_head(types_[name.first], key.left - 1);
}

// The head stream of the type has come to its end.
void Engine::State::end_sweeps(TypeId type) {
  const auto begin = sweeping_.lower_bound({type, 0});
  auto end = begin;
  while (end != sweeping_.end() && end->first == type) ++end;
  const std::vector<KeyName> swept(begin, end);
  sweeping_.erase(begin, end);
  for (const KeyName& name : swept) {
    const auto found = keys_.find(name);
    if (found == keys_.end()) continue;
    KeyState& key = found->second;
    key.sweeping = false;
    key.left = std::exchange(key.left_in_sweep, 0);
    next_of_key(name);
  }
}

void Engine::State::park(std::int64_t id, RowState& row, KeyState& key) {
  key.blockers[id] = {MessageState::PARKED, false, row.epoch, now_};
  raise(Alarm::key_blocked, row.type, true, id);
  judge(id, row, Cause::stuck_behind, Millis(0));
}

// The row holds back the later ones of its key from now on.
void Engine::State::block(const RowState& row, std::int64_t id, MessageState state, bool accepted) {
  keys_[{row.type, row.key}].blockers[id] = {state, accepted, row.epoch, now_};
  TypeState& type = types_[row.type];
  type.keys_at = std::min(type.keys_at, now_ + options_.keys_poll);
  const bool stuck = state == MessageState::RETRY || state == MessageState::DEAD;
  if (stuck && !accepted) raise(Alarm::key_blocked, row.type, true, id);
}

// The broker has the row: the next one of its key leaves, now or when this one is confirmed.
void Engine::State::key_advanced(std::int64_t id, const RowState& row) {
  if (row.key == 0) return;
  const auto found = keys_.find({row.type, row.key});
  if (found == keys_.end() || found->second.in_flight != id) return;
  KeyState& key = found->second;
  key.in_flight = 0;
  if (types_[row.type].route.ordering == Ordering::confirmed && types_[row.type].route.confirmed &&
      !WAYBILL_MUTATION("confirmed_is_publish")) {
    block(row, id, MessageState::SENT, true);
    give_back_waiting(key);
  } else {
    key.blockers.erase(id);
  }
  next_of_key(found->first);
}

// The row did not leave, and nobody refused it: it is tried again before its followers.
void Engine::State::key_waits(std::int64_t id, const RowState& row) {
  if (row.key == 0) return;
  const auto found = keys_.find({row.type, row.key});
  if (found == keys_.end() || found->second.in_flight != id) return;
  KeyState& key = found->second;
  key.in_flight = 0;
  if (WAYBILL_MUTATION("followers_overtake")) return next_of_key(found->first);
  give_back_waiting(key);
  // A row of the due lane comes by itself; until then it is known to be in the way. One that was
  // fresh may have arrived all the same, and be confirmed or refused by its consumer unseen.
  if (row.from == MessageState::RETRY || types_[row.type].route.ordering == Ordering::confirmed) {
    block(row, id, row.from, false);
  }
  if (row.from == MessageState::INIT) leave_in_table(key, id);
  next_of_key(found->first);
}

// The row was refused: its followers are parked until it has left.
void Engine::State::key_blocked(std::int64_t id, const RowState& row, MessageState state) {
  if (row.key == 0) return;
  block(row, id, state, false);
  KeyState& key = keys_[{row.type, row.key}];
  if (key.in_flight == id) key.in_flight = 0;
  const std::set<std::int64_t> waiting = std::exchange(key.waiting, {});
  for (const std::int64_t follower : waiting) {
    release_room(rows_.at(follower));
    park(follower, rows_.at(follower), key);
  }
}

// An answer about keys that was asked for before may not show the mark yet.
void Engine::State::key_marked(std::int64_t id, const RowState& row) {
  const auto found = keys_.find({row.type, row.key});
  if (row.key == 0 || found == keys_.end()) return;
  const auto blocker = found->second.blockers.find(id);
  if (blocker != found->second.blockers.end()) blocker->second.since = now_;
}

// Nobody knows whether a judgement was written: the row is looked for where it was.
void Engine::State::key_in_doubt(std::int64_t id) {
  const auto row = rows_.find(id);
  if (row == rows_.end() || row->second.key == 0) return;
  const auto key = keys_.find({row->second.type, row->second.key});
  if (key == keys_.end()) return;
  key->second.blockers[id] = {MessageState::INIT, false, row->second.epoch, now_};
  types_[row->second.type].keys_at = now_;
  leave_in_table(key->second, id);
  if (!key->second.sweeping) sweep(key->first, key->second);
}

void Engine::State::give_back_waiting(KeyState& key) {
  const std::set<std::int64_t> waiting = std::exchange(key.waiting, {});
  for (const std::int64_t follower : waiting) {
    release_room(rows_.at(follower));
    if (rows_.at(follower).from == MessageState::INIT) leave_in_table(key, follower);
    forget(follower);
  }
}

// Lets go what may go: the next row that waits, parked rows, or rows that were left in the table.
void Engine::State::next_of_key(const KeyName& name) {
  KeyState& key = keys_.at(name);
  if (key.in_flight != 0) return;
  if (!key.waiting.empty()) {
    key.in_flight = *key.waiting.begin();
    key.waiting.erase(key.waiting.begin());
    RowState& next = rows_.at(key.in_flight);
    next.phase = Phase::publishing;
    return submit(key.in_flight, next);
  }
  if (key.sweeping) return;
  const bool fresh_first =
      key.left != 0 && (key.blockers.empty() || key.left <= key.blockers.begin()->first);
  if (fresh_first) return sweep(name, key);
  release_parked(name, key);
  forget_free_key(name);
}

void Engine::State::release_parked(const KeyName& name, KeyState& key) {
  const TypeState& type = types_[name.first];
  for (auto& [id, blocker] : key.blockers) {
    if (blocker.state != MessageState::PARKED || rows_.contains(id)) return;
    if (key.left != 0 && key.left < id) return;
    if (rows_.size() + reserved_ >= options_.rows_max || !type.route.routed) return;
    RowState row;
    row.type = name.first;
    row.destination = type.route.destination;
    row.from = MessageState::PARKED;
    row.epoch = blocker.epoch;
    row.key = name.second;
    judge(id, rows_.insert_or_assign(id, row).first->second, Cause::unblocked, Millis(0));
    blocker.state = MessageState::RETRY;
    blocker.since = now_;
    if (type.route.ordering == Ordering::confirmed) return;
  }
}

void Engine::State::forget_free_key(const KeyName& name) {
  const auto found = keys_.find(name);
  if (found == keys_.end()) return;
  const KeyState& key = found->second;
  const bool busy = key.in_flight != 0 || !key.waiting.empty() || !key.blockers.empty();
  if (!busy && key.left == 0 && !key.sweeping) keys_.erase(found);
}

void Engine::State::rewind_head(TypeState& type, std::int64_t to) {
  StreamState& head = type[Stream::head];
  head.after.id = std::min(head.after.id, to);
  head.wanted = true;
}

// Rows of ordered types that were not submitted, at the end of a lease: the next holder reads them.
void Engine::State::forget_waiting() {
  for (auto entry = keys_.begin(); entry != keys_.end();) {
    KeyState& key = entry->second;
    for (const std::int64_t id : key.waiting) {
      release_room(rows_.at(id));
      forget(id);
    }
    key.waiting.clear();
    key.blockers.clear();
    key.left = key.left_in_sweep = 0;
    key.sweeping = false;
    entry = key.in_flight == 0 ? keys_.erase(entry) : std::next(entry);
  }
  sweeping_.clear();
  for (TypeState& type : types_) {
    type.keys_known = false;
    type.keys_at = {};
  }
}

void Engine::State::drive_keys() {
  for (TypeState& type : types_) {
    if (!type.known || !type.route.routed || type.route.ordering == Ordering::none) continue;
    if (type.keys_reading || !due(type.keys_at)) continue;
    type.keys_reading = true;
    ReadKeys read;
    read.type = type.route.type;
    read.confirmed = type.route.ordering == Ordering::confirmed && type.route.confirmed;
    read.rows_max = options_.held_max;
    read.request = ask({.kind = Kind::keys, .type = read.type});
    act(read);
  }
}

void Engine::State::on(const KeysRead& event) {
  const auto request = answered(event.request);
  if (!request || request->kind != Kind::keys) return;
  store_answered(request->kind);
  TypeState& type = types_[request->type];
  type.keys_reading = false;
  if (request->term != term_) return;
  raise(Alarm::too_many_blocks, request->type, !event.complete);
  if (!event.complete) {
    type.keys_known = false;
    type.keys_at = now_ + kTooManyWait;
    return;
  }
  std::map<std::uint64_t, std::map<std::int64_t, Blocker>> blocks;
  for (const KeyBlockHead& block : event.blocks) {
    blocks[block.key_hash][block.id] = {block.state, block.accepted, block.epoch, now_};
  }
  std::vector<KeyName> names;
  for (auto entry = keys_.lower_bound({request->type, 0});
       entry != keys_.end() && entry->first.first == request->type; ++entry) {
    // What changed since the question was asked is known better here.
    for (const auto& [id, blocker] : entry->second.blockers) {
      const bool newer = blocker.since >= request->asked_at || rows_.contains(id);
      auto& known = blocks[entry->first.second];
      const bool in_doubt = blocker.state == MessageState::INIT && !known.contains(id);
      if (newer || in_doubt) known.insert_or_assign(id, blocker);
    }
    entry->second.blockers.clear();
    names.push_back(entry->first);
  }
  bool some = false;
  bool stuck = false;
  for (auto& [hash, blockers] : blocks) {
    const KeyName name(request->type, hash);
    some = some || !blockers.empty();
    if (!keys_.contains(name)) names.push_back(name);
    stuck = stuck || std::any_of(blockers.begin(), blockers.end(), [](const auto& blocker) {
              return !blocker.second.only_unconfirmed();
            });
    keys_[name].blockers = std::move(blockers);
  }
  const bool first_answer = !std::exchange(type.keys_known, true);
  const auto cost = (now_ - request->asked_at) * options_.rescan_factor;
  type.keys_at =
      blocks.empty() ? Steady::max() : now_ + std::max<Steady::duration>(options_.keys_poll, cost);
  raise(Alarm::key_blocked, request->type, stuck);
  for (const KeyName& name : names) {
    // Nobody has looked yet whether such a key has earlier rows that are still fresh.
    if (first_answer && !keys_.at(name).blockers.empty()) keys_.at(name).left = 1;
    next_of_key(name);
  }
}

// Rows in (after, until] that are in doubt and not in `ids`, sorted, are INIT no more; what they
// are the next answer about keys tells.
void Engine::State::forget_doubts(TypeId type, std::int64_t after, std::int64_t until,
                                  const std::vector<std::int64_t>& ids) {
  for (auto entry = keys_.lower_bound({type, 0});
       entry != keys_.end() && entry->first.first == type; ++entry) {
    for (auto& [id, blocker] : entry->second.blockers) {
      const bool absent = id > after && id <= until && !rows_.contains(id) &&
                          !std::binary_search(ids.begin(), ids.end(), id);
      if (blocker.state != MessageState::INIT || !absent) continue;
      blocker.state = MessageState::SENT;
      blocker.accepted = true;
      blocker.since = now_;
      types_[type].keys_at = now_;
    }
  }
}

}  // namespace waybill::relay
