// `waybill relay`: publishes what is due until it is told to stop, or once.
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>

#include <boost/json/object.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "commands.hpp"
#include "confirm_service.hpp"
#include "connections.hpp"
#include "destinations.hpp"
#include "duration.hpp"
#include "exit_code.hpp"
#include "program_log.hpp"
#include "topology_look.hpp"
#include "waybill/relay/runner.hpp"

namespace waybill::cli {
namespace {

// Between two tries to reach the message store, from first to longest.
constexpr Millis kReachWaitFirst{250};
constexpr Millis kReachWaitMax{5000};

// Blocks the signals that steer the relay, for this thread and all that it starts later.
class SteeringSignals {
 public:
  SteeringSignals() {
    sigemptyset(&signals_);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals_, signal);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }

  [[nodiscard]] int wait() const {
    int signal = 0;
    while (sigwait(&signals_, &signal) != 0) {
    }
    return signal;
  }

  // True when one came that says stop.
  [[nodiscard]] bool say_stop_within(Millis time) const {
    const Steady until = std::chrono::steady_clock::now() + time;
    for (;;) {
      const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(
          until - std::chrono::steady_clock::now());
      if (left.count() <= 0) return false;
      const timespec wait{left.count() / kSecond, left.count() % kSecond};
      const int signal = sigtimedwait(&signals_, nullptr, &wait);
      if (signal == SIGTERM || signal == SIGINT) return true;
    }
  }

