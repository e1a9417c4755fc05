#include "waybill/confirm/endpoint.hpp"

#include <boost/json.hpp>

#include "waybill/confirm/batch.hpp"
#include "waybill/test_points.hpp"

namespace waybill::confirm {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

Reply problem(int status, std::string_view title, std::string_view detail, Headers headers = {}) {
  const boost::json::object body{
      {"type", "about:blank"}, {"title", title}, {"status", status}, {"detail", detail}};
  return {status, "application/problem+json", boost::json::serialize(body), std::move(headers)};
}

WallTime host_time() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

std::string_view path_of(std::string_view target) {
  return target.substr(0, target.find('?'));
}

std::string in_words(std::chrono::seconds time) {
  constexpr std::pair<std::int64_t, const char*> kUnits[] = {
      {86'400, " days"}, {3600, " hours"}, {60, " minutes"}};
  for (const auto& [seconds, unit] : kUnits) {
    if (time.count() > seconds && time.count() % seconds == 0)
      return std::to_string(time.count() / seconds) + unit;
  }
  return std::to_string(time.count()) + " seconds";
}

}  // namespace

Endpoint::Endpoint(MessageStore& store, KeyRing keys, EndpointOptions options)
    : store_(store),
      options_(std::move(options)),
      keys_(std::make_shared<const KeyRing>(std::move(keys))) {}

void Endpoint::set_keys(KeyRing keys) {
  auto next = std::make_shared<const KeyRing>(std::move(keys));
  const std::lock_guard lock(mutex_);
  keys_ = std::move(next);
}

EndpointStats Endpoint::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

Reply Endpoint::handle(const Request& request, std::chrono::seconds age_max) {
  if (path_of(request.target) != kPath)
    return problem(404, "Not found", "confirmations go to /api/v1/confirmations");
  if (request.method != "POST") {
    return problem(405, "Method not allowed", "send a POST", {{"Allow", "POST"}});
  }
  if (request.body.size() > options_.body_bytes_max) {
    return problem(413, "Content too large", "send fewer confirmations a request");
  }
  std::shared_ptr<const KeyRing> keys;
  {
    const std::lock_guard lock(mutex_);
    keys = keys_;
  }
  const Key* key = verify(request, *keys, options_.now ? options_.now() : host_time(), age_max);
  if (key == nullptr) {
    const std::lock_guard lock(mutex_);
    ++stats_.unauthorized;
    return problem(401, "Unauthorized",
                   "the request is not signed by a live key, or its timestamp is older than " +
                       in_words(age_max) + " or more than " + in_words(kTimestampTolerance) +
                       " ahead",
                   {{"WWW-Authenticate", R"(Standard-Webhooks realm="confirmations")"}});
  }
  return confirm(key->consumer, request.body);
}

Reply Endpoint::confirm(const std::string& consumer, const std::string& body) {
  const auto items = parse_batch(body);
  if (!items) return problem(400, "Bad request", items.error().text);
  // Whose key it is, that one confirms; for others every id is unknown.
  const bool is_own = items->front().consumer == consumer;
  auto results =
      is_own ? write(*items) : std::vector<ConfirmResult>(items->size(), ConfirmResult::not_found);
  if (!is_own && options_.log) {
    options_.log(LogLevel::alarm, "confirm: a key of consumer '" + consumer +
                                      "' signed confirmations of '" + items->front().consumer +
                                      "', which are refused");
  }
  if (!results) {
    if (options_.log) options_.log(LogLevel::warning, "confirm: " + results.error().to_string());
    return problem(503, "Service unavailable",
                   "the database cannot answer now; send the same again");
  }
  count(*items, *results);
  return {200, "application/json", encode_results(*items, *results), {}};
}

void Endpoint::count(const std::vector<Confirmation>& items,
                     const std::vector<ConfirmResult>& results) {
  std::vector<const Confirmation*> failed;
  std::vector<const Confirmation*> cancelled;
  {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < items.size(); ++i) {
      ++(results[i] == ConfirmResult::not_found ? stats_.not_found : stats_.accepted);
      if (results[i] == ConfirmResult::done_though_cancelled) cancelled.push_back(&items[i]);
      if (items[i].verdict == Verdict::failed && results[i] == ConfirmResult::done)
        failed.push_back(&items[i]);
    }
  }
  alarm(failed, "failed");
  alarm(cancelled, "had already done, though cancelled,");
}

void Endpoint::alarm(const std::vector<const Confirmation*>& items, std::string_view what) const {
  if (items.empty() || !options_.log) return;
  options_.log(LogLevel::alarm, "confirm: consumer '" + items.front()->consumer + "' " +
                                    std::string(what) + " " + std::to_string(items.size()) +
                                    " message(s), first " + items.front()->message_id);
}

Result<std::vector<ConfirmResult>> Endpoint::write(const std::vector<Confirmation>& items) {
  auto session = take_session();
  if (!session) return session.error();
  WAYBILL_TEST_POINT("confirm.before_write");
  auto results = (*session)->confirm(items);
  WAYBILL_TEST_POINT("confirm.after_write");
  // A session that failed may have lost its connection.
  if (results) give_back(std::move(*session));
  return results;
}

Result<std::unique_ptr<ConfirmSession>> Endpoint::take_session() {
  {
    const std::lock_guard lock(mutex_);
    if (!sessions_.empty()) {
      auto session = std::move(sessions_.back());
      sessions_.pop_back();
      return session;
    }
  }
  return store_.open_confirm();
}

void Endpoint::give_back(std::unique_ptr<ConfirmSession> session) {
  const std::lock_guard lock(mutex_);
  if (sessions_.size() < options_.sessions_max) sessions_.push_back(std::move(session));
}

}  // namespace waybill::confirm
