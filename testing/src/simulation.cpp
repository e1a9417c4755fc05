#include "waybill/testing/simulation.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <set>

#include "simulated_broker.hpp"
#include "simulated_consumer.hpp"
#include "waybill/message_id.hpp"
#include "waybill/test_points.hpp"
#include "waybill/testing/engine_bench.hpp"
#include "waybill/testing/model_store.hpp"

namespace waybill::testing {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr Millis kFaultyTime = seconds(60);    // orders come and things fail
constexpr Millis kQuietTimeMax = minutes(10);  // then everything has to finish within this
constexpr Millis kGrace{1000};
constexpr int kKeys = 5;
constexpr std::array<const char*, 2> kDestinations = {"orders", "audit"};
// Copies that a faulty minute may cost: a few a row, and the windows of killed relays.
constexpr std::uint64_t kCopiesPerRow = 3;
constexpr std::uint64_t kCopiesPerKill = 50;
// Probes of a healthy day on which a consumer slept.
constexpr std::uint64_t kProbesMax = 60;
// When a healthy relay has learnt that a consumer was removed and marked what waited for it, and
// the probes that it may send until then.
constexpr Millis kSettleTime = seconds(5);
constexpr std::uint64_t kProbesWhileSettling = 2;

struct Kind {
  const char* type;
  const char* destination;
  std::vector<std::string> consumers;
  Dispatch dispatch = Dispatch::relay;
  Ordering ordering = Ordering::none;
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      {"paid", "orders", {"points"}},
      {"shipped", "orders", {"points", "mail"}},
      {"logged", "audit", {}},
      {"held", "orders", {"points"}, Dispatch::async},
      {"keyed", "orders", {"points"}, Dispatch::relay, Ordering::publish},
      {"chained", "orders", {"points"}, Dispatch::relay, Ordering::confirmed},
      {"unrouted", "audit", {"mail"}},  // its route comes late
  };
  return all;
}

class Simulation {
 public:
  explicit Simulation(const SimulationOptions& options)
      : options_(options),
        random_(options.seed * 0x9E3779B97F4A7C15U + 1),
        store_(clock_),
        consumers_{SimulatedConsumer("points", {"orders", "audit"}),
                   SimulatedConsumer("mail", {"orders", "audit"})} {}

  SimulationReport run() {
    set_up();
    run_until(start_ + kFaultyTime);
    calm_down();
    const Steady end = clock_.now() + kQuietTimeMax;
    while (clock_.now() < end && report_.violations.empty() && !is_finished()) {
      replay_the_dead();
      run_until(std::min(end, clock_.now() + seconds(1)));
    }
    check_the_end();
    report_.virtual_ms = static_cast<std::uint64_t>(
        std::chrono::duration_cast<Millis>(clock_.now() - start_).count());
    return std::move(report_);
  }

 private:
  // What is known of one committed or rolled back row.
  struct RowFacts {
    const Kind* kind = nullptr;
    std::string key;
    std::string message_id;
    bool rolled_back = false;
    bool was_open_long = false;  // longer than late committers are looked for quickly
    std::optional<Steady> visible_at;
    std::optional<Steady> accepted_at;
    std::uint32_t accepted = 0;
    std::uint32_t rejected = 0;
    std::uint32_t to_reject = 0;
    bool breaks_a_rule = false;
    std::set<std::string> done_by;
    std::set<std::string> failed_by;
  };
  struct ConsumerFate {
    Steady asleep_until{};
    Steady post_at{};
    std::uint64_t generation = 0;  // grows with each crash: answers to the one before are lost
    bool was_restored = false;
  };

  // ---- the world's clock and dice ----

  bool chance(unsigned percent) { return random_() % 100 < percent; }
  // Happens only while things fail.
  bool fault(unsigned percent) { return failing_ && chance(percent); }
  Millis some(Millis most) {
    return Millis(random_() % static_cast<std::uint64_t>(most.count() + 1));
  }
  void at(Steady when, std::function<void()> what) { queue_.emplace(when, std::move(what)); }
  void in(Millis delay, std::function<void()> what) { at(clock_.now() + delay, std::move(what)); }

