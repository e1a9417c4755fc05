#include "waybill/confirm/endpoint.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <random>
#include <thread>

#include "shop.hpp"
#include "waybill/confirm/batch.hpp"

namespace waybill::confirm::testing {
namespace {

namespace json = boost::json;

const Key kPoints = key_of("points", "points-1");
const Key kMail = key_of("mail", "mail-1");
const Key kAudit = key_of("audit", "audit-1");

class EndpointTest : public ::testing::Test {
 protected:
  explicit EndpointTest(const std::vector<std::string>& required = {"points"}) : shop_(required) {}

  EndpointOptions options() {
    return {.now = [this] { return now_; },
            .log =
                [this](LogLevel level, std::string_view text) {
                  const std::lock_guard lock(mutex_);
                  if (level == LogLevel::alarm) alarms_.emplace_back(text);
                }};
  }

  // The results as words, or the status.
  std::string confirm(const std::vector<Confirmation>& items, const Key& key = kPoints) {
    const Reply reply = endpoint_.handle(signed_request(items, key));
    if (reply.status != 200) return std::to_string(reply.status);
    std::string words;
    const auto results = parse_results(reply.body, items.size());
    if (!results) return results.error().to_string();
    for (const ConfirmResult result : *results) {
      words += (words.empty() ? "" : " ") + std::string(to_string(result));
    }
    return words;
  }

