#include "waybill/relay/runner.hpp"

#include <random>
#include <string>

#include "shell.hpp"

namespace waybill::relay {
namespace {

constexpr std::uint32_t kSessionsMax = 16;
constexpr std::size_t kNameBytesMax = 200;
constexpr Millis kTtlMin{200};
constexpr Millis kTtlMax = std::chrono::minutes(5);
// What run_once takes, at most, to mark what came back before its deadline.
constexpr Millis kOnceFlush{2000};

Error refuse(std::string text, std::string hint) {
  return {Remedy::fix_call, std::move(text), std::move(hint)};
}

Status check(const RunnerOptions& options) {
  const EngineOptions& engine = options.engine;
  if (options.sessions < 1 || options.sessions > kSessionsMax) {
    return refuse("relay sessions: " + std::to_string(options.sessions), "1 to 16");
  }
  if (options.holder.size() > kNameBytesMax) {
    return refuse("relay holder: " + std::to_string(options.holder.size()) + " bytes",
                  "at most " + std::to_string(kNameBytesMax));
  }
  if (engine.ttl < kTtlMin || engine.ttl > kTtlMax) {
    return refuse("lease ttl: " + std::to_string(engine.ttl.count()) + " ms", "200 ms to 5 min");
  }
  if (engine.window == 0 || engine.rows_max == 0 || engine.page_rows == 0 ||
      engine.mark_rows == 0 || engine.reads_max == 0 || engine.types_max == 0 ||
      engine.held_max == 0 || engine.window_bytes == 0 || engine.bytes_max == 0 ||
      engine.page_bytes == 0 || engine.refusals_max == 0) {
    return refuse("a limit of the relay is 0", "every limit is at least 1");
  }
  if (engine.retry_first <= Millis(0) || engine.retry_max < engine.retry_first) {
    return refuse("relay retry waits: " + std::to_string(engine.retry_first.count()) + " ms to " +
                      std::to_string(engine.retry_max.count()) + " ms",
                  "the first is more than 0 and at most the longest");
  }
  if (engine.poll_busy <= Millis(0) || engine.poll_idle < engine.poll_busy) {
    return refuse("relay poll waits: " + std::to_string(engine.poll_busy.count()) + " ms to " +
                      std::to_string(engine.poll_idle.count()) + " ms",
                  "the busy one is more than 0 and at most the idle one");
  }
  return {};
}

std::uint64_t seed_of(const RunnerOptions& options) {
  if (options.seed != 0) return options.seed;
  std::random_device chance;
  return (std::uint64_t{chance()} << 32U) | chance();
}

}  // namespace

std::string_view to_string(BreakerState state) noexcept {
  switch (state) {
    case BreakerState::closed:
      return "closed";
    case BreakerState::open:
      return "open";
    case BreakerState::ramping:
      return "ramping";
  }
  return "?";
}

Runner::Runner(MessageStore& store, OpenPublisher open_publisher, const Clock& clock,
               RunnerOptions options)
    : store_(store),
      open_publisher_(std::move(open_publisher)),
      clock_(clock),
      options_(std::move(options)) {}

Runner::~Runner() = default;

Status Runner::start() {
  if (running_) return refuse("the relay runs already", "stop it first");
  if (Status checked = check(options_); !checked) return checked;
  const auto session = store_.open_relay();
  if (!session) return session.error();
  auto shell = std::make_unique<Shell>(store_, open_publisher_, clock_, options_, seed_of(options_),
                                       Mode::serve);
  const std::lock_guard lock(mutex_);
  shell_ = std::move(shell);
  running_ = true;
  return {};
}

void Runner::stop(Millis deadline) {
  if (!running_) return;
  shell_->stop(deadline);  // stays for stats()
  running_ = false;
}

void Runner::ring() noexcept {
  const std::lock_guard lock(mutex_);
  if (shell_) shell_->ring();
}

RunnerStats Runner::stats() const {
  const std::lock_guard lock(mutex_);
  return shell_ ? shell_->stats() : RunnerStats{};
}

Result<OnceReport> Runner::run_once(Millis deadline) {
  if (running_) return refuse("the relay runs already", "stop it first");
  if (Status checked = check(options_); !checked) return checked.error();
  if (const auto session = store_.open_relay(); !session) return session.error();
  auto created = std::make_unique<Shell>(store_, open_publisher_, clock_, options_,
                                         seed_of(options_), Mode::once);
  Shell& shell = *created;
  {
    const std::lock_guard lock(mutex_);
    shell_ = std::move(created);
  }
  const bool finished = shell.wait_finished(deadline);
  shell.stop(finished ? Millis(0) : kOnceFlush);
  const EngineStats stats = shell.engine_stats();
  if (stats.fence == 0 && !stats.was_deposed) {
    const std::string error = shell.stats().last_error;
    const std::string holder = shell.holder_seen();
    return Error{Remedy::retry,
                 "the lease was not to be had within " + std::to_string(deadline.count()) + " ms" +
                     (holder.empty() ? "" : ": '" + holder + "' holds it") +
                     (error.empty() ? "" : "; last error: " + error),
                 "another relay works on this table, or the database does not answer"};
  }
  OnceReport report;
  report.published = stats.published;
  report.marked = stats.marked;
  report.refused = stats.refused;
  report.left = stats.left;
  if (!finished && report.left == 0) report.left = 1;  // it did not get to the end
  report.fenced = stats.was_deposed;
  return report;
}

}  // namespace waybill::relay
