#include "waybill/testing/store_conformance.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <thread>

#include "waybill/testing/must.hpp"

namespace waybill::testing {
namespace {

using enum MessageState;

constexpr Cause kCauses[] = {Cause::acked,
                             Cause::acked_unconfirmed,
                             Cause::confirmed,
                             Cause::consumer_later,
                             Cause::consumer_failed,
                             Cause::refused,
                             Cause::refused_for_good,
                             Cause::stuck_behind,
                             Cause::unblocked,
                             Cause::horizon_passed,
                             Cause::cancelled,
                             Cause::resend,
                             Cause::replay};

bool is_operator(Cause cause) {
  return cause == Cause::cancelled || cause == Cause::resend || cause == Cause::replay;
}

// Each name in a thread of its own.
void at_once(const std::vector<std::string>& names,
             const std::function<void(const std::string&)>& work) {
  std::vector<std::thread> threads;
  for (const std::string& name : names) threads.emplace_back([&] { work(name); });
  for (auto& thread : threads) thread.join();
}

}  // namespace

void StoreConformance::SetUp() {
  database_ = GetParam().make();
  store_ = database_->open_store();
  relay_ = must(store_->open_relay());
  endpoint_ = must(store_->open_confirm());
  console_ = must(store_->open_console());
  lease_ = take_lease();
}

Lease StoreConformance::take_lease() {
  const auto taken = must(relay_->take(must(relay_->lease()), "conformance"));
  if (!taken) throw std::runtime_error("the lease was not to be had");
  return *taken;
}

std::int64_t StoreConformance::insert(const std::string& identifier, const std::string& content,
                                      const std::string& message_type) {
  database_->execute(
      "INSERT INTO local_message (message_type, biz_type, identifier, content) VALUES ('" +
      message_type + "', 'order', '" + identifier + "', '" + content + "')");
  const auto ids = database_->query("SELECT MAX(id) FROM local_message");
  if (!next_headers_.empty()) {
    database_->execute("UPDATE local_message SET headers = '" + next_headers_ +
                       "' WHERE id = " + ids.at(0));
  }
  return std::stoll(ids.at(0));
}

std::string StoreConformance::state_of(std::int64_t id) {
  const auto states =
      database_->query("SELECT state FROM local_message WHERE id = " + std::to_string(id));
  return states.empty() ? "" : states[0];
}

std::uint32_t StoreConformance::epoch_of(std::int64_t id) {
  const auto history = must(console_->show(id));
  return history ? history->row.epoch : 0;
}

void StoreConformance::set_route(std::vector<std::string> consumers,
                                 const std::string& message_type) {
  Route route;
  route.message_type = message_type;
  route.destination = "orders";
  route.consumers = std::move(consumers);
  must(console_->set_routes({&route, 1}));
}

Marked StoreConformance::change(std::int64_t id, MessageState from, Cause cause, Millis due_in) {
  Mark mark;
  mark.id = id;
  mark.from = from;
  mark.cause = cause;
  mark.epoch = epoch_of(id);
  mark.due_in = due_in;
  mark.reason = "a reason";
  if (is_operator(cause)) return must(console_->act({&mark, 1}, "tester")).at(0);
  if (!is_judgement(cause)) return must(relay_->mark({&mark, 1})).at(0);
  const auto judged = must(relay_->judge(lease_, {&mark, 1}));
  if (!judged) throw std::runtime_error("the lease was lost");
  return judged->at(0);
}

std::int64_t StoreConformance::row_in(MessageState state) {
  const std::int64_t id = insert("row-" + std::to_string(++rows_));
  const auto step = [&](MessageState from, Cause cause) {
    if (change(id, from, cause) != Marked::done)
      throw std::runtime_error("a legal arrow was refused");
  };
  switch (state) {
    case INIT:
      break;
    case SENT:
      step(INIT, Cause::acked_unconfirmed);
      break;
    case RETRY:
      step(INIT, Cause::refused);
      break;
    case PARKED:
      step(INIT, Cause::stuck_behind);
      break;
    case SUCCESS:
      step(INIT, Cause::acked);
      break;
    case DEAD:
      step(INIT, Cause::refused_for_good);
      break;
    case CANCELLED:
      step(INIT, Cause::cancelled);
      break;
  }
  return id;
}

ConfirmResult StoreConformance::confirm(const std::string& identifier, const std::string& consumer,
                                        Verdict verdict, std::uint32_t epoch) {
  Confirmation item;
  item.message_id = "order/order.placed/" + identifier;
  item.consumer = consumer;
  item.verdict = verdict;
  item.reason = verdict == Verdict::failed ? "no such user" : "";
  item.epoch = epoch;
  return must(endpoint_->confirm({&item, 1})).at(0);
}

LanePage StoreConformance::read(Lane lane, LaneCursor after, std::uint32_t rows_max) {
  LaneRead spec;
  spec.lane = lane;
  spec.message_type = "order.placed";
  spec.after = after;
  spec.rows_max = rows_max;
  return must(relay_->read(spec));
}

// Page by page.
StoreConformance::Settled StoreConformance::settled(Lane lane, const std::string& message_type) {
  Settled all;
  LaneRead spec;
  spec.lane = lane;
  spec.message_type = message_type;
  spec.rows_max = 1;
  for (int i = 0; i < 100; ++i) {
    const SettledPage page = must(relay_->settled(spec));
    for (const SettledRow& row : page.rows) all[row.id] = row.state;
    if (page.exhausted) return all;
    spec.after = page.last;
  }
  throw std::runtime_error("the lane has no end");
}

TEST_P(StoreConformance, every_legal_arrow_moves_its_row_and_no_other_does) {
  for (const MessageState from : kMessageStates) {
    for (const Cause cause : kCauses) {
      SCOPED_TRACE(std::string(to_string(from)) + " by " + std::string(to_string(cause)));
      const auto to = next_state(from, cause);
      if (!to) continue;
      const std::int64_t id = row_in(from);
      const std::int64_t other = row_in(from);
      EXPECT_EQ(change(id, from, cause), Marked::done);
      EXPECT_EQ(state_of(id), to_string(*to));
      EXPECT_EQ(state_of(other), to_string(from));
    }
  }
}

TEST_P(StoreConformance, every_forbidden_arrow_is_refused_and_changes_nothing) {
  for (const MessageState from : kMessageStates) {
    for (const Cause cause : kCauses) {
      if (next_state(from, cause)) continue;
      SCOPED_TRACE(std::string(to_string(from)) + " by " + std::string(to_string(cause)));
      const std::int64_t id = row_in(from);
      Mark mark;
      mark.id = id;
      mark.from = from;
      mark.cause = cause;
      mark.epoch = epoch_of(id);
      if (is_operator(cause)) {
        EXPECT_FALSE(console_->act({&mark, 1}, "tester").ok());
      } else if (is_judgement(cause)) {
        EXPECT_FALSE(relay_->judge(lease_, {&mark, 1}).ok());
      } else {
        EXPECT_FALSE(relay_->mark({&mark, 1}).ok());
      }
      EXPECT_EQ(state_of(id), to_string(from));
    }
  }
}

TEST_P(StoreConformance, F4_a_mark_whose_row_is_elsewhere_changes_nothing_and_says_so) {
  for (const MessageState now : kMessageStates) {
    if (now == INIT) continue;
    const std::int64_t id = row_in(now);
    SCOPED_TRACE(to_string(now));
    EXPECT_EQ(change(id, INIT, Cause::acked), Marked::already_further);
    EXPECT_EQ(state_of(id), to_string(now));
  }
  EXPECT_EQ(change(987654, INIT, Cause::acked), Marked::gone);
  EXPECT_EQ(change(987654, RETRY, Cause::acked), Marked::gone);
}

TEST_P(StoreConformance, F5_a_mark_names_its_rows_and_answers_for_each) {
  const std::int64_t first = row_in(INIT);
  const std::int64_t late = row_in(INIT);
  const std::int64_t sent = row_in(SENT);
  std::vector<Mark> marks(3);
  marks[0].id = first;
  marks[1].id = sent;
  marks[2].id = 987654;
  EXPECT_EQ(must(relay_->mark(marks)),
            (std::vector{Marked::done, Marked::already_further, Marked::gone}));
  EXPECT_EQ(state_of(late), "INIT");
  const LanePage page = read(Lane::fresh);
  ASSERT_EQ(page.rows.size(), 1U);
  EXPECT_EQ(page.rows[0].id, late);
}

TEST_P(StoreConformance, F5_a_batch_of_any_size_is_marked_whole) {
  constexpr std::size_t kRows = 2500;
  std::string values;
  std::vector<Mark> marks(kRows);
  for (std::size_t i = 0; i < kRows; ++i) {
    values += (i == 0 ? "('order.placed', 'order', '" : ", ('order.placed', 'order', '") +
              std::to_string(i) + "', '{}')";
    marks[i].id = static_cast<std::int64_t>(i) + 1;
    marks[i].cause = Cause::acked;
  }
  database_->execute(
      "INSERT INTO local_message (message_type, biz_type, identifier, content) VALUES " + values);
  EXPECT_EQ(must(relay_->mark(marks)), std::vector(kRows, Marked::done));
  EXPECT_EQ(database_->query("SELECT COUNT(*) FROM local_message WHERE state = 'SUCCESS'").at(0),
            std::to_string(kRows));
}

TEST_P(StoreConformance, F3_a_confirmation_that_overtakes_the_mark_is_final) {
  set_route({"points"});
  const std::int64_t id = insert("A-1");
  EXPECT_EQ(confirm("A-1", "points", Verdict::done), ConfirmResult::done);
  EXPECT_EQ(state_of(id), "SUCCESS");
  EXPECT_EQ(change(id, INIT, Cause::acked_unconfirmed), Marked::already_further);
  EXPECT_EQ(state_of(id), "SUCCESS");
}

TEST_P(StoreConformance, L2_a_deposed_relay_judges_nothing_but_marks_facts) {
  const std::int64_t id = row_in(INIT);
  const Lease old = lease_;
  lease_ = take_lease();
  EXPECT_GT(lease_.fence, old.fence);
  Mark mark;
  mark.id = id;
  mark.cause = Cause::refused;
  EXPECT_FALSE(must(relay_->judge(old, {&mark, 1})).has_value());
  EXPECT_EQ(state_of(id), "INIT");
  EXPECT_FALSE(must(relay_->renew(old)).has_value());
  mark.cause = Cause::acked;
  EXPECT_EQ(must(relay_->mark({&mark, 1})).at(0), Marked::done);
  mark.cause = Cause::refused;
  EXPECT_FALSE(must(relay_->judge(old, {&mark, 1})).has_value()) << "nothing is left to judge";
  EXPECT_FALSE(must(relay_->judge(old, {})).has_value());
  ASSERT_TRUE(relay_->release(old).ok());
  EXPECT_TRUE(must(relay_->renew(lease_)).has_value()) << "its successor's lease is another";
}

// A database that failed over to a copy which was behind gives the same fence out twice.
TEST_P(StoreConformance, L2_a_lease_of_another_holder_under_the_same_fence_changes_nothing) {
  Mark mark;
  mark.id = row_in(INIT);
  mark.cause = Cause::refused;
  Lease other = lease_;
  other.holder = "another";
  EXPECT_FALSE(must(relay_->renew(other)).has_value());
  EXPECT_FALSE(must(relay_->judge(other, {&mark, 1})).has_value());
  EXPECT_FALSE(must(relay_->judge(other, {})).has_value());
  ASSERT_TRUE(relay_->release(other).ok());
  EXPECT_EQ(state_of(mark.id), "INIT");
  const auto renewed = must(relay_->renew(lease_));
  ASSERT_TRUE(renewed.has_value());
  EXPECT_EQ(renewed->counter, lease_.counter + 1);
  EXPECT_EQ(renewed->holder, lease_.holder);
}

TEST_P(StoreConformance, L1_a_lease_is_taken_by_a_name_of_1_to_255_bytes) {
  for (const std::string& bad : {std::string(), std::string(kHolderBytesMax + 1, 'h')}) {
    const auto taken = relay_->take(must(relay_->lease()), bad);
    ASSERT_FALSE(taken.ok()) << bad.size();
    EXPECT_EQ(taken.error().remedy, Remedy::fix_call);
  }
  const std::string longest(kHolderBytesMax, 'h');
  const auto taken = must(relay_->take(must(relay_->lease()), longest));
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(must(relay_->lease()).holder, longest);
  EXPECT_TRUE(must(relay_->renew(*taken)).has_value());
}

// The relay never reads such a row; `waybill doctor` looks for it.
TEST_P(StoreConformance, a_row_below_id_one_is_the_first_of_the_list_from_the_lowest_id) {
  insert("A-1");
  const std::int64_t id = insert("A-2");
  database_->execute("UPDATE local_message SET id = -5 WHERE id = " + std::to_string(id));
  MessageFilter filter;
  filter.after_id = std::numeric_limits<std::int64_t>::min();
  filter.rows_max = 1;
  const auto rows = must(console_->list(filter));
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].id, -5);
}