  void tell(const std::string& what) {
    if (!options_.history) return;
    report_.history.push_back(stamp() + what);
  }
  std::string stamp() const {
    const auto time = std::chrono::duration_cast<Millis>(clock_.now() - start_).count();
    return std::to_string(time) + " ms: ";
  }
  void violate(const std::string& what) {
    if (report_.violations.size() < 20) report_.violations.push_back(stamp() + what);
    tell("VIOLATION " + what);
  }
  static std::string named(std::int64_t id) { return "row " + std::to_string(id); }

  void run_until(Steady end) {
    for (;;) {
      Steady next = queue_.empty() ? Steady::max() : queue_.begin()->first;
      EngineBench* relay = nullptr;
      for (const auto& one : relays_) {
        if (one->next_at() >= next) continue;
        next = one->next_at();
        relay = one.get();
      }
      if (next > end) break;
      clock_.set(std::max(next, clock_.now()));
      if (relay != nullptr) {
        relay->step();
        check_rules_of(*relay);
      } else {
        const auto what = std::move(queue_.begin()->second);
        queue_.erase(queue_.begin());
        what();
      }
      if (!report_.violations.empty()) return;
    }
    clock_.set(end);
  }

  // ---- building the world ----

  void set_up() {
    start_ = clock_.now();
    failing_ = options_.faults;
    store_.set_progress(std::vector<ConsumerProgress>{});
    store_.watch = [this](const MessageRow& before, const MessageRow& after, Cause cause) {
      check_change(before, after, cause);
    };
    for (const Kind& kind : kinds()) {
      required_[kind.type] = kind.consumers;
      const bool late = std::string_view(kind.type) == "unrouted";
      if (!late) set_route(kind);
      if (late) in(some(kFaultyTime / 2), [this, &kind] { set_route(kind); });
    }
    for (SimulatedConsumer& consumer : consumers_) {
      consumer.fails = [this](const Copy& copy) {
        return copy.epoch == 0 && rows_.at(copy.row).breaks_a_rule;
      };
      consumer.recorded = [this, &consumer](const Copy& copy, Verdict verdict) {
        RowFacts& row = rows_.at(copy.row);
        (verdict == Verdict::done ? row.done_by : row.failed_by).insert(consumer.name());
        tell(consumer.name() + " records " + std::string(to_string(verdict)) + " for " +
             named(copy.row));
        if (consumer.effects(copy.message_id) > 1) {
          violate(consumer.name() + " applied " + named(copy.row) + " twice");
        }
      };
    }
    confirm_session_ = std::move(*store_.open_confirm());
    sender_session_ = std::move(*store_.open_relay());
    for (int i = 0; i < 2; ++i) relays_.push_back(bear());
    for (std::uint32_t i = 0; i < options_.orders; ++i) {
      in(some(kFaultyTime - seconds(2)), [this] { place_order(); });
    }
    for (std::size_t i = 0; i < consumers_.size(); ++i)
      in(some(Millis(50)), [this, i] { consume(i); });
    // On some healthy days a consumer sleeps: nothing is lost, so hardly anything may be sent
    // again.
    if (!options_.faults && chance(40)) {
      fates_[0].asleep_until = start_ + kFaultyTime / 3 + some(kFaultyTime / 2);
      slept_ = true;
    }
    plan_removals();
    if (!options_.faults) return;
    store_.fault = [this](std::string_view) -> std::optional<Error> {
      if (clock_.now() < store_down_until_ || fault(2)) return Error{Remedy::retry, "busy", {}};
      return std::nullopt;
    };
    store_.lost_answer = [this](std::string_view) -> std::optional<Error> {
      if (!fault(2)) return std::nullopt;
      return Error{Remedy::look, "answer lost", {}};
    };
    plan_troubles();
  }

  void set_route(const Kind& kind) {
    Route route;
    route.message_type = kind.type;
    route.destination = kind.destination;
    route.consumers = required_.at(kind.type);
    route.dispatch = kind.dispatch;
    route.ordering = kind.ordering;
    route.confirm_deadline = seconds(2);
    store_.set_route(route);
    tell(std::string("route of ") + kind.type);
  }

