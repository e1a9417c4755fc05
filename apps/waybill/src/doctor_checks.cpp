#include "doctor_checks.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "duration.hpp"
#include "output.hpp"

namespace waybill::cli {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr bool kError = true;
constexpr bool kWarning = false;

constexpr seconds kRetentionDefault = hours(24 * 7);  // until a consumer announces its own
// A silent consumer is sent a copy at least this often (relay: resend_max). An inbox that forgets
// sooner leaves no time for a second copy.
constexpr seconds kResendGapMax = hours(1);
constexpr seconds kRetentionLow = hours(24);

std::int64_t rows_in(const StoreStatus& status, std::initializer_list<MessageState> states) {
  std::int64_t rows = 0;
  for (const StateCount& count : status.counts) {
    const auto state = parse_message_state(count.state);
    if (state && std::find(states.begin(), states.end(), *state) != states.end())
      rows += count.rows;
  }
  return rows;
}

std::int64_t unfinished(const StoreStatus& status) {
  using enum MessageState;
  return rows_in(status, {INIT, SENT, RETRY, PARKED});
}

void check_relay(const TableFacts& facts, std::vector<Finding>& findings) {
  if (facts.relay != RelayLife::none && facts.relay != RelayLife::silent) return;
  const std::int64_t waiting = unfinished(facts.status);
  if (waiting == 0) return;
  const std::string lease =
      facts.relay == RelayLife::none
          ? "nobody holds the lease"
          : fmt::format("the lease of '{}' stands still", printable(facts.status.lease.holder));
  findings.push_back({"no_live_relay", kError,
                      fmt::format("{} messages wait and {}", waiting, lease),
                      "nothing is published and nothing is sent again",
                      "start waybill relay, or look at the log of the one that should run; with a "
                      "longer relay.ttl give its configuration file to doctor"});
}

void check_age(const TableFacts& facts, const DoctorLimits& limits,
               std::vector<Finding>& findings) {
  const auto& age = facts.status.oldest_unfinished_age;
  if (!age || *age <= limits.age_max) return;
  findings.push_back({"oldest_unfinished", kError,
                      fmt::format("the oldest unfinished message is {} old, over {}",
                                  print_age(*age), print_age(limits.age_max)),
                      "it does not get out, or its consumer does not confirm it",
                      fmt::format("waybill messages list --until {}, then waybill messages show ID",
                                  print_duration(limits.age_max))});
}

seconds shortest_retention(const StoreStatus& status) {
  seconds shortest = kRetentionDefault;
  for (const ConsumerProgress& consumer : status.consumers) {
    shortest = std::min(shortest, consumer.retention);
  }
  return shortest;
}

void check_retention(const TableFacts& facts, std::vector<Finding>& findings) {
  for (const ConsumerProgress& consumer : facts.status.consumers) {
    if (consumer.retention >= kRetentionLow) continue;
    const bool severe = consumer.retention < kResendGapMax;
    findings.push_back(
        {"inbox_retention_short", severe,
         fmt::format("the inbox of '{}' remembers {} for {} only", printable(consumer.consumer),
                     printable(consumer.message_type), print_age(consumer.retention)),
         "a message that it does not confirm in that time is not sent again but becomes DEAD",
         "let its inbox remember for 7 days, or for as long as it may be down"});
  }
  const Millis half = shortest_retention(facts.status) / 2;
  for (const StateCount& count : facts.status.counts) {
    if (count.state != to_string(MessageState::INIT) || count.oldest == DatabaseTime{}) continue;
    const auto age = std::chrono::duration_cast<Millis>(facts.status.now - count.oldest);
    if (age <= half) continue;
    findings.push_back({"init_near_retention", kError,
                        fmt::format("the oldest INIT message is {} old, over half of what the "
                                    "inboxes remember ({})",
                                    print_age(age), print_age(half * 2)),
                        "a copy of it that is still under way may arrive after its inbox row was "
                        "forgotten, and take effect twice",
                        "get it published, or lengthen the inboxes' retention first"});
  }
}

void check_routes(const TableFacts& facts, std::vector<Finding>& findings) {
  for (const std::string& type : facts.types) {
    if (find_route(facts.routes, type) != nullptr) continue;
    findings.push_back(
        {"type_without_route", kError,
         fmt::format("messages of type '{}' wait, which has no route", printable(type)),
         "they are not published; nothing is lost and nothing is counted",
         "waybill routes set TYPE --destination NAME, or correct the type's name in "
         "the service"});
  }
}

void check_states(const TableFacts& facts, std::vector<Finding>& findings) {
  for (const StateCount& count : facts.status.counts) {
    if (parse_message_state(count.state)) continue;
    findings.push_back({"unknown_state", kError,
                        fmt::format("{} messages are in state '{}', which waybill does not know",
                                    count.rows, printable(count.state)),
                        "they are left alone: neither published nor cleaned up",
                        "find out who wrote that state, then set it by SQL to what is true"});
  }
}

void check_ids(const TableFacts& facts, std::vector<Finding>& findings) {
  if (facts.lowest_id > 0) return;
  findings.push_back({"id_below_one", kError,
                      fmt::format("there is a row with the id {}", facts.lowest_id),
                      "the relay reads from id 1 on: such a row is never published",
                      "delete such rows and insert them again without an id, so that the database "
                      "numbers them"});
}

void check_clean_up(const TableFacts& facts, const DoctorLimits& limits,
                    std::vector<Finding>& findings) {
  std::int64_t rows = 0;
  for (const StateCount& count : facts.status.counts) {
    const auto state = parse_message_state(count.state);
    if (state == MessageState::SUCCESS || state == MessageState::CANCELLED) rows += count.untouched;
  }
  if (rows <= limits.uncleaned_max) return;
  findings.push_back({"never_cleaned", kWarning,
                      fmt::format("{} finished messages are older than 7 days", rows),
                      "the table and its backups grow; looking for messages gets slower",
                      "run waybill clean now and then, for example every night"});
}

}  // namespace