TEST_P(StoreConformance, L1_of_two_takers_one_gets_the_lease_and_a_release_frees_it) {
  auto second = must(store_->open_relay());
  const LeaseView seen = must(relay_->lease());
  ASSERT_TRUE(must(relay_->take(seen, "one")).has_value());
  EXPECT_FALSE(must(second->take(seen, "two")).has_value());
  const LeaseView before = must(second->lease());
  const auto mine = must(relay_->take(before, "one"));
  ASSERT_TRUE(mine.has_value());
  EXPECT_FALSE(must(second->take(before, "two")).has_value()) << "taken anew by the same holder";
  const LeaseView taken = must(second->lease());
  const auto renewed = must(relay_->renew(*mine));
  ASSERT_TRUE(renewed.has_value());
  EXPECT_FALSE(must(second->take(taken, "two")).has_value()) << "its holder lives";
  EXPECT_EQ(renewed->counter, mine->counter + 1);
  ASSERT_TRUE(relay_->release(*renewed).ok());
  EXPECT_EQ(must(relay_->lease()).holder, "");
  EXPECT_FALSE(must(relay_->renew(*renewed)).has_value());
  Mark mark;
  mark.id = row_in(INIT);
  mark.cause = Cause::refused;
  EXPECT_FALSE(must(relay_->judge(*renewed, {&mark, 1})).has_value());
}

TEST_P(StoreConformance, a_judgement_is_refused_by_mark_and_a_fact_is_not_an_operators_action) {
  Mark mark;
  mark.id = row_in(INIT);
  mark.cause = Cause::refused;
  EXPECT_FALSE(relay_->mark({&mark, 1}).ok());
  mark.cause = Cause::acked;
  EXPECT_FALSE(console_->act({&mark, 1}, "tester").ok());
  EXPECT_EQ(state_of(mark.id), "INIT");
}

TEST_P(StoreConformance, the_happy_path_writes_no_side_table) {
  set_route({"points"});
  insert("A-1");
  ASSERT_EQ(change(1, INIT, Cause::acked_unconfirmed), Marked::done);
  ASSERT_EQ(confirm("A-1", "points", Verdict::done), ConfirmResult::done);
  EXPECT_EQ(database_->query("SELECT COUNT(*) FROM local_message_delivery").at(0), "0");
  EXPECT_EQ(database_->query("SELECT COUNT(*) FROM local_message_receipt").at(0), "0");
}

