// What the runner's other threads tell its engine thread.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "waybill/clock.hpp"
#include "waybill/message_store.hpp"
#include "waybill/publisher.hpp"
#include "waybill/relay/engine.hpp"

namespace waybill::relay {

// What a store session read or wrote, by request.
struct RoutesAnswer {
  std::optional<std::vector<Route>> routes;  // nothing: as before
  std::int64_t version = 0;
  std::optional<std::vector<ConsumerProgress>> progress;
};
struct PageAnswer {
  LanePage page;
  Steady read_at;  // when the page was there
};
struct MarksAnswer {
  std::vector<Marked> results;
  bool deposed = false;
};
struct ReleaseAnswer {};
struct StoreAnswer {
  RequestId request = 0;
  std::variant<Error, RoutesAnswer, std::vector<std::string>, PageAnswer, SettledPage,
               std::vector<KeyBlock>, MarksAnswer, LeaseView, std::optional<Lease>, ReleaseAnswer>
      content;
};

// The outcome of one publish; nothing: it was not tried.
struct PublishAnswer {
  std::int64_t id = 0;
  std::optional<PublishResult> result;
  Millis retry_after{0};
  std::string reason;
};

using Arrival = std::variant<StoreAnswer, PublishAnswer>;

// **Guarantee**: bounded by what the engine has under way: one arrival for each request and row.
// **Thread safety**: put and ring from any thread, take from one.
class Inbox {
 public:
  void put(Arrival arrival) {
    {
      const std::lock_guard lock(mutex_);
      arrivals_.push_back(std::move(arrival));
    }
    changed_.notify_one();
  }

  void put(std::vector<PublishAnswer>& answers) {
    {
      const std::lock_guard lock(mutex_);
      for (PublishAnswer& answer : answers) arrivals_.emplace_back(std::move(answer));
    }
    answers.clear();
    changed_.notify_one();
  }

  void ring() {
    {
      const std::lock_guard lock(mutex_);
      rung_ = true;
    }
    changed_.notify_one();
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_one();
  }

  struct Taken {
    std::vector<Arrival> arrivals;
    bool rung = false;
    bool stop = false;
  };

  // Waits at most `wait` for something.
  [[nodiscard]] Taken take(Steady::duration wait) {
    std::unique_lock lock(mutex_);
    const auto something = [this] { return rung_ || (stop_ && !stop_told_) || !arrivals_.empty(); };
    (void)changed_.wait_for(lock, wait, something);
    Taken taken;
    taken.arrivals.swap(arrivals_);
    taken.rung = std::exchange(rung_, false);
    taken.stop = stop_ && !stop_told_;
    stop_told_ = stop_;
    return taken;
  }

 private:
  std::mutex mutex_;  // guards all members
  std::condition_variable changed_;
  std::vector<Arrival> arrivals_;
  bool rung_ = false;
  bool stop_ = false;
  bool stop_told_ = false;
};

}  // namespace waybill::relay