 private:
  static constexpr std::int64_t kSecond = 1'000'000'000;
  sigset_t signals_{};
};

// As `open` answers, tried again while its trouble may pass: a relay may be started before its
// database. Nothing when a signal said stop meanwhile.
template <class Open>
std::optional<decltype(std::declval<Open>()())> when_reachable(const SteeringSignals& signals,
                                                               const LogSink& log, Open open) {
  std::string told;
  for (Millis wait = kReachWaitFirst;; wait = std::min(2 * wait, kReachWaitMax)) {
    auto opened = open();
    if (opened.ok()) {
      if (!told.empty()) log(LogLevel::info, "the message store can be reached");
      return opened;
    }
    if (opened.error().remedy != Remedy::retry) return opened;
    std::string trouble = opened.error().to_string();
    if (trouble != told) log(LogLevel::alarm, "waiting for the message store: " + trouble);
    told = std::move(trouble);
    if (signals.say_stop_within(wait)) return std::nullopt;
  }
}

// Leaves the library's default where nothing is configured.
template <class Option, class Configured>
void set(Option& option, const std::optional<Configured>& configured) {
  if (configured) option = static_cast<Option>(*configured);
}

relay::RunnerOptions runner_options(const Config& config, LogSink log) {
  relay::RunnerOptions options;
  options.holder = config.relay.holder;
  options.log = std::move(log);
  options.doorbell = config.relay.doorbell;
  set(options.sessions, config.relay.sessions);
  relay::EngineOptions& engine = options.engine;
  set(engine.ttl, config.relay.ttl);
  set(engine.grace, config.relay.grace);
  set(engine.window, config.relay.window);
  set(engine.window_bytes, config.relay.window_bytes);
  set(engine.retry_first, config.relay.retry_first);
  set(engine.retry_max, config.relay.retry_max);
  set(engine.refusals_max, config.relay.refusals_max);
  set(engine.poll_idle, config.relay.poll_idle);
  return options;
}

Result<int> run_once(const Config& config, Output& output) {
  if (const Status status = check_destinations(config); !status) return status.error();
  const Result<std::unique_ptr<MessageStore>> store = open_store(config);
  if (!store) return store.error();
  const SteadyClock clock;
  relay::Runner runner(**store, publishers_of(config), clock,
                       runner_options(config, make_program_log(config.log.level)));
  const Result<relay::OnceReport> report = runner.run_once(config.relay.once_timeout);
  if (!report) return report.error();
  if (output.json()) {
    output.document(boost::json::object{{"published", report->published},
                                        {"marked", report->marked},
                                        {"refused", report->refused},
                                        {"left", report->left},
                                        {"fenced", report->fenced}});
  } else {
    output.line(fmt::format("published {}, marked {}, refused {}, left {}", report->published,
                            report->marked, report->refused, report->left));
  }
  if (report->fenced) return kExitUnavailable;
  return report->left == 0 ? kExitOk : kExitFindings;
}

// Serves signals until one of them says stop.
void steer(const SteeringSignals& signals, ConfirmService* confirmations, const LogSink& log) {
  while (true) {
    const int signal = signals.wait();
    if (signal != SIGHUP) {
      log(LogLevel::info, fmt::format("stopping on {}", signal == SIGTERM ? "SIGTERM" : "SIGINT"));
      return;
    }
    if (confirmations != nullptr) {
      confirmations->reload();
    } else {
      log(LogLevel::info, "SIGHUP: no keys to reload, confirmations are not configured");
    }
  }
}

// Takes confirmations in the ways that are configured, if any.
Result<std::unique_ptr<ConfirmService>> start_confirmations(const Config& config,
                                                            MessageStore& store,
                                                            const LogSink& log) {
  if (config.confirm.listen.empty() && config.confirm.reply_destination.empty()) {
    return std::unique_ptr<ConfirmService>();
  }
  auto service = std::make_unique<ConfirmService>(store, config, log);
  if (const Status started = service->start(); !started) return started.error();
  return service;
}

// Says what is left behind and answers the exit code.
int conclude(const relay::RunnerStats& stats, Output& output, const LogSink& log) {
  const bool flushed = stats.in_flight == 0;
  if (output.json()) {
    output.document(boost::json::object{{"published", stats.published},
                                        {"marked", stats.marked},
                                        {"refused", stats.refused},
                                        {"dead", stats.dead},
                                        {"in_flight", stats.in_flight},
                                        {"flushed", flushed}});
  }
  log(flushed ? LogLevel::info : LogLevel::warning,
      fmt::format("stopped: published {}, marked {}, {}", stats.published, stats.marked,
                  flushed ? std::string("everything flushed")
                          : fmt::format("{} in flight, left to the next relay", stats.in_flight)));
  return flushed ? kExitOk : kExitInDoubt;
}

Result<int> run_until_stopped(const Config& config, Output& output) {
  const SteeringSignals signals;
  const LogSink log = make_program_log(config.log.level);
  if (const Status status = check_destinations(config); !status) return status.error();
  const auto opened = when_reachable(signals, log, [&] { return open_store(config); });
  if (!opened) return conclude({}, output, log);
  if (!*opened) return opened->error();
  MessageStore& store = ***opened;
  const Result<std::unique_ptr<ConfirmService>> confirmations =
      start_confirmations(config, store, log);
  if (!confirmations) return confirmations.error();
  const TopologyLook look(config, store, log);
  const SteadyClock clock;
  relay::Runner runner(store, publishers_of(config), clock, runner_options(config, log));
  const auto started = when_reachable(signals, log, [&] { return runner.start(); });
  if (!started) return conclude({}, output, log);
  if (!*started) return started->error();
  log(LogLevel::info,
      fmt::format("relaying {} of {}", config.store.table, store::public_url(config.store.url)));
  steer(signals, confirmations->get(), log);
  runner.stop(config.relay.stop_timeout);
  return conclude(runner.stats(), output, log);
}

}  // namespace

void add_relay_command(CLI::App& app, Invocation& invocation) {
  CLI::App& command =
      add_command(app, invocation, "relay", "Publish what is due, until SIGTERM or once",
                  {"waybill relay --once --json --store sqlite:///var/lib/shop/orders.db "
                   "--queue queue:///var/lib/shop/queue.db",
                   "0 everything flushed; 1 rows are left (--once)"});
  const auto once = std::make_shared<bool>(false);  // between flag and callback
  add_switch(command, "--once", *once, "Publish what can be published now, answer and end");
  add_store_flags(command, invocation);
  add_queue_flag(command, invocation);
  add_setting_flag(command, invocation, "--listen", "confirm.listen", "ADDRESS",
                   "Serve the confirmation endpoint there, as 127.0.0.1:8081");
  add_setting_flag(command, invocation, "--keys-file", "confirm.keys_file", "FILE",
                   "Keys of the consumers that may confirm");
  add_setting_flag(command, invocation, "--log-level", "log.level", "LEVEL",
                   "debug, info, warning or alarm");
  set_run(command, invocation, [once](const Config& config, Output& output) {
    return *once ? run_once(config, output) : run_until_stopped(config, output);
  });
}

}  // namespace waybill::cli