  // Operators remove consumers from routes: one that is away, and the only one of its type.
  void plan_removals() {
    const auto& mail_away = kinds()[1];
    const auto& only_points = kinds()[0];
    if (chance(30)) {
      const Steady from = start_ + kFaultyTime / 4 + some(kFaultyTime / 4);
      at(from, [this] {
        tell("mail is given up");
        fates_[1].asleep_until = start_ + kFaultyTime;
      });
      at(from + some(seconds(20)), [this, &mail_away] { remove_consumer(mail_away, "mail"); });
      slept_ = true;
    }
    if (chance(30)) {
      in(kFaultyTime / 4 + some(kFaultyTime / 2),
         [this, &only_points] { remove_consumer(only_points, "points"); });
    }
  }

  // What waited for it alone is done soon, and is not sent again for that.
  void remove_consumer(const Kind& kind, const std::string& consumer) {
    std::erase(required_.at(kind.type), consumer);
    set_route(kind);
    tell(consumer + " is removed from it");
    if (options_.faults) return;
    std::vector<std::int64_t> settled;
    std::uint64_t copies = 0;
    for (const auto& [id, row] : rows_) {
      if (row.kind != &kind || !row.visible_at || is_final(store_.state(id))) continue;
      if (!store_.is_settled(id)) continue;
      settled.push_back(id);
      copies += row.accepted;
    }
    in(kSettleTime, [this, settled, copies] {
      std::uint64_t copies_now = 0;
      for (const std::int64_t id : settled) {
        copies_now += rows_.at(id).accepted;
        if (store_.state(id) == MessageState::SUCCESS) continue;
        violate(named(id) + " waits for a consumer that was removed");
      }
      if (copies_now > copies + kProbesWhileSettling) {
        violate(std::to_string(copies_now - copies) + " copies of rows that wait for nobody");
      }
    });
  }

  std::unique_ptr<EngineBench> bear() {
    BenchOptions options;
    options.engine.window = 40;
    options.engine.page_rows = 20;
    options.engine.mark_rows = 30;
    options.engine.grace = kGrace;
    options.engine.resend_max = seconds(20);
    options.seed = random_();
    options.holder = "relay " + std::to_string(++births_);
    options.store_jitter = Millis(options_.faults && chance(20) ? 300 : 4);
    options.broker_jitter = Millis(options_.faults && chance(20) ? 500 : 10);
    // A session opens before anything fails.
    const bool before = std::exchange(failing_, false);
    const Steady down = std::exchange(store_down_until_, Steady{});
    auto relay = std::make_unique<EngineBench>(clock_, store_, options);
    failing_ = before;
    store_down_until_ = down;
    relay->broker = [this, holder = options.holder](const MessageRow& row,
                                                    const std::string& destination) {
      if (store_.lease_view().holder != holder) {
        violate(named(row.id) + " was published by " + holder + ", which lost its lease");
      }
      return publish(row, destination);
    };
    return relay;
  }