std::vector<Finding> check_table(const TableFacts& facts, const DoctorLimits& limits) {
  std::vector<Finding> findings;
  check_relay(facts, findings);
  check_age(facts, limits, findings);
  check_routes(facts, findings);
  check_states(facts, findings);
  check_ids(facts, findings);
  check_retention(facts, findings);
  check_clean_up(facts, limits, findings);
  return findings;
}

std::vector<Finding> check_queue(const std::vector<QueueFacts>& topics, Millis retention,
                                 const DoctorLimits& limits) {
  std::vector<Finding> findings;
  const Millis near = retention / 5 * 4;
  for (const QueueFacts& topic : topics) {
    const std::string name = printable(topic.topic);
    if (topic.groups.empty() && topic.messages > 0) {
      findings.push_back({"topic_without_group", kWarning,
                          fmt::format("topic '{}' holds {} messages and has no consumer group",
                                      name, topic.messages),
                          "nobody reads it; after the retention its messages are deleted",
                          "start its consumer, or correct the route's destination"});
    }
    for (const QueueFacts::Group& group : topic.groups) {
      const std::string who = fmt::format("group '{}' of topic '{}'", printable(group.name), name);
      if (group.lag > limits.lag_max) {
        findings.push_back({"group_lags", kWarning,
                            fmt::format("{} is {} messages behind", who, group.lag),
                            "its effects come late, and late confirmations cause copies",
                            "is its consumer running? add members, up to one a partition"});
      }
      if (group.lag > 0 && group.unread_for >= near) {
        findings.push_back(
            {"unread_near_retention", kError,
             fmt::format("{} has not read a message that is {} old; the queue keeps {}", who,
                         print_age(group.unread_for), print_age(retention)),
             "the queue deletes it soon, read or not; only types with required consumers are sent "
             "again",
             "start the group's consumer now"});
      }
    }
  }
  return findings;
}

}  // namespace waybill::cli