  WallTime now_ = kNow;
  Shop shop_;
  WatchedStore store_{shop_.store()};
  std::mutex mutex_;  // guards the member below
  std::vector<std::string> alarms_;
  Endpoint endpoint_{store_, ring_of({kPoints, kMail, kAudit}), options()};
};

class SeveralConsumers : public EndpointTest {
 protected:
  SeveralConsumers() : EndpointTest({"points", "mail", "audit"}) {}
};

using Headers = decltype(Reply::headers);

void expect_problem(const Reply& reply, int status) {
  EXPECT_EQ(reply.status, status) << reply.body;
  EXPECT_EQ(reply.content_type, "application/problem+json");
  const json::object body = json::parse(reply.body).as_object();
  EXPECT_EQ(body.at("status").as_int64(), status);
  EXPECT_EQ(body.at("type").as_string(), "about:blank");
  EXPECT_FALSE(body.at("title").as_string().empty());
  EXPECT_FALSE(body.at("detail").as_string().empty());
}

TEST_F(EndpointTest, H1_a_batch_gets_one_result_per_item_in_its_order) {
  for (const char* identifier : {"A", "B", "C", "D"}) shop_.add(identifier);
  shop_.act("C", Cause::cancelled);
  const std::vector<Confirmation> items = {item("A"), item("B", "points", Verdict::failed),
                                           item("nowhere"), item("C", "points", Verdict::failed),
                                           item("D", "points", Verdict::later)};
  const Reply reply = endpoint_.handle(signed_request(items, kPoints));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.content_type, "application/json");
  EXPECT_EQ(reply.body, R"({"results":[{"message_id":"order/placed/A","result":"done"},)"
                        R"({"message_id":"order/placed/B","result":"done"},)"
                        R"({"message_id":"order/placed/nowhere","result":"not_found"},)"
                        R"({"message_id":"order/placed/C","result":"already"},)"
                        R"({"message_id":"order/placed/D","result":"done"}]})");
  EXPECT_EQ(shop_.state_of("A"), "SUCCESS");
  EXPECT_EQ(shop_.state_of("B"), "DEAD");
  EXPECT_EQ(shop_.state_of("C"), "CANCELLED");
  EXPECT_EQ(shop_.state_of("D"), "RETRY");
  EXPECT_EQ(endpoint_.stats().accepted, 4U);
  EXPECT_EQ(endpoint_.stats().not_found, 1U);
}

TEST_F(EndpointTest, H1_what_the_consumer_announces_is_kept) {
  shop_.add("A");
  Confirmation announced = item("A");
  announced.retention = std::chrono::hours(36);
  EXPECT_EQ(confirm({announced}), "done");
  EXPECT_EQ(shop_.query("SELECT retention FROM waybill_consumer WHERE consumer = 'points'").at(0),
            std::to_string(36 * 3600));
  EXPECT_EQ(shop_.query("SELECT confirmed_sent FROM waybill_consumer").at(0),
            "2023-11-14 22:13:20.000");
}

TEST_F(EndpointTest, H1_other_requests_get_a_problem_each) {
  const Request good = signed_request({item("A")}, kPoints);
  Request elsewhere = good;
  elsewhere.target = "/api/v1/confirmations/1";
  expect_problem(endpoint_.handle(elsewhere), 404);
  for (const char* method : {"GET", "PUT", "DELETE", "post", ""}) {
    Request other = good;
    other.method = method;
    const Reply reply = endpoint_.handle(other);
    expect_problem(reply, 405);
    EXPECT_EQ(reply.headers, (Headers{{"Allow", "POST"}}));
  }
  expect_problem(endpoint_.handle(signed_request("{}", kPoints)), 400);
  Request with_query = good;
  with_query.target = std::string(kPath) + "?x=y";
  EXPECT_EQ(endpoint_.handle(with_query).status, 200);
}

TEST_F(EndpointTest, H1_a_refused_batch_changes_nothing) {
  shop_.add("A");
  std::string body = encode_batch({item("A"), item("A")});
  body.replace(body.rfind("done"), 4, "dune");
  expect_problem(endpoint_.handle(signed_request(body, kPoints)), 400);
  EXPECT_EQ(shop_.state_of("A"), "INIT");
}

TEST_F(EndpointTest, H1_a_database_that_is_away_is_a_503_and_heals) {
  shop_.add("A");
  store_.is_down = true;
  expect_problem(endpoint_.handle(signed_request({item("A")}, kPoints)), 503);
  store_.is_down = false;
  EXPECT_EQ(confirm({item("A")}), "done");
  // A session that failed later is not used again.
  shop_.query("ALTER TABLE waybill_route RENAME TO waybill_route_away");
  EXPECT_EQ(confirm({item("A")}), "503");
  shop_.query("ALTER TABLE waybill_route_away RENAME TO waybill_route");
  EXPECT_EQ(confirm({item("A")}), "done");
  EXPECT_EQ(store_.opened, 3);
}

TEST_F(EndpointTest, H2_a_hundred_repeats_at_once_get_the_same_answer_and_the_same_state) {
  shop_.add("A");
  shop_.add("B");
  const Request request =
      signed_request({item("A"), item("B", "points", Verdict::failed), item("C")}, kPoints);
  constexpr int kThreads = 5;
  constexpr int kRepeats = 20;
  std::vector<std::string> bodies(std::size_t{kThreads} * kRepeats);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRepeats; ++i) {
        const Reply reply = endpoint_.handle(request);
        bodies[static_cast<std::size_t>(t * kRepeats + i)] =
            std::to_string(reply.status) + reply.body;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& body : bodies) EXPECT_EQ(body, bodies[0]);
  EXPECT_NE(bodies[0].find(R"("order/placed/A","result":"done")"), std::string::npos) << bodies[0];
  EXPECT_EQ(shop_.state_of("A"), "SUCCESS");
  EXPECT_EQ(shop_.state_of("B"), "DEAD");
  EXPECT_EQ(shop_.count("local_message"), 2);
}

TEST_F(EndpointTest, H2_a_repeat_in_other_bytes_gets_the_same_answer) {
  shop_.add("A");
  EXPECT_EQ(confirm({item("A")}), "done");
  Confirmation again = item("A");
  again.sent_at += std::chrono::seconds(1);
  again.retention = std::chrono::hours(1);
  EXPECT_EQ(confirm({again}), "done");
  EXPECT_EQ(confirm({again, again}), "done done");
  EXPECT_EQ(shop_.state_of("A"), "SUCCESS");
}