TEST_P(StoreConformance,
       H10_the_delivery_row_counts_sends_and_refusals_and_remembers_the_first_ack) {
  const std::int64_t id = row_in(RETRY);
  ASSERT_EQ(change(id, RETRY, Cause::refused), Marked::done);
  MessageRow row = must(console_->show(id))->row;
  EXPECT_EQ(row.refusals, 2U);
  EXPECT_FALSE(row.first_accepted_at.has_value());
  EXPECT_EQ(row.reason, "a reason");
  ASSERT_EQ(change(id, RETRY, Cause::acked_unconfirmed, Millis(60000)), Marked::done);
  row = must(console_->show(id))->row;
  EXPECT_TRUE(row.first_accepted_at.has_value());
  EXPECT_EQ(row.sends, 3U);

  const std::int64_t overdue = row_in(SENT);
  const DatabaseTime first_send = must(console_->show(overdue))->row.gmt_modified;
  std::uint32_t sends = 1;
  for (const auto& [from, cause] :
       {std::pair{SENT, Cause::acked_unconfirmed}, std::pair{RETRY, Cause::refused},
        std::pair{RETRY, Cause::acked_unconfirmed}}) {
    ASSERT_EQ(change(overdue, from, cause, Millis(60000)), Marked::done);
    row = must(console_->show(overdue))->row;
    EXPECT_EQ(row.sends, ++sends);
    EXPECT_EQ(row.first_accepted_at, first_send);
  }
}

TEST_P(StoreConformance, G1_each_lane_holds_what_may_be_published_now) {
  const std::int64_t fresh = row_in(INIT);
  const std::int64_t sent = row_in(SENT);
  const std::int64_t due = row_in(RETRY);
  const std::int64_t later = row_in(INIT);
  ASSERT_EQ(change(later, INIT, Cause::refused, std::chrono::hours(1)), Marked::done);
  for (const MessageState state : {PARKED, SUCCESS, DEAD, CANCELLED}) row_in(state);
  for (const char* type : {"an.earlier.type", "the.next.type"}) {
    insert("fresh", "{}", type);
    ASSERT_EQ(change(insert("sent", "{}", type), INIT, Cause::acked_unconfirmed), Marked::done);
    ASSERT_EQ(change(insert("due", "{}", type), INIT, Cause::refused), Marked::done);
  }

  ASSERT_EQ(change(insert("dead", "{}", "a.dead.type"), INIT, Cause::refused_for_good),
            Marked::done);
  ASSERT_EQ(change(insert("parked", "{}", "a.parked.type"), INIT, Cause::stuck_behind),
            Marked::done);

  const auto only = [&](Lane lane, std::int64_t id) {
    const LanePage page = read(lane);
    EXPECT_TRUE(page.exhausted);
    ASSERT_EQ(page.rows.size(), 1U);
    EXPECT_EQ(page.rows[0].id, id);
    auto types = must(relay_->types_present(lane));
    std::sort(types.begin(), types.end());
    std::vector<std::string> present = {"an.earlier.type", "order.placed", "the.next.type"};
    // Somebody must look whether their keys are free again.
    if (lane == Lane::due) present.insert(present.begin(), {"a.dead.type", "a.parked.type"});
    EXPECT_EQ(types, present);
  };
  only(Lane::fresh, fresh);
  only(Lane::overdue, sent);
  only(Lane::due, due);

  LaneRead overdue;
  overdue.lane = Lane::overdue;
  overdue.message_type = "order.placed";
  overdue.overdue_after = std::chrono::hours(1);
  EXPECT_TRUE(must(relay_->read(overdue)).rows.empty());
}

TEST_P(StoreConformance, K2_K3_the_rows_that_hold_back_a_key_are_told) {
  for (const MessageState state : kMessageStates) row_in(state);
  EXPECT_TRUE(must(relay_->key_blocks("order.placed", true, 100)).empty()) << "no row has a key";

  database_->execute("DELETE FROM local_message");
  database_->execute("DELETE FROM local_message_delivery");
  std::map<MessageState, std::int64_t> ids;
  for (const MessageState state : kMessageStates) {
    next_headers_ = R"({"key":"k1"})";
    ids[state] = row_in(state);
  }
  next_headers_.clear();
  const auto told = [&](bool confirmed) {
    std::map<std::int64_t, MessageState> blocks;
    for (const KeyBlock& block : must(relay_->key_blocks("order.placed", confirmed, 100))) {
      EXPECT_EQ(block.key, "k1");
      EXPECT_EQ(block.accepted, block.state == SENT);
      blocks[block.id] = block.state;
    }
    return blocks;
  };
  using Blocks = std::map<std::int64_t, MessageState>;
  EXPECT_EQ(told(false), (Blocks{{ids[RETRY], RETRY}, {ids[PARKED], PARKED}, {ids[DEAD], DEAD}}));
  EXPECT_EQ(
      told(true),
      (Blocks{{ids[SENT], SENT}, {ids[RETRY], RETRY}, {ids[PARKED], PARKED}, {ids[DEAD], DEAD}}));
  EXPECT_EQ(must(relay_->key_blocks("order.placed", true, 2)).size(), 2U);
  EXPECT_TRUE(must(relay_->key_blocks("another.type", true, 100)).empty());

  // What a broker has had keeps back nobody who waits for publishing only.
  ASSERT_EQ(change(ids[RETRY], RETRY, Cause::acked_unconfirmed), Marked::done);
  EXPECT_FALSE(told(false).contains(ids[RETRY]));
  const auto unconfirmed = must(relay_->key_blocks("order.placed", true, 100));
  EXPECT_TRUE(std::any_of(unconfirmed.begin(), unconfirmed.end(), [&](const KeyBlock& block) {
    return block.id == ids[RETRY] && block.accepted;
  }));
}

TEST_P(StoreConformance, G2_paging_by_cursor_reaches_every_row_of_each_lane) {
  for (const MessageState state : {INIT, SENT, RETRY}) {
    const Lane lane = state == INIT ? Lane::fresh : state == SENT ? Lane::overdue : Lane::due;
    std::vector<std::int64_t> wanted;
    for (int i = 0; i < 7; ++i) wanted.push_back(row_in(INIT));
    // Those of one batch have one time, and a page ends among them.
    const std::span<const std::int64_t> all(wanted);
    for (const auto batch : {all.first(5), all.subspan(5)}) {
      std::vector<Mark> marks(batch.size());
      for (std::size_t i = 0; i < batch.size(); ++i) {
        marks[i].id = batch[i];
        marks[i].cause = state == SENT ? Cause::acked_unconfirmed : Cause::refused;
      }
      if (state == SENT) {
        ASSERT_EQ(must(relay_->mark(marks)).at(0), Marked::done);
      } else if (state == RETRY) {
        ASSERT_TRUE(must(relay_->judge(lease_, marks)).has_value());
      }
    }
    std::vector<std::int64_t> seen;
    LaneCursor after;
    for (bool exhausted = false; !exhausted;) {
      const LanePage page = read(lane, after, 2);
      exhausted = page.exhausted;
      for (const MessageRow& row : page.rows) {
        seen.push_back(row.id);
        after = {state == SENT ? row.gmt_modified : row.next_attempt_at, row.id};
      }
      ASSERT_LE(seen.size(), wanted.size());
    }
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(seen, wanted) << to_string(state);
  }
}

TEST_P(StoreConformance, a_read_stops_at_its_bytes_but_gives_one_row_at_least) {
  for (int i = 0; i < 5; ++i) insert("big-" + std::to_string(i), std::string(1000, 'x'));
  LaneRead spec;
  spec.message_type = "order.placed";
  spec.bytes_max = 1;
  LanePage page = must(relay_->read(spec));
  EXPECT_EQ(page.rows.size(), 1U);
  EXPECT_FALSE(page.exhausted);
  spec.bytes_max = 2500;
  EXPECT_EQ(must(relay_->read(spec)).rows.size(), 3U);
}