  void plan_troubles() {
    const auto plan = [this](unsigned count_max, const std::function<void()>& trouble) {
      for (std::uint64_t i = random_() % (count_max + 1); i > 0; --i) {
        in(some(kFaultyTime - seconds(1)), trouble);
      }
    };
    plan(6, [this] {
      auto& victim = relays_[random_() % relays_.size()];
      tell("a relay is killed");
      ++report_.kills;
      victim = bear();
    });
    plan(4, [this] {
      const Millis length = some(seconds(8));
      tell("a relay stands still for " + std::to_string(length.count()) + " ms");
      relays_[random_() % relays_.size()]->pause_until(clock_.now() + length);
    });
    plan(4, [this] {
      const std::size_t which = random_() % kDestinations.size();
      down_until_[which] = clock_.now() + some(seconds(10));
      tell(std::string("the broker of ") + kDestinations[which] + " is down");
    });
    plan(2, [this] {
      const std::string destination = kDestinations[random_() % kDestinations.size()];
      broker_.wipe(destination);
      tell("the broker of " + destination + " lost everything");
    });
    plan(3, [this] {
      store_down_until_ = clock_.now() + some(seconds(4));
      tell("the database is down");
    });
    plan(3, [this] {
      const std::size_t which = random_() % consumers_.size();
      fates_[which].asleep_until = clock_.now() + some(seconds(20));
      tell(consumers_[which].name() + " sleeps");
    });
    if (chance(20)) {
      const std::size_t which = random_() % consumers_.size();
      in(some(kFaultyTime / 2), [this, which] { consumers_[which].remember(); });
      in(kFaultyTime / 2 + some(kFaultyTime / 3), [this, which] {
        consumers_[which].restore();
        fates_[which].was_restored = true;
        tell(consumers_[which].name() + "' database is restored from a backup");
      });
    }
    plan(6, [this] { act_as_operator(); });
  }

  // Everything works from now on.
  void calm_down() {
    failing_ = false;
    store_down_until_ = {};
    down_until_ = {};
    for (ConsumerFate& fate : fates_) fate.asleep_until = {};
    tell("nothing fails any more");
  }

  void replay_the_dead() {
    for (const auto& [id, row] : rows_) {
      if (!row.visible_at || store_.state(id) != MessageState::DEAD) continue;
      tell("the operator replays " + named(id));
      static_cast<void>(store_.act(id, Cause::replay));
    }
  }

  // ---- the producer ----

  void place_order() {
    const Kind& kind = kinds()[random_() % kinds().size()];
    RowFacts row;
    row.kind = &kind;
    if (kind.ordering != Ordering::none)
      row.key = kind.type + std::string(" key ") + std::to_string(random_() % kKeys);
    const bool rolls_back = chance(8);
    // Ordered types serialise their keys before they write, so they commit in order.
    const bool open = kind.ordering == Ordering::none && chance(25);
    row.breaks_a_rule = options_.faults && !kind.consumers.empty() && chance(3);
    row.to_reject =
        options_.faults && chance(4) ? 1 + static_cast<std::uint32_t>(random_() % 3) : 0;
    const std::int64_t id = store_.insert({kind.type, row.key, 0, false});
    row.message_id = MessageId{"test", kind.type, "m" + std::to_string(id)}.to_string();
    const Millis length = open ? some(chance(20) ? seconds(25) : seconds(5)) : Millis(0);
    row.was_open_long = length > seconds(9);
    rows_[id] = row;
    if (rolls_back) {
      in(length, [this, id] {
        rows_.at(id).rolled_back = true;
        store_.roll_back(id);
        tell(named(id) + " rolls back");
      });
    } else if (length == Millis(0)) {
      commit(id);
    } else {
      in(length, [this, id] { commit(id); });
    }
  }

  void commit(std::int64_t id) {
    RowFacts& row = rows_.at(id);
    row.visible_at = clock_.now();
    ++report_.rows;
    store_.commit(id);
    tell(named(id) + " of " + row.kind->type + (row.key.empty() ? "" : ", " + row.key) +
         " commits");
    for (const auto& relay : relays_) {
      if (chance(50)) relay->ring();
    }
    if (row.kind->dispatch == Dispatch::async) send_in_process(id);
  }

  // Publishes by grace/2 and marks by 3/4 grace, or leaves the row to the relay.
  void send_in_process(std::int64_t id) {
    if (fault(10)) {
      ++report_.kills;
      return;
    }
    in(some(kGrace / 2 - Millis(1)), [this, id] {
      const MessageRow row = store_.row(id);
      if (publish(row, rows_.at(id).kind->destination) != PublishResult::acked) return;
      if (fault(10)) {
        ++report_.kills;
        return;
      }
      const Millis wait = fault(5) ? some(seconds(5)) : some(kGrace / 4 - Millis(1));
      in(wait, [this, row] {
        const Mark mark{row.id, row.state, Cause::acked_unconfirmed, row.epoch, Millis(0), {}};
        static_cast<void>(sender_session_->mark({&mark, 1}));
      });
    });
  }