TEST_F(EndpointTest, H3_an_unknown_id_is_not_found_whatever_it_is_and_leaves_no_row) {
  shop_.add("A");
  const char* given = std::getenv("WAYBILL_TEST_SEED");
  const unsigned seed = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                                         : std::random_device{}();
  SCOPED_TRACE("WAYBILL_TEST_SEED=" + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string alphabet = "order/placed/A%27'\";-\\ \x01";
  std::vector<Confirmation> items;
  for (int i = 0; i < 900; ++i) {
    Confirmation unknown = item("A");
    unknown.message_id = i % 2 == 0 ? "" : "order/placed/A";
    const std::size_t size = 1 + random() % 40;
    for (std::size_t k = 0; k < size; ++k)
      unknown.message_id += alphabet[random() % alphabet.size()];
    unknown.verdict = static_cast<Verdict>(random() % 3);
    unknown.epoch = static_cast<std::uint32_t>(random());
    // The one id that exists, in the one spelling that it has.
    if (unknown.message_id != "order/placed/A") items.push_back(unknown);
  }
  const auto results =
      parse_results(endpoint_.handle(signed_request(items, kPoints)).body, items.size());
  ASSERT_TRUE(results.ok()) << results.error().to_string();
  for (std::size_t i = 0; i < items.size(); ++i) {
    EXPECT_EQ((*results)[i], ConfirmResult::not_found) << items[i].message_id;
  }
  EXPECT_EQ(endpoint_.stats().not_found, items.size());
  EXPECT_EQ(endpoint_.stats().accepted, 0U);
  EXPECT_EQ(shop_.state_of("A"), "INIT");
  for (const char* table :
       {"local_message_delivery", "local_message_receipt", "waybill_consumer"}) {
    EXPECT_EQ(shop_.count(table), 0) << table;
  }
  EXPECT_EQ(shop_.count("local_message"), 1);
}

TEST_F(EndpointTest, H3_no_body_whatever_does_more_than_be_refused) {
  shop_.add("A");
  const char* given = std::getenv("WAYBILL_TEST_SEED");
  const unsigned seed = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                                         : std::random_device{}();
  SCOPED_TRACE("WAYBILL_TEST_SEED=" + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string good = encode_batch({item("unknown"), item("unknown")});
  for (int i = 0; i < 2000; ++i) {
    std::string body = good;
    for (std::size_t edits = 1 + random() % 4; edits > 0; --edits) {
      const std::size_t at = random() % body.size();
      if (random() % 3 == 0) {
        body.erase(at, 1 + random() % 5);
      } else {
        body[at] = static_cast<char>(random() % 256);
      }
      if (body.empty()) break;
    }
    const int status = endpoint_.handle(signed_request(body, kPoints)).status;
    EXPECT_TRUE(status == 400 || status == 200) << status << " for " << body;
  }
  EXPECT_EQ(shop_.state_of("A"), "INIT");
  EXPECT_EQ(confirm({item("A")}), "done");
}

TEST_F(EndpointTest, H6_a_failed_verdict_is_dead_with_its_reason_an_alarm_and_a_way_back) {
  shop_.add("A");
  EXPECT_EQ(confirm({item("A", "points", Verdict::failed)}), "done");
  EXPECT_EQ(shop_.state_of("A"), "DEAD");
  EXPECT_EQ(shop_.query("SELECT reason FROM local_message_delivery").at(0),
            "consumer 'points' failed: no such account");
  ASSERT_EQ(alarms_.size(), 1U);
  EXPECT_NE(alarms_[0].find("order/placed/A"), std::string::npos) << alarms_[0];
  EXPECT_EQ(alarms_[0].find("no such account"), std::string::npos) << alarms_[0];
  shop_.act("A", Cause::replay);
  EXPECT_EQ(shop_.state_of("A"), "RETRY");
  EXPECT_EQ(confirm({item("A", "points", Verdict::done, 1)}), "done");
  EXPECT_EQ(shop_.state_of("A"), "SUCCESS");
  EXPECT_EQ(alarms_.size(), 1U);
}

TEST_F(SeveralConsumers, H7_a_message_succeeds_with_the_last_of_them) {
  shop_.add("A");
  EXPECT_EQ(confirm({item("A", "points")}, kPoints), "done");
  EXPECT_EQ(confirm({item("A", "points")}, kPoints), "done");
  EXPECT_EQ(confirm({item("A", "mail")}, kMail), "done");
  EXPECT_EQ(shop_.state_of("A"), "INIT");
  EXPECT_EQ(confirm({item("A", "audit")}, kAudit), "done");
  EXPECT_EQ(shop_.state_of("A"), "SUCCESS");
  EXPECT_EQ(confirm({item("A", "mail", Verdict::failed)}, kMail), "already");
}

TEST_F(SeveralConsumers, H7_simultaneous_confirmations_finish_every_message) {
  constexpr int kBatches = 40;
  constexpr int kPerBatch = 25;
  const auto name = [](int batch, int i) {
    return std::to_string(batch) + "-" + std::to_string(i);
  };
  std::string insert = "BEGIN;";
  for (int batch = 0; batch < kBatches; ++batch) {
    for (int i = 0; i < kPerBatch; ++i) {
      insert +=
          "INSERT INTO local_message (message_type, biz_type, identifier, content) VALUES "
          "('placed','order','" +
          name(batch, i) + "','');";
    }
  }
  shop_.query(insert + "COMMIT");
  std::vector<std::thread> threads;
  for (const Key& key : {kPoints, kMail, kAudit}) {
    threads.emplace_back([&, key] {
      for (int batch = 0; batch < kBatches; ++batch) {
        std::vector<Confirmation> items;
        for (int i = 0; i < kPerBatch; ++i) items.push_back(item(name(batch, i), key.consumer));
        const std::string results = confirm(items, key);
        EXPECT_EQ(results.size(), kPerBatch * 5 - 1) << results;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(shop_.count("local_message WHERE state = 'SUCCESS'"), kBatches * kPerBatch);
}

class Unauthorized : public EndpointTest {
 protected:
  void expect_refused(const Request& request) {
    const std::uint64_t before = endpoint_.stats().unauthorized;
    const Reply reply = endpoint_.handle(request);
    expect_problem(reply, 401);
    EXPECT_EQ(reply.headers,
              (Headers{{"WWW-Authenticate", R"(Standard-Webhooks realm="confirmations")"}}));
    EXPECT_EQ(endpoint_.stats().unauthorized, before + 1);
    EXPECT_EQ(store_.opened, 0) << "looked something up";
  }
};

TEST_F(Unauthorized, H9_unsigned_and_forged_requests_look_nothing_up) {
  shop_.add("A");
  const Request good = signed_request({item("A")}, kPoints);
  Request without = good;
  without.headers.clear();
  expect_refused(without);
  Request changed = good;
  changed.body = encode_batch({item("B")});
  expect_refused(changed);
  Key wrong = kPoints;
  wrong.secret += "x";
  expect_refused(signed_request({item("A")}, wrong));
  expect_refused(signed_request({item("A")}, key_of("points", "unknown")));
  // Not even whether the body could be read.
  Request senseless;
  senseless.body = "{";
  expect_refused(senseless);
  EXPECT_EQ(shop_.state_of("A"), "INIT");
}

TEST_F(Unauthorized, H9_a_request_older_or_newer_than_five_minutes_looks_nothing_up) {
  shop_.add("A");
  const Request request = signed_request({item("A")}, kPoints);
  now_ = kNow + std::chrono::seconds(301);
  expect_refused(request);
  now_ = kNow - std::chrono::seconds(301);
  expect_refused(request);
  now_ = kNow + std::chrono::seconds(300);
  EXPECT_EQ(endpoint_.handle(request).status, 200);
}

TEST_F(EndpointTest, H9_a_consumer_cannot_confirm_for_another) {
  shop_.add("A");
  EXPECT_EQ(confirm({item("A", "points")}, kMail), "not_found");
  // Nor as itself, where it is not asked for.
  EXPECT_EQ(confirm({item("A", "mail")}, kMail), "not_found");
  EXPECT_EQ(confirm({item("A", "points", Verdict::failed)}, kMail), "not_found");
  EXPECT_EQ(shop_.state_of("A"), "INIT");
  EXPECT_EQ(shop_.count("waybill_consumer"), 0);
  // The same bytes as for an id that there is not.
  EXPECT_EQ(endpoint_.handle(signed_request({item("A", "points")}, kMail)).body,
            R"({"results":[{"message_id":"order/placed/A","result":"not_found"}]})");
  EXPECT_EQ(confirm({item("A", "points")}, kPoints), "done");
}

TEST_F(EndpointTest, H9_a_body_above_the_limit_is_413_before_its_signature_is_read) {
  Endpoint small(store_, ring_of({kPoints}), {.body_bytes_max = 300, .now = [] { return kNow; }});
  std::string body = encode_batch({item("A")});
  ASSERT_LT(body.size(), 300U);
  body.resize(300, ' ');
  EXPECT_EQ(small.handle(signed_request(body, kPoints)).status, 200);
  Request large;
  large.body = body + " ";
  expect_problem(small.handle(large), 413);
}

TEST_F(EndpointTest, H9_keys_are_exchanged_without_a_gap) {
  shop_.add("A");
  std::vector<Key> keys;
  for (int i = 1; i <= 3; ++i) keys.push_back(key_of("points", "points-" + std::to_string(i)));
  endpoint_.set_keys(ring_of(keys));
  for (const Key& key : keys) EXPECT_EQ(confirm({item("A")}, key), "done");
  endpoint_.set_keys(ring_of({keys[1], keys[2]}));
  EXPECT_EQ(confirm({item("A")}, keys[0]), "401");
  EXPECT_EQ(confirm({item("A")}, keys[1]), "done");
  EXPECT_EQ(confirm({item("A", "mail")}, kMail), "401");
  endpoint_.set_keys(ring_of({}));
  EXPECT_EQ(confirm({item("A")}, keys[1]), "401");
}

TEST_F(EndpointTest, H9_keys_may_be_exchanged_while_requests_run) {
  shop_.add("A");
  std::atomic<bool> over = false;
  std::thread exchanger([&] {
    for (int i = 0; !over; ++i) {
      endpoint_.set_keys(ring_of({kPoints, key_of("points", "other-" + std::to_string(i % 2))}));
    }
  });
  for (int i = 0; i < 50; ++i) EXPECT_EQ(confirm({item("A")}), "done");
  over = true;
  exchanger.join();
}

TEST_F(EndpointTest, H11_after_a_replay_an_old_failed_changes_nothing) {
  shop_.add("A");
  EXPECT_EQ(confirm({item("A", "points", Verdict::failed, 0)}), "done");
  shop_.act("A", Cause::replay);
  EXPECT_EQ(confirm({item("A", "points", Verdict::failed, 0)}), "already");
  EXPECT_EQ(confirm({item("A", "points", Verdict::later, 0)}), "already");
  EXPECT_EQ(shop_.state_of("A"), "RETRY");
  EXPECT_EQ(alarms_.size(), 1U);
  EXPECT_EQ(confirm({item("A", "points", Verdict::failed, 1)}), "done");
  EXPECT_EQ(shop_.state_of("A"), "DEAD");
  // Done is done, of whatever epoch.
  EXPECT_EQ(confirm({item("A", "points", Verdict::done, 0)}), "done");
  EXPECT_EQ(shop_.state_of("A"), "SUCCESS");
  EXPECT_EQ(confirm({item("A", "points", Verdict::failed, 1)}), "already");
}

TEST_F(EndpointTest, H11_done_after_cancelled_is_success_with_an_alarm) {
  shop_.add("A");
  shop_.act("A", Cause::cancelled);
  EXPECT_EQ(confirm({item("A", "points", Verdict::failed)}), "already");
  EXPECT_EQ(shop_.state_of("A"), "CANCELLED");
  EXPECT_TRUE(alarms_.empty());
  EXPECT_EQ(confirm({item("A")}), "done");
  EXPECT_EQ(shop_.state_of("A"), "SUCCESS");
  ASSERT_EQ(alarms_.size(), 1U);
  EXPECT_NE(alarms_[0].find("though cancelled"), std::string::npos) << alarms_[0];
  EXPECT_EQ(confirm({item("A")}), "done");
  EXPECT_EQ(alarms_.size(), 1U);
}

}  // namespace
}  // namespace waybill::confirm::testing