TEST_P(StoreConformance, C3_times_come_from_the_database_and_every_change_is_noted) {
  const std::int64_t sent = row_in(INIT);
  const std::int64_t refused = row_in(INIT);
  const struct {
    std::int64_t id;
    MessageState from;
    Cause cause;
  } changes[] = {{sent, INIT, Cause::acked_unconfirmed},
                 {sent, SENT, Cause::confirmed},
                 {refused, INIT, Cause::refused},
                 {refused, RETRY, Cause::acked_unconfirmed},
                 {refused, RETRY, Cause::cancelled}};
  for (const auto& [id, from, cause] : changes) {
    const MessageRow before = must(console_->show(id))->row;
    if (from == INIT) {
      EXPECT_EQ(before.gmt_create, before.gmt_modified);
    }
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (read(Lane::fresh).now <= before.gmt_modified &&
           std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    ASSERT_EQ(change(id, from, cause), Marked::done);
    const MessageRow after = must(console_->show(id))->row;
    EXPECT_EQ(after.gmt_create, before.gmt_create);
    EXPECT_GT(after.gmt_modified, before.gmt_modified);
    EXPECT_LE(after.gmt_modified, read(Lane::fresh).now);
  }
}

TEST_P(StoreConformance, C6_content_comes_back_byte_for_byte) {
  const std::string emoji = "\xF0\x9F\x98\x80 \xE7\xA7\xAF\xE5\x88\x86";
  const std::string large(65536, 'y');
  insert("emoji", emoji);
  insert("empty", "");
  insert("large", large);
  const LanePage page = read(Lane::fresh);
  ASSERT_EQ(page.rows.size(), 3U);
  EXPECT_EQ(page.rows[0].content, emoji);
  EXPECT_EQ(page.rows[1].content, "");
  EXPECT_EQ(page.rows[2].content, large);
  for (const MessageRow& row : page.rows) EXPECT_EQ(row.defect, "");
}

TEST_P(StoreConformance, C6_rows_that_cannot_be_published_say_why_and_keep_nobody_from_the_others) {
  const auto with_headers = [&](const std::string& identifier, const std::string& headers) {
    database_->execute(
        "INSERT INTO local_message (message_type, biz_type, identifier, content, headers) VALUES "
        "('order.placed', "
        "'order', '" +
        identifier + "', '***', '" + headers + "')");
  };
  with_headers("not-json", "{");
  with_headers("not-base64", "{\"content_encoding\":\"base64\"}");
  with_headers("unknown-encoding", "{\"content_encoding\":\"zip\"}");
  with_headers("good", "{\"key\":\"user-1\",\"traceparent\":\"00-ab\"}");
  insert("good-too");
  const LanePage page = read(Lane::fresh);
  ASSERT_EQ(page.rows.size(), 5U);
  for (int i = 0; i < 3; ++i) {
    EXPECT_NE(page.rows[static_cast<std::size_t>(i)].defect, "");
    EXPECT_EQ(page.rows[static_cast<std::size_t>(i)].content, "");
  }
  EXPECT_EQ(page.rows[3].defect, "");
  EXPECT_EQ(page.rows[3].key, "user-1");
  EXPECT_EQ(page.rows[3].traceparent, "00-ab");
  EXPECT_EQ(page.rows[4].defect, "");
}

TEST_P(StoreConformance, C7_a_state_outside_the_closed_set_is_reported_and_left_alone) {
  set_route({"points"});
  const std::int64_t id = insert("odd");
  database_->execute("UPDATE local_message SET state = 'WEIRD' WHERE id = " + std::to_string(id));
  for (const Lane lane : {Lane::fresh, Lane::overdue, Lane::due})
    EXPECT_TRUE(read(lane).rows.empty());
  EXPECT_EQ(confirm("odd", "points", Verdict::done), ConfirmResult::already);
  EXPECT_EQ(state_of(id), "WEIRD");
  const auto counts = must(console_->status()).counts;
  ASSERT_EQ(counts.size(), 1U);
  EXPECT_EQ(counts[0].state, "WEIRD");
  EXPECT_EQ(counts[0].rows, 1);
  EXPECT_EQ(must(console_->show(id))->row.unknown_state, "WEIRD");
  MessageFilter odd;
  odd.state = "WEIRD";
  EXPECT_EQ(must(console_->list(odd)).size(), 1U);
}

TEST_P(StoreConformance, C8_ids_are_compared_as_bytes) {
  set_route({"points"});
  const std::int64_t upper = insert("ORDER-1");
  const std::int64_t spaced = insert("ORDER-1 ");
  const std::int64_t lower = insert("order-1");
  EXPECT_EQ(confirm("ORDER-1", "points", Verdict::done), ConfirmResult::done);
  EXPECT_EQ(state_of(upper), "SUCCESS");
  EXPECT_EQ(state_of(spaced), "INIT");
  EXPECT_EQ(state_of(lower), "INIT");
  EXPECT_EQ(confirm("ORDER-1 ", "points", Verdict::done), ConfirmResult::done);
  EXPECT_EQ(state_of(spaced), "SUCCESS");
  EXPECT_EQ(state_of(lower), "INIT");
  EXPECT_EQ(confirm("Order-1", "points", Verdict::done), ConfirmResult::not_found);
}

void StoreConformance::use_eight_column_table() {
  relay_.reset();
  endpoint_.reset();
  console_.reset();
  store_.reset();
  database_->make_eight_column_table();
  store_ = database_->open_store();
  relay_ = must(store_->open_relay());
  endpoint_ = must(store_->open_confirm());
  console_ = must(store_->open_console());
}

void StoreConformance::insert_old(const std::string& values, const std::string& state) {
  database_->execute(
      "INSERT INTO local_message (gmt_create, gmt_modified, message_type, biz_type, identifier, "
      "content, state) VALUES ('2026-01-01 00:00:00.000', '2026-01-01 00:00:00.000', "
      "'order.placed', " +
      values + ", '" + state + "')");
}

TEST_P(StoreConformance, C2_C8_a_table_with_exactly_the_eight_columns_is_relayed_and_confirmed) {
  use_eight_column_table();
  set_route({"points"});
  for (const char* identifier : {"A-1", "A-1 "}) {
    insert_old("'order', '" + std::string(identifier) + "', '{}'", "INIT");
  }
  const LanePage page = read(Lane::fresh);
  ASSERT_EQ(page.rows.size(), 2U);
  EXPECT_EQ(change(page.rows[0].id, INIT, Cause::acked_unconfirmed), Marked::done);
  EXPECT_EQ(change(page.rows[1].id, INIT, Cause::refused), Marked::done);
  EXPECT_EQ(confirm("A-1", "points", Verdict::done), ConfirmResult::done);
  EXPECT_EQ(state_of(page.rows[0].id), "SUCCESS");
  EXPECT_EQ(state_of(page.rows[1].id), "RETRY");
}

TEST_P(StoreConformance, C2_C6_a_null_is_a_defect_and_keeps_nobody_from_the_others) {
  use_eight_column_table();
  const auto add_lane = [&](const std::string& state) {
    insert_old("'order', '" + state + "-1', NULL", state);
    insert_old("'order', NULL, '{}'", state);
    insert_old("NULL, '" + state + "-2', '{}'", state);
    insert_old("'order', '" + state + "-3', '{}'", state);
  };
  add_lane("INIT");
  add_lane("SENT");
  for (const Lane lane : {Lane::fresh, Lane::overdue}) {
    const LanePage page = read(lane);
    ASSERT_EQ(page.rows.size(), 4U);
    EXPECT_TRUE(page.exhausted);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_NE(page.rows[i].defect, "");
    EXPECT_EQ(page.rows[3].defect, "");
  }
  std::vector<Mark> refused;
  for (const MessageRow& row : read(Lane::fresh).rows) {
    Mark& mark = refused.emplace_back();
    mark.id = row.id;
    mark.cause = Cause::refused;
  }
  ASSERT_TRUE(must(relay_->judge(lease_, refused)).has_value());
  EXPECT_EQ(read(Lane::due).rows.size(), 4U);
  EXPECT_TRUE(must(console_->show(refused[0].id)).has_value());
}

TEST_P(StoreConformance, H2_a_repeated_confirmation_gets_the_same_answer_and_changes_nothing) {
  set_route({"points"});
  const std::int64_t done = insert("done");
  const std::int64_t failed = insert("failed");
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(confirm("done", "points", Verdict::done), ConfirmResult::done);
    EXPECT_EQ(confirm("failed", "points", Verdict::failed), ConfirmResult::done);
  }
  EXPECT_EQ(state_of(done), "SUCCESS");
  EXPECT_EQ(state_of(failed), "DEAD");
}

