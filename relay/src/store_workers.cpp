#include "store_workers.hpp"

#include <algorithm>
#include <utility>

#include "waybill/test_points.hpp"

namespace waybill::relay {
namespace {

using Content = decltype(StoreAnswer::content);

std::size_t urgency(const StoreJob& job) {
  struct Visitor {
    std::size_t operator()(const RoutesJob&) const { return 1; }
    std::size_t operator()(const ListTypes&) const { return 2; }
    std::size_t operator()(const ReadJob&) const { return 2; }
    std::size_t operator()(const SettledJob&) const { return 2; }
    std::size_t operator()(const KeysJob&) const { return 2; }
    std::size_t operator()(const MarksJob&) const { return 1; }
    std::size_t operator()(const LookAtLease&) const { return 0; }
    std::size_t operator()(const TakeJob&) const { return 0; }
    std::size_t operator()(const RenewLease&) const { return 0; }
    std::size_t operator()(const ReleaseLease&) const { return 0; }
  };
  return std::visit(Visitor{}, job.call);
}

template <class T>
Content content_of(Result<T> result) {
  if (!result) return result.error();
  return std::move(*result);
}

// One call on one session.
class Call {
 public:
  Call(RelaySession& session, const Clock& clock) : session_(session), clock_(clock) {}

  Content operator()(const RoutesJob& job) {
    RoutesAnswer answer;
    const auto version = session_.routes_version();
    if (!version) return version.error();
    answer.version = *version;
    if (*version != job.known_version) {
      auto routes = session_.routes();
      if (!routes) return routes.error();
      answer.routes = std::move(*routes);
    }
    auto progress = session_.consumer_progress();
    if (!progress) return progress.error();
    answer.progress = std::move(*progress);
    return answer;
  }

  Content operator()(const ListTypes& job) { return content_of(session_.types_present(job.lane)); }

  Content operator()(const ReadJob& job) {
    auto page = session_.read(job.read.of(job.message_type));
    if (!page) return page.error();
    return PageAnswer{std::move(*page), clock_.now()};
  }

  Content operator()(const SettledJob& job) {
    return content_of(session_.settled(job.read.of(job.message_type)));
  }

  Content operator()(const KeysJob& job) {
    // One more than wanted tells whether there are more.
    return content_of(
        session_.key_blocks(job.message_type, job.read.confirmed, job.read.rows_max + 1));
  }

  Content operator()(const MarksJob& job) {
    std::vector<Mark> marks;
    marks.reserve(job.marks.size());
    for (std::size_t i = 0; i < job.marks.size(); ++i) {
      const RowMark& row = job.marks[i];
      Mark mark{row.id, row.from, row.cause, row.epoch, row.due_in, {}};
      if (i < job.reasons.size()) mark.reason = job.reasons[i];
      marks.push_back(mark);
    }
    if (!job.lease) {
      WAYBILL_TEST_POINT("relay.before_mark");
      auto results = session_.mark(marks);
      WAYBILL_TEST_POINT("relay.after_mark");
      if (!results) return results.error();
      return MarksAnswer{std::move(*results), false};
    }
    auto results = session_.judge(*job.lease, marks);
    if (!results) return results.error();
    if (!*results) return MarksAnswer{{}, true};
    return MarksAnswer{std::move(**results), false};
  }

  Content operator()(const LookAtLease& /*job*/) { return content_of(session_.lease()); }
  Content operator()(const TakeJob& job) { return content_of(session_.take(job.seen, job.holder)); }
  Content operator()(const RenewLease& job) { return content_of(session_.renew(job.lease)); }
  Content operator()(const ReleaseLease& job) {
    const Status released = session_.release(job.lease);
    if (!released) return released.error();
    return ReleaseAnswer{};
  }

 private:
  RelaySession& session_;
  const Clock& clock_;
};

}  // namespace

StoreWorkers::StoreWorkers(MessageStore& store, const Clock& clock, Inbox& inbox,
                           std::uint32_t sessions)
    : store_(store), clock_(clock), inbox_(inbox) {
  for (std::uint32_t i = 0; i < sessions; ++i) {
    threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  }
}

StoreWorkers::~StoreWorkers() {
  for (std::jthread& thread : threads_) thread.request_stop();
  for (std::jthread& thread : threads_) thread.join();
}

void StoreWorkers::put(StoreJob job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_[urgency(job)].push_back(std::move(job));
  }
  waiting_.notify_one();
}

void StoreWorkers::work(const std::stop_token& stop) {
  std::unique_ptr<RelaySession> session;
  for (;;) {
    StoreJob job;
    {
      std::unique_lock lock(mutex_);
      const auto some = [](const auto& queue) { return !queue.empty(); };
      waiting_.wait(lock, stop, [&] { return std::any_of(jobs_.begin(), jobs_.end(), some); });
      if (stop.stop_requested()) return;
      const auto queue = std::find_if(jobs_.begin(), jobs_.end(), some);
      job = std::move(queue->front());
      queue->pop_front();
    }
    StoreAnswer answer{job.request, ReleaseAnswer{}};
    if (!session) {
      auto opened = store_.open_relay();
      if (opened) {
        session = std::move(*opened);
      } else {
        answer.content = opened.error();
      }
    }
    if (session) {
      answer.content = std::visit(Call(*session, clock_), job.call);
      if (std::holds_alternative<Error>(answer.content)) session.reset();
    }
    inbox_.put(std::move(answer));
  }
}

}  // namespace waybill::relay