  void act_as_operator() {
    const auto ids = store_.ids();
    if (ids.empty()) return;
    const std::int64_t id = ids[random_() % ids.size()];
    constexpr std::array kCauses = {Cause::cancelled, Cause::resend, Cause::replay};
    const Cause cause = kCauses[random_() % kCauses.size()];
    if (store_.act(id, cause) == Marked::done) {
      tell("the operator: " + std::string(to_string(cause)) + " " + named(id));
    }
  }

  // ---- the broker ----

  PublishResult publish(const MessageRow& message, const std::string& destination) {
    const auto known = rows_.find(message.id);
    if (known == rows_.end() || !known->second.visible_at) {
      violate(named(message.id) + " was published, but its transaction never committed");
      return PublishResult::acked;
    }
    RowFacts& row = known->second;
    if (message.content != "content of " + std::to_string(message.id) ||
        destination != row.kind->destination) {
      violate(named(message.id) + " was published wrong");
    }
    const std::size_t which = destination == kDestinations[0] ? 0 : 1;
    if (clock_.now() < down_until_[which]) return PublishResult::unreachable;
    if (row.to_reject > 0) {
      --row.to_reject;
      ++row.rejected;
      tell(named(message.id) + " is rejected");
      return PublishResult::rejected;
    }
    if (fault(1)) return PublishResult::throttled;
    if (fault(1)) return PublishResult::destination_down;
    if (fault(3)) return PublishResult::unknown;  // never arrived
    Copy copy;
    copy.row = message.id;
    copy.message_id = row.message_id;
    copy.type = message.message_type;
    copy.epoch = message.epoch;
    copy.sent_at = store_.now();
    if (fault(2)) {
      // On its way for so long that the sender has given up waiting.
      in(some(seconds(3)), [this, copy, destination] { accept(copy, destination); });
      return PublishResult::unknown;
    }
    accept(copy, destination);
    if (fault(1)) accept(copy, destination);
    return fault(3) ? PublishResult::unknown : PublishResult::acked;
  }

  void accept(const Copy& copy, const std::string& destination) {
    RowFacts& row = rows_.at(copy.row);
    broker_.append(destination, copy);
    ++report_.copies;
    ++row.accepted;
    tell("the broker has " + named(copy.row) + ", copy " + std::to_string(row.accepted));
    if (row.accepted_at) return;
    row.accepted_at = clock_.now();
    if (row.kind->ordering != Ordering::none) check_order(copy, row);
    if (options_.faults) return;
    const auto waited = clock_.now() - *row.visible_at;
    const Millis allowed = row.was_open_long ? seconds(8) : Millis(2000);
    // These wait for something else: a route, or the confirmation of the row before.
    const std::string_view type = row.kind->type;
    if (type != "unrouted" && type != "chained" && waited > allowed) {
      violate(named(copy.row) + " waited for " +
              std::to_string(std::chrono::duration_cast<Millis>(waited).count()) + " ms");
    }
  }

  // A row reaches the broker for the first time: what came before it in its key must have left, or
  // must even be done. What an operator withdrew or replayed has lost its place.
  void check_order(const Copy& copy, const RowFacts& row) {
    if (copy.epoch > 0) return;
    for (auto earlier = rows_.begin(); earlier != rows_.end() && earlier->first < copy.row;
         ++earlier) {
      const RowFacts& other = earlier->second;
      if (other.key != row.key || !other.visible_at) continue;
      const MessageRow stored = store_.row(earlier->first);
      if (stored.epoch > 0 || stored.state == MessageState::CANCELLED) continue;
      const bool done = stored.state == MessageState::SUCCESS;
      const bool left = done || other.accepted_at.has_value();
      if (!(row.kind->ordering == Ordering::confirmed ? done : left)) {
        violate(named(copy.row) + " left before " + named(earlier->first) +
                " of its key, which is " + std::string(to_string(stored.state)));
      }
    }
  }

  // ---- consumers and confirmations ----