TEST_P(StoreConformance, H3_unknown_ids_and_consumers_are_not_found_and_leave_no_trace) {
  set_route({"points"});
  insert("A-1");
  EXPECT_EQ(confirm("A-2", "points", Verdict::done), ConfirmResult::not_found);
  EXPECT_EQ(confirm("A-1", "stranger", Verdict::done), ConfirmResult::not_found);
  Confirmation malformed;
  malformed.message_id = "no id at all";
  malformed.consumer = "points";
  EXPECT_EQ(must(endpoint_->confirm({&malformed, 1})).at(0), ConfirmResult::not_found);
  EXPECT_EQ(state_of(1), "INIT");
  EXPECT_EQ(database_->query("SELECT COUNT(*) FROM waybill_consumer").at(0), "0");
  EXPECT_EQ(database_->query("SELECT COUNT(*) FROM local_message").at(0), "1");
}

TEST_P(StoreConformance, H6_failed_makes_the_row_dead_with_its_reason_and_done_is_final) {
  set_route({"points"});
  const std::int64_t id = insert("A-1");
  EXPECT_EQ(confirm("A-1", "points", Verdict::failed), ConfirmResult::done);
  EXPECT_EQ(state_of(id), "DEAD");
  EXPECT_NE(must(console_->show(id))->row.reason.find("no such user"), std::string::npos);
  EXPECT_EQ(confirm("A-1", "points", Verdict::done), ConfirmResult::done);
  EXPECT_EQ(state_of(id), "SUCCESS");
  EXPECT_EQ(confirm("A-1", "points", Verdict::failed), ConfirmResult::already);
  EXPECT_EQ(state_of(id), "SUCCESS");
}

TEST_P(StoreConformance, H10_a_replayed_message_is_as_young_as_its_replay) {
  set_route({"points"});
  const std::int64_t id = row_in(RETRY);
  ASSERT_EQ(change(id, RETRY, Cause::acked_unconfirmed), Marked::done);
  ASSERT_EQ(change(id, RETRY, Cause::horizon_passed), Marked::done);
  ASSERT_EQ(change(id, DEAD, Cause::replay), Marked::done);
  const LanePage due = read(Lane::due);
  ASSERT_EQ(due.rows.size(), 1U);
  EXPECT_FALSE(due.rows[0].first_accepted_at.has_value()) << "else it would be DEAD again at once";
  EXPECT_EQ(due.rows[0].refusals, 0U);
  EXPECT_EQ(due.rows[0].epoch, 1U);
}

TEST_P(StoreConformance, H11_replay_raises_the_epoch_and_an_old_failed_changes_nothing) {
  set_route({"points"});
  const std::int64_t id = insert("A-1");
  ASSERT_EQ(confirm("A-1", "points", Verdict::failed), ConfirmResult::done);
  ASSERT_EQ(change(id, DEAD, Cause::replay), Marked::done);
  EXPECT_EQ(epoch_of(id), 1U);
  EXPECT_EQ(must(console_->show(id))->row.refusals, 0U);
  EXPECT_EQ(confirm("A-1", "points", Verdict::failed, 0), ConfirmResult::already);
  EXPECT_EQ(state_of(id), "RETRY");
  Mark old;
  old.id = id;
  old.from = RETRY;
  old.cause = Cause::acked;
  old.epoch = 0;
  EXPECT_EQ(must(relay_->mark({&old, 1})).at(0), Marked::already_further);
  EXPECT_EQ(confirm("A-1", "points", Verdict::failed, 1), ConfirmResult::done);
  EXPECT_EQ(state_of(id), "DEAD");

  const std::int64_t cancelled = insert("A-2");
  ASSERT_EQ(change(cancelled, INIT, Cause::cancelled), Marked::done);
  EXPECT_EQ(confirm("A-2", "points", Verdict::done), ConfirmResult::done_though_cancelled);
  EXPECT_EQ(state_of(cancelled), "SUCCESS");
  ASSERT_EQ(change(cancelled, SUCCESS, Cause::replay), Marked::done);
  EXPECT_EQ(epoch_of(cancelled), 1U);

  const std::int64_t done = row_in(SUCCESS);
  ASSERT_EQ(change(done, SUCCESS, Cause::replay), Marked::done);
  EXPECT_EQ(epoch_of(done), 1U) << "of a row that had no delivery row";
}

TEST_P(StoreConformance, H7_with_several_consumers_the_row_is_done_when_all_have_confirmed) {
  set_route({"points", "mail", "audit"});
  const std::int64_t id = insert("A-1");
  EXPECT_EQ(confirm("A-1", "points", Verdict::done), ConfirmResult::done);
  EXPECT_EQ(confirm("A-1", "points", Verdict::done), ConfirmResult::done);
  EXPECT_EQ(confirm("A-1", "mail", Verdict::done), ConfirmResult::done);
  EXPECT_EQ(state_of(id), "INIT");
  EXPECT_EQ(confirm("A-1", "points", Verdict::failed), ConfirmResult::already);
  EXPECT_EQ(confirm("A-1", "audit", Verdict::done), ConfirmResult::done);
  EXPECT_EQ(state_of(id), "SUCCESS");
  EXPECT_EQ(must(console_->show(id))->receipts.size(), 3U);
}

TEST_P(StoreConformance, H7_rows_that_waited_for_a_removed_consumer_alone_are_told) {
  set_route({"points", "mail"});
  std::map<std::string, std::int64_t> ids;
  // Those of one batch have one time.
  using Identifiers = std::vector<std::string>;
  const auto mark_all = [&](const Identifiers& identifiers, MessageState from) {
    std::vector<Mark> marks;
    for (const std::string& identifier : identifiers) {
      Mark& mark = marks.emplace_back();
      mark.id = ids.at(identifier);
      mark.from = from;
      mark.cause = Cause::acked_unconfirmed;
      mark.due_in = std::chrono::hours(1);
    }
    EXPECT_EQ(must(relay_->mark(marks)), std::vector(marks.size(), Marked::done));
  };
  const Identifiers sent = {"by-mail", "by-nobody", "done", "done-too"};
  const Identifiers copied = {"copied-by-nobody", "copied"};
  for (const Identifiers& identifiers : {sent, copied}) {
    for (const std::string& identifier : identifiers) ids[identifier] = insert(identifier);
    mark_all(identifiers, INIT);
  }
  mark_all(copied, SENT);
  for (const char* identifier : {"done", "done-too", "copied"}) {
    ASSERT_EQ(confirm(identifier, "points", Verdict::done), ConfirmResult::done);
  }
  ASSERT_EQ(confirm("by-mail", "mail", Verdict::done), ConfirmResult::done);

  EXPECT_TRUE(settled(Lane::overdue).empty()) << "each waits for somebody";
  EXPECT_TRUE(settled(Lane::due).empty());
  set_route({"points"});
  EXPECT_EQ(settled(Lane::overdue), (Settled{{ids["done"], SENT}, {ids["done-too"], SENT}}));
  EXPECT_EQ(settled(Lane::due), (Settled{{ids["copied"], RETRY}}));
  EXPECT_TRUE(settled(Lane::due, "another.type").empty());
  set_route({"mail"});
  EXPECT_EQ(settled(Lane::overdue), (Settled{{ids["by-mail"], SENT}}));
  EXPECT_TRUE(settled(Lane::due).empty());

  EXPECT_EQ(change(ids["by-mail"], SENT, Cause::confirmed), Marked::done);
  EXPECT_TRUE(settled(Lane::overdue).empty());
  set_route({"points"});
  EXPECT_EQ(change(ids["copied"], RETRY, Cause::confirmed), Marked::done);
  EXPECT_TRUE(settled(Lane::due).empty());
}

TEST_P(StoreConformance, H7_without_consumers_what_a_broker_has_waits_for_nobody) {
  set_route({"points"});
  const std::int64_t sent = row_in(SENT);
  const std::int64_t copied = row_in(SENT);
  ASSERT_EQ(change(copied, SENT, Cause::acked_unconfirmed, std::chrono::hours(1)), Marked::done);
  row_in(RETRY);  // no broker has had it
  row_in(INIT);
  EXPECT_TRUE(settled(Lane::overdue).empty());
  set_route({});
  EXPECT_EQ(settled(Lane::overdue), (Settled{{sent, SENT}}));
  EXPECT_EQ(settled(Lane::due), (Settled{{copied, RETRY}}));
}

TEST_P(StoreConformance, H7_G1_without_receipts_no_waiting_row_is_looked_at) {
  set_route({"points"});
  for (int i = 0; i < 3; ++i) row_in(SENT);
  LaneRead spec;
  spec.lane = Lane::overdue;
  spec.message_type = "order.placed";
  spec.rows_max = 1;
  EXPECT_TRUE(must(relay_->settled(spec)).exhausted);
  set_route({});
  EXPECT_FALSE(must(relay_->settled(spec)).exhausted);
}

TEST_P(StoreConformance, H7_H11_what_was_done_before_a_replay_does_not_settle_the_replayed_row) {
  set_route({"points", "mail"});
  const std::int64_t id = insert("A-1");
  ASSERT_EQ(confirm("A-1", "points", Verdict::done), ConfirmResult::done);
  ASSERT_EQ(confirm("A-1", "mail", Verdict::failed), ConfirmResult::done);
  ASSERT_EQ(change(id, DEAD, Cause::replay), Marked::done);
  set_route({"points", "audit"});
  set_route({"points"});
  EXPECT_TRUE(settled(Lane::due).empty());
  set_route({"points", "audit"});
  ASSERT_EQ(confirm("A-1", "points", Verdict::done, 1), ConfirmResult::done);
  EXPECT_TRUE(settled(Lane::due).empty());
  set_route({"points"});
  EXPECT_EQ(settled(Lane::due), (Settled{{id, RETRY}}));
}

TEST_P(StoreConformance, H7_simultaneous_confirmations_of_several_consumers_finish_every_row) {
  constexpr int kRows = 60;
  const std::vector<std::string> consumers = {"points", "mail", "audit"};
  set_route(consumers);
  for (int i = 0; i < kRows; ++i) insert("S-" + std::to_string(i));
  at_once(consumers, [&](const std::string& consumer) {
    auto session = must(store_->open_confirm());
    for (int i = 0; i < kRows; ++i) {
      Confirmation item;
      item.message_id = "order/order.placed/S-" + std::to_string(i);
      item.consumer = consumer;
      ASSERT_EQ(must(session->confirm({&item, 1})).at(0), ConfirmResult::done);
    }
  });
  EXPECT_EQ(database_->query("SELECT COUNT(*) FROM local_message WHERE state = 'SUCCESS'").at(0),
            std::to_string(kRows));
}

TEST_P(StoreConformance, later_makes_an_unfinished_row_due_again_and_leaves_finished_ones) {
  set_route({"points"});
  const std::int64_t id = insert("A-1");
  EXPECT_EQ(confirm("A-1", "points", Verdict::later), ConfirmResult::done);
  EXPECT_EQ(state_of(id), "RETRY");
  EXPECT_EQ(confirm("A-1", "points", Verdict::done), ConfirmResult::done);
  EXPECT_EQ(confirm("A-1", "points", Verdict::later), ConfirmResult::already);
  EXPECT_EQ(state_of(id), "SUCCESS");
  EXPECT_TRUE(must(relay_->types_present(Lane::due)).empty());
}

TEST_P(StoreConformance,
       H4_I5_the_newest_confirmed_send_and_the_last_retention_of_a_consumer_are_kept) {
  set_route({"points"});
  std::vector<Confirmation> items(3);
  const DatabaseTime newest = std::chrono::sys_days(std::chrono::January / 2 / 2026);
  for (int i = 0; i < 3; ++i) {
    insert("A-" + std::to_string(i));
    auto& item = items[static_cast<std::size_t>(i)];
    item.message_id = "order/order.placed/A-" + std::to_string(i);
    item.consumer = "points";
    item.sent_at = newest - std::chrono::hours(i);
    item.retention = std::chrono::hours(i < 2 ? 5 : 6);
  }
  const auto expect_kept = [&](std::chrono::hours retention) {
    const auto progress = must(relay_->consumer_progress());
    ASSERT_TRUE(progress.has_value());
    ASSERT_EQ(progress->size(), 1U);
    EXPECT_EQ(progress->at(0).consumer, "points");
    EXPECT_EQ(progress->at(0).confirmed_sent, newest);
    EXPECT_EQ(progress->at(0).retention, retention);
  };
  ASSERT_TRUE(endpoint_->confirm(std::span(items).first(2)).ok());
  expect_kept(std::chrono::hours(5));
  ASSERT_TRUE(endpoint_->confirm(std::span(items).last(1)).ok());
  expect_kept(std::chrono::hours(6));
}

TEST_P(StoreConformance, C4_routes_come_back_as_written_with_growing_versions) {
  const auto before = must(relay_->routes_version());
  set_route({"points", "mail"});
  set_route({}, "other");
  const auto routes = must(relay_->routes());
  ASSERT_EQ(routes.size(), 2U);
  const Route* route = find_route(routes, "order.placed");
  ASSERT_NE(route, nullptr);
  EXPECT_EQ(route->consumers, (std::vector<std::string>{"points", "mail"}));
  const auto version = must(relay_->routes_version());
  EXPECT_GT(version, before + 1);
  set_route({"points"});
  EXPECT_GT(must(relay_->routes_version()), version);
  Route bad = *route;
  bad.ordering = Ordering::publish;
  bad.dispatch = Dispatch::sync;
  EXPECT_FALSE(console_->set_routes({&bad, 1}).ok());
}

// Else who has read one of them never reads the other.
TEST_P(StoreConformance, C4_routes_that_are_set_at_once_get_a_version_each) {
  constexpr int kRoutes = 25;
  const std::vector<std::string> writers = {"a", "b", "c", "d"};
  at_once(writers, [&](const std::string& writer) {
    auto session = must(store_->open_console());
    for (int i = 0; i < kRoutes; ++i) {
      Route route;
      route.message_type = writer + "." + std::to_string(i);
      route.destination = "orders";
      ASSERT_TRUE(session->set_routes({&route, 1}).ok());
    }
  });
  EXPECT_EQ(database_->query("SELECT COUNT(DISTINCT version) FROM waybill_route").at(0),
            std::to_string(kRoutes * static_cast<int>(writers.size())));
}

TEST_P(StoreConformance, J2_operators_find_rows_and_their_actions_are_audited) {
  const std::int64_t id = row_in(DEAD);
  row_in(INIT);
  MessageFilter filter;
  filter.state = "DEAD";
  const auto dead = must(console_->list(filter));
  ASSERT_EQ(dead.size(), 1U);
  EXPECT_EQ(dead[0].id, id);
  filter.state.clear();
  filter.identifier = "row-2";
  EXPECT_EQ(must(console_->list(filter)).size(), 1U);
  filter.message_type = "other";
  EXPECT_TRUE(must(console_->list(filter)).empty());
  EXPECT_FALSE(must(console_->show(987654)).has_value());
  ASSERT_EQ(change(id, DEAD, Cause::replay), Marked::done);
  EXPECT_EQ(database_->query("SELECT action FROM waybill_audit"),
            std::vector<std::string>{"replay"});
}

TEST_P(StoreConformance, J2_filters_by_destination_follow_the_routes) {
  set_route({});
  insert("a");
  insert("b", "{}", "invoice.sent");
  MessageFilter filter;
  filter.destination = "orders";
  ASSERT_EQ(must(console_->list(filter)).size(), 1U);
  Route rest;
  rest.message_type = "*";
  rest.destination = "orders";
  ASSERT_TRUE(console_->set_routes({&rest, 1}).ok());
  EXPECT_EQ(must(console_->list(filter)).size(), 2U);
  filter.destination = "elsewhere";
  EXPECT_TRUE(must(console_->list(filter)).empty());
}