  void consume(std::size_t which) {
    SimulatedConsumer& consumer = consumers_[which];
    ConsumerFate& fate = fates_[which];
    if (clock_.now() >= fate.asleep_until) {
      using Crash = SimulatedConsumer::Crash;
      const Crash crash = !fault(1)    ? Crash::none
                          : chance(50) ? Crash::before_commit
                                       : Crash::before_settle;
      for (int i = 0; i < 10; ++i) {
        if (!consumer.handle_one(broker_, i == 0 ? crash : Crash::none)) break;
        if (i == 0 && crash != Crash::none) {
          tell(consumer.name() + " crashes");
          ++report_.kills;
          ++fate.generation;
          fate.asleep_until = clock_.now() + some(seconds(2));
          break;
        }
      }
      if (clock_.now() >= fate.asleep_until && clock_.now() >= fate.post_at) post(which);
    }
    in(Millis(10) + some(Millis(30)), [this, which] { consume(which); });
  }

  void post(std::size_t which) {
    const auto items = consumers_[which].pending(20);
    if (items.empty()) return;
    ConsumerFate& fate = fates_[which];
    fate.post_at = clock_.now() + Millis(100);
    if (fault(10)) return;  // lost on its way
    const std::uint64_t generation = fate.generation;
    const Millis way = fault(5) ? some(seconds(5)) : some(Millis(10));
    in(way, [this, which, items, generation] {
      const auto results = confirm_session_->confirm(items);
      if (!results) return;
      for (std::size_t i = 0; i < items.size(); ++i) {
        if ((*results)[i] == ConfirmResult::not_found && consumers_required(items[i])) {
          violate("the producer does not know " + items[i].message_id);
        }
      }
      if (fault(10) || fates_[which].generation != generation) return;  // the answer is lost
      consumers_[which].confirmed(items);
      fates_[which].post_at = clock_.now();
    });
    if (fault(2)) {
      // The same request comes again, much later.
      in(some(seconds(10)), [this, items] { static_cast<void>(confirm_session_->confirm(items)); });
    }
  }

  // False when the consumer reads the destination but is not required for the type.
  bool consumers_required(const Confirmation& item) const {
    const auto id = MessageId::parse(item.message_id);
    for (const Kind& kind : kinds()) {
      if (!id || id->message_type != kind.type) continue;
      const auto& required = required_.at(kind.type);
      return std::find(required.begin(), required.end(), item.consumer) != required.end();
    }
    return false;
  }

  // ---- what must hold ----

  void check_rules_of(const EngineBench& relay) {
    if (!relay.broken_rules().empty()) violate("a relay " + relay.broken_rules().front());
  }

  void check_change(const MessageRow& before, const MessageRow& after, Cause cause) {
    const RowFacts& row = rows_.at(after.id);
    const std::string what = named(after.id) + ": " + std::string(to_string(before.state)) + " → " +
                             std::string(to_string(after.state)) + " by " +
                             std::string(to_string(cause));
    tell(what);
    if (next_state(before.state, cause) != after.state) violate(what + " is no legal change");
    const bool acked = cause == Cause::acked || cause == Cause::acked_unconfirmed;
    if (acked && row.accepted == 0) violate(what + ", but the broker never had it");
    if (after.refusals > row.rejected) violate(what + ", but no broker refused it");
    if (cause == Cause::horizon_passed) violate(what + ", though every inbox remembers it");
    if (cause == Cause::refused_for_good) violate(what + ", though it was never refused so often");
    if (cause == Cause::consumer_failed && row.failed_by.empty())
      violate(what + ", but none failed");
    if (after.state != MessageState::SUCCESS) return;
    if (required_.at(row.kind->type).empty()) {
      if (row.accepted == 0) violate(what + ", but the broker never had it");
      return;
    }
    for (const std::string& consumer : required_.at(row.kind->type)) {
      if (!row.done_by.contains(consumer)) violate(what + ", but " + consumer + " has not done it");
    }
  }

  [[nodiscard]] bool is_finished() const {
    for (const auto& [id, row] : rows_) {
      if (!row.visible_at) {
        if (!row.rolled_back) return false;  // still open
        continue;
      }
      const MessageState state = store_.state(id);
      if (state != MessageState::SUCCESS && state != MessageState::CANCELLED) return false;
    }
    return true;
  }

  void check_the_end() {
    for (const SimulatedConsumer& consumer : consumers_)
      report_.effects += consumer.effects_total();
    if (!report_.violations.empty()) return;
    for (const auto& [id, row] : rows_) {
      if (!row.visible_at) continue;
      const MessageRow stored = store_.row(id);
      if (!is_final(stored.state)) {
        violate(named(id) + " of " + row.kind->type + " is not finished: " +
                std::string(to_string(stored.state)) + ", epoch " + std::to_string(stored.epoch));
        continue;
      }
      if (stored.state == MessageState::DEAD) violate(named(id) + " is DEAD: " + stored.reason);
      if (stored.state != MessageState::SUCCESS) continue;
      for (std::size_t i = 0; i < consumers_.size(); ++i) {
        const std::string& name = consumers_[i].name();
        const auto& required = required_.at(row.kind->type);
        if (std::find(required.begin(), required.end(), name) == required.end()) continue;
        // What a restored backup has forgotten is for the reconciliation to find.
        if (consumers_[i].effects(row.message_id) != 1 && !fates_[i].was_restored) {
          violate(named(id) + " is SUCCESS, but has no effect at " + name);
        }
      }
    }
    check_copies();
  }

  void check_copies() {
    const std::uint64_t copies = report_.copies;
    if (options_.faults) {
      const std::uint64_t allowed = kCopiesPerRow * report_.rows + kCopiesPerKill * report_.kills;
      if (copies > allowed) {
        violate(std::to_string(copies) + " copies of " + std::to_string(report_.rows) + " rows");
      }
    } else if (copies > report_.rows + (slept_ ? kProbesMax : 0)) {
      violate(std::to_string(copies) + " copies of " + std::to_string(report_.rows) +
              " rows, though nothing failed");
    }
  }

  const SimulationOptions options_;
  std::mt19937_64 random_;
  ModelClock clock_;
  ModelStore store_;
  SimulatedBroker broker_;
  std::vector<SimulatedConsumer> consumers_;
  std::array<ConsumerFate, 2> fates_{};
  std::vector<std::unique_ptr<EngineBench>> relays_;
  std::unique_ptr<ConfirmSession> confirm_session_;
  std::unique_ptr<RelaySession> sender_session_;

  std::multimap<Steady, std::function<void()>> queue_;
  Steady start_{};
  bool failing_ = false;
  bool slept_ = false;
  Steady store_down_until_{};
  std::array<Steady, 2> down_until_{};
  std::uint64_t births_ = 0;

  std::map<std::string, std::vector<std::string>> required_;  // by type, as the routes are now
  std::map<std::int64_t, RowFacts> rows_;
  SimulationReport report_;
};

}  // namespace

SimulationReport simulate(const SimulationOptions& options) {
#ifdef WAYBILL_TEST_POINTS
  test_points::set_mutation(options.mutation);
#endif
  SimulationReport report = Simulation(options).run();
#ifdef WAYBILL_TEST_POINTS
  test_points::set_mutation({});
#endif
  return report;
}

std::vector<std::string> simulation_mutations() {
#ifdef WAYBILL_TEST_POINTS
  return {"mark_before_ack",
          "range_mark",
          "unknown_is_acked",
          "unknown_stays_in_flight",
          "transport_is_refusal",
          "ack_closes_all",
          "forgotten_epoch",
          "followers_overtake",
          "confirmed_is_publish",
          "no_key_order",
          "judgement_repeated",
          "in_flight_twice",
          "no_grace",
          "resend_flood",
          "no_overdue_lane",
          "no_due_lane",
          "stale_read",
          "no_settling",
          "no_late_reread",
          "no_rescan",
          "impatient_taker",
          "publishes_without_lease"};
#else
  return {};
#endif
}

}  // namespace waybill::testing