TEST_P(StoreConformance, J2_filters_by_time_take_since_and_leave_until_out) {
  const std::int64_t id = insert("a");
  const DatabaseTime created = must(console_->show(id))->row.gmt_create;
  EXPECT_LE(created, must(console_->now()));
  const auto found = [&](std::optional<DatabaseTime> since, std::optional<DatabaseTime> until) {
    MessageFilter filter;
    filter.since = since;
    filter.until = until;
    return must(console_->list(filter)).size();
  };
  EXPECT_EQ(found(created, std::nullopt), 1U);
  EXPECT_EQ(found(created + Millis(1), std::nullopt), 0U);
  EXPECT_EQ(found(std::nullopt, created), 0U);
  EXPECT_EQ(found(std::nullopt, created + Millis(1)), 1U);
}

TEST_P(StoreConformance, J2_pages_in_id_order_without_content_and_narrows_to_one_row) {
  const std::int64_t first = insert("a", "secret");
  const std::int64_t second = insert("b");
  insert("c");
  MessageFilter filter;
  filter.rows_max = 1;
  const auto page = must(console_->list(filter));
  ASSERT_EQ(page.size(), 1U);
  EXPECT_EQ(page[0].id, first);
  EXPECT_EQ(page[0].content, "");
  filter.after_id = first;
  EXPECT_EQ(must(console_->list(filter)).at(0).id, second);
  filter.id = first;
  EXPECT_TRUE(must(console_->list(filter)).empty());
  filter.after_id = 0;
  filter.rows_max = 100;
  EXPECT_EQ(must(console_->list(filter)).size(), 1U);
  MessageFilter whole;
  whole.biz_type = "order";
  whole.message_type = "order.placed";
  whole.identifier = "b";
  ASSERT_EQ(must(console_->list(whole)).size(), 1U);
  whole.state = "DEAD";
  EXPECT_TRUE(must(console_->list(whole)).empty());
}

TEST_P(StoreConformance, J2_the_history_of_a_row_tells_what_operators_did_and_why) {
  const std::int64_t id = row_in(DEAD);
  ASSERT_EQ(change(id, DEAD, Cause::replay), Marked::done);
  ASSERT_EQ(change(id, RETRY, Cause::cancelled), Marked::done);
  EXPECT_EQ(change(id, RETRY, Cause::cancelled), Marked::already_further);
  const auto audit = must(console_->show(id))->audit;
  ASSERT_EQ(audit.size(), 2U);
  EXPECT_EQ(audit[0].operator_name, "tester");
  EXPECT_EQ(audit[0].action, "replay");
  EXPECT_EQ(audit[0].state_before, "DEAD");
  EXPECT_EQ(audit[0].reason, "a reason");
  EXPECT_EQ(audit[1].action, "cancelled");
  EXPECT_LE(audit[0].gmt_create, audit[1].gmt_create);
}

TEST_P(StoreConformance, J2_a_sent_row_shows_its_first_send_before_any_delivery_row) {
  const MessageRow row = must(console_->show(row_in(SENT)))->row;
  EXPECT_EQ(row.sends, 1U);
  EXPECT_EQ(row.first_accepted_at, row.gmt_modified);
}

TEST_P(StoreConformance, J4_only_final_rows_of_that_age_go_and_their_side_rows_with_them) {
  std::map<MessageState, std::int64_t> rows;
  for (const MessageState state : {INIT, SENT, RETRY, PARKED, DEAD, CANCELLED, SUCCESS}) {
    rows[state] = row_in(state);
  }
  const std::int64_t replayed = row_in(DEAD);
  ASSERT_EQ(change(replayed, DEAD, Cause::replay), Marked::done);
  set_route({"points", "mails"});
  const std::int64_t confirmed = insert("confirmed");
  for (const char* consumer : {"points", "mails"}) {
    EXPECT_EQ(confirm("confirmed", consumer, Verdict::done), ConfirmResult::done);
  }
  const std::int64_t young = row_in(SUCCESS);
  database_->execute(
      "UPDATE local_message SET gmt_create = '2020-01-01 00:00:00.000',"
      " gmt_modified = '2020-01-01 00:00:00.000' WHERE id <> " +
      std::to_string(young));
  CleanSpec spec;
  spec.dry_run = true;
  EXPECT_EQ(must(console_->clean(spec)).deleted, 3);
  EXPECT_EQ(state_of(rows[SUCCESS]), "SUCCESS") << "a dry run deletes nothing";
  spec.dry_run = false;
  const CleanPage page = must(console_->clean(spec));
  EXPECT_EQ(page.deleted, 3);
  EXPECT_EQ(page.looked_at, 10);
  EXPECT_EQ(page.last_id, young);
  EXPECT_TRUE(page.exhausted);
  const std::vector<std::string> left =
      database_->query("SELECT id FROM local_message ORDER BY id");
  EXPECT_EQ(left,
            (std::vector<std::string>{std::to_string(rows[INIT]), std::to_string(rows[SENT]),
                                      std::to_string(rows[RETRY]), std::to_string(rows[PARKED]),
                                      std::to_string(rows[DEAD]), std::to_string(replayed),
                                      std::to_string(young)}));
  const std::string of_no_message = " WHERE id NOT IN (SELECT id FROM local_message)";
  EXPECT_TRUE(database_->query("SELECT id FROM local_message_delivery" + of_no_message).empty());
  EXPECT_TRUE(database_->query("SELECT id FROM local_message_receipt" + of_no_message).empty());
  EXPECT_FALSE(database_->query("SELECT id FROM local_message_delivery").empty());
  EXPECT_EQ(must(console_->show(confirmed)), std::nullopt);
  EXPECT_EQ(must(console_->clean(spec)).deleted, 0);
}

TEST_P(StoreConformance, J4_a_sweep_goes_page_by_page_and_ends_where_the_rows_are_young) {
  for (int i = 0; i < 12; ++i) static_cast<void>(row_in(SUCCESS));
  const auto age = [&](const std::string& column, int rows) {
    database_->execute("UPDATE local_message SET " + column +
                       " = '2020-01-01 00:00:00.000' WHERE id <= " + std::to_string(rows));
  };
  age("gmt_create", 7);
  age("gmt_modified", 6);  // the seventh was changed of late
  CleanSpec spec;
  spec.rows_max = 3;
  std::vector<std::int64_t> deleted;
  for (bool exhausted = false; !exhausted && deleted.size() < 10;) {
    const CleanPage page = must(console_->clean(spec));
    exhausted = page.exhausted;
    spec.after_id = page.last_id;
    deleted.push_back(page.deleted);
  }
  EXPECT_EQ(deleted, (std::vector<std::int64_t>{3, 3, 0, 0})) << "and not to the end";
  EXPECT_EQ(database_->query("SELECT COUNT(*) FROM local_message")[0], "6");
}

TEST_P(StoreConformance, J1_status_counts_what_waits_what_is_due_and_what_nobody_cleaned) {
  const std::int64_t due = insert("due");
  ASSERT_EQ(change(due, INIT, Cause::refused), Marked::done);
  const std::int64_t later = insert("later");
  ASSERT_EQ(change(later, INIT, Cause::refused, std::chrono::hours(1)), Marked::done);
  const std::int64_t old = row_in(SUCCESS);
  database_->execute(
      "UPDATE local_message SET gmt_modified = '2020-01-01 00:00:00.000' WHERE id = " +
      std::to_string(old));
  set_route({"points"});
  insert("confirmed");
  EXPECT_EQ(confirm("confirmed", "points", Verdict::done), ConfirmResult::done);
  const StoreStatus status = must(console_->status());
  EXPECT_EQ(status.retry_due, 1);
  ASSERT_EQ(status.counts.size(), 2U);
  EXPECT_EQ(status.counts[0].state, "RETRY");
  EXPECT_EQ(status.counts[0].rows, 2);
  EXPECT_EQ(status.counts[0].untouched, 0);
  EXPECT_EQ(status.counts[0].oldest, must(console_->show(due))->row.gmt_create);
  EXPECT_EQ(status.counts[1].rows, 2);
  EXPECT_EQ(status.counts[1].untouched, 1);
  ASSERT_TRUE(status.oldest_unfinished_age.has_value());
  EXPECT_LT(*status.oldest_unfinished_age, std::chrono::hours(1));
  EXPECT_EQ(status.lease.fence, lease_.fence);
  EXPECT_EQ(must(console_->lease()).holder, "conformance");
  ASSERT_EQ(status.consumers.size(), 1U);
  EXPECT_EQ(status.consumers[0].consumer, "points");
}

TEST_P(StoreConformance,
       H4_the_inbox_gives_out_what_is_not_confirmed_and_closes_what_was_answered) {
  const auto inbox = must(database_->open_inbox()->open());
  for (int i = 0; i < 3; ++i) {
    database_->execute(
        "INSERT INTO waybill_inbox (consumer, message_id, epoch, verdict, sent_at) VALUES "
        "('points', 'm" +
        std::to_string(i) + "', 0, 'done', '2026-01-01 00:00:00.000')");
  }
  database_->execute(
      "INSERT INTO waybill_inbox (consumer, message_id, epoch, verdict, sent_at) VALUES ('mail', "
      "'m0', 0, 'done',"
      " '2026-01-01 00:00:00.000')");
  auto pending = must(inbox->pending("points", 0, 2));
  ASSERT_EQ(pending.size(), 2U);
  EXPECT_EQ(pending[0].message_id, "m0");
  ASSERT_EQ(must(inbox->pending("points", pending[1].position, 2)).size(), 1U);

  // A duplicate arrives while the answer is on its way: its row stays open.
  const DatabaseTime newer = pending[0].sent_at + std::chrono::seconds(9);
  for (const auto& [epoch, sent_at] : {std::pair{1U, pending[0].sent_at}, std::pair{1U, newer}}) {
    ASSERT_TRUE(inbox->reopen("points", "m0", epoch, sent_at).ok());
    ASSERT_TRUE(inbox->confirmed("points", pending).ok());
    pending = must(inbox->pending("points", 0, 10));
    ASSERT_FALSE(pending.empty());
    EXPECT_EQ(pending[0].message_id, "m0");
    EXPECT_EQ(pending[0].epoch, epoch);
    EXPECT_EQ(pending[0].sent_at, sent_at);
  }
  // An older copy tells nothing new.
  ASSERT_TRUE(inbox->reopen("points", "m0", 0, newer - std::chrono::hours(1)).ok());
  ASSERT_TRUE(inbox->confirmed("points", pending).ok());
  EXPECT_TRUE(must(inbox->pending("points", 0, 10)).empty());
  EXPECT_EQ(must(inbox->pending("mail", 0, 10)).size(), 1U);
  ASSERT_TRUE(inbox->reopen("points", "m1", 0, newer).ok());
  EXPECT_EQ(must(inbox->pending("points", 0, 10)).size(), 1U);
}

TEST_P(StoreConformance, a_parked_message_is_kept_and_confirmed_as_failed_unless_it_was_done) {
  const auto inbox = must(database_->open_inbox()->open());
  database_->execute(
      "INSERT INTO waybill_inbox (consumer, message_id, epoch, verdict, sent_at) VALUES ('points', "
      "'done', 0, 'done',"
      " '2026-01-01 00:00:00.000')");
  ParkedMessage message;
  message.message_id = "poison";
  message.message_type = "order.placed";
  message.body = std::string("\0\xFF", 2);
  message.reason = "the handler failed 3 times";
  message.attempts = 3;
  ASSERT_TRUE(inbox->park("points", message, DatabaseTime{}).ok());
  message.message_id = "done";
  ASSERT_TRUE(inbox->park("points", message, DatabaseTime{}).ok());
  const auto parked = must(inbox->parked("points", 10));
  ASSERT_EQ(parked.size(), 1U);
  EXPECT_EQ(parked[0].message_id, "poison");
  EXPECT_EQ(parked[0].body, message.body);
  const auto pending = must(inbox->pending("points", 0, 10));
  ASSERT_EQ(pending.size(), 2U);
  EXPECT_EQ(pending[0].verdict, Verdict::done);
  EXPECT_EQ(pending[0].reason, "");
  EXPECT_EQ(pending[1].verdict, Verdict::failed);
  EXPECT_EQ(pending[1].reason, message.reason);

  // Confirmed, it comes once more under a newer epoch and fails again; what was done is not opened.
  ASSERT_TRUE(inbox->confirmed("points", pending).ok());
  message.epoch = 1;
  for (const char* id : {"poison", "done"}) {
    message.message_id = id;
    ASSERT_TRUE(inbox->park("points", message, DatabaseTime{}).ok());
  }
  const auto again = must(inbox->pending("points", 0, 10));
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].message_id, "poison");
  EXPECT_EQ(again[0].epoch, 1U);
}

TEST_P(StoreConformance, I6_tries_that_never_ended_are_counted_per_message) {
  auto inbox = must(database_->open_inbox()->open());
  using Known = std::vector<bool>;
  const std::string_view both[] = {"a/t/1", "a/t/2"};
  const std::string_view first[] = {"a/t/1"};
  EXPECT_EQ(must(inbox->note_attempts("points", first)), Known{false});
  EXPECT_EQ(must(inbox->note_attempts("points", both)), (Known{true, false}));
  EXPECT_EQ(must(inbox->note_attempts("mail", first)), Known{false});
  EXPECT_EQ(must(inbox->begin_attempt("points", "a/t/1")), 1U);
  EXPECT_EQ(must(inbox->begin_attempt("points", "a/t/1")), 2U);
  EXPECT_EQ(must(inbox->begin_attempt("points", "a/t/2")), 1U);
  EXPECT_TRUE(inbox->end_attempts("points", first).ok());
  EXPECT_EQ(must(inbox->note_attempts("points", both)), (Known{false, true}));
  EXPECT_EQ(must(inbox->begin_attempt("points", "a/t/1")), 1U);
  EXPECT_EQ(must(inbox->note_attempts("mail", first)), Known{true}) << "another consumer's";
}

TEST_P(StoreConformance, J2_a_parked_message_is_taken_up_with_audit_until_it_was_handled) {
  const auto inbox = must(database_->open_inbox()->open());
  ParkedMessage message;
  message.message_id = "poison";
  message.message_type = "order.placed";
  message.body = "{}";
  message.reason = "no such user";
  message.epoch = 2;
  message.key = "user-\u4e00";
  message.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  ASSERT_TRUE(inbox->park("points", message, DatabaseTime{}).ok());
  ASSERT_TRUE(inbox->park("mail", message, DatabaseTime{}).ok());
  ASSERT_EQ(must(inbox->parked("", 10)).size(), 2U);
  ASSERT_EQ(must(inbox->parked("mail", 10)).size(), 1U);
  EXPECT_EQ(must(inbox->parked("mail", 10))[0].consumer, "mail");
  EXPECT_FALSE(must(inbox->take_up("points", "other", "ann", "fixed")).has_value());
  const auto taken = must(inbox->take_up("points", "poison", "ann", "user created"));
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(taken->epoch, 2U);
  EXPECT_EQ(taken->body, "{}");
  EXPECT_EQ(taken->key, message.key);
  EXPECT_EQ(taken->traceparent, message.traceparent);
  EXPECT_EQ(database_->query("SELECT reason FROM waybill_audit"),
            std::vector<std::string>{"user created"});
  database_->execute("UPDATE waybill_inbox SET verdict = 'done' WHERE consumer = 'points'");
  EXPECT_FALSE(must(inbox->take_up("points", "poison", "ann", "again")).has_value());
  EXPECT_EQ(must(inbox->parked("", 10)).size(), 1U);
}

}  // namespace waybill::testing
