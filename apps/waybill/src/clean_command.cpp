// `waybill clean`: deletes what is finished and old, in small batches.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <chrono>
#include <memory>
#include <thread>

#include "commands.hpp"
#include "connections.hpp"
#include "duration.hpp"
#include "exit_code.hpp"

namespace waybill::cli {
namespace {

constexpr std::chrono::seconds kProgressEvery{2};

struct CleanFlags {
  std::string older_than;
  bool dry_run = false;
};

struct Cleaned {
  std::int64_t looked_at = 0;
  std::int64_t deleted = 0;
};

// A copy of a message may come, and be confirmed anew, for as long as its consumer's inbox
// remembers it. **Errors**: fix_call naming the consumer that remembers longest.
Status check_retention(MessageStore& store, Millis older_than) {
  const Result<std::unique_ptr<RelaySession>> relay = store.open_relay();
  if (!relay) return relay.error();
  const Result<std::vector<Route>> routes = (*relay)->routes();
  if (!routes) return routes.error();
  const auto progress = (*relay)->consumer_progress();
  if (!progress) return progress.error();
  const auto consumers = progress->value_or(std::vector<ConsumerProgress>());
  const ConsumerProgress* longest = nullptr;
  for (const ConsumerProgress& consumer : consumers) {
    const Route* route = find_route(*routes, consumer.message_type);
    if (route == nullptr || consumer.retention <= older_than) continue;
    const auto& required = route->consumers;
    if (std::find(required.begin(), required.end(), consumer.consumer) == required.end()) continue;
    if (longest == nullptr || consumer.retention > longest->retention) longest = &consumer;
  }
  if (longest == nullptr) return {};
  return Error{
      Remedy::fix_call,
      fmt::format("--older-than {}: consumer '{}' remembers messages of type '{}' for {}",
                  print_duration(older_than), printable(longest->consumer),
                  printable(longest->message_type), print_duration(longest->retention)),
      "a copy that it confirms in that time would find no message: give at least as long, or let "
      "the consumer announce a shorter retention"};
}

// Goes through the table until the rows are too young. It rests after a batch for as long as that
// took, so that services get their turn. **Errors**: the session's; `cleaned` says what was done.
Status sweep(ConsoleSession& session, CleanSpec spec, Cleaned& cleaned) {
  auto told = std::chrono::steady_clock::now();
  while (true) {
    const auto started = std::chrono::steady_clock::now();
    const Result<CleanPage> page = session.clean(spec);
    if (!page) return page.error();
    cleaned.looked_at += page->looked_at;
    cleaned.deleted += page->deleted;
    if (page->exhausted) return {};
    spec.after_id = page->last_id;
    const auto now = std::chrono::steady_clock::now();
    if (now - told > kProgressEvery) {
      told = now;
      fmt::print(stderr, "clean: {} {}, at row {}\n", cleaned.deleted,
                 spec.dry_run ? "found" : "deleted", page->last_id);
    }
    if (page->deleted > 0 && !spec.dry_run) std::this_thread::sleep_for(now - started);
  }
}

void print(const CleanSpec& spec, const Cleaned& cleaned, Output& output) {
  if (output.json()) {
    output.document(boost::json::object{{"deleted", cleaned.deleted},
                                        {"looked_at", cleaned.looked_at},
                                        {"older_than_ms", spec.older_than.count()},
                                        {"dry_run", spec.dry_run}});
    return;
  }
  output.line(fmt::format("{}{} of {} messages looked at",
                          spec.dry_run ? "would delete " : "deleted ", cleaned.deleted,
                          cleaned.looked_at));
}

Result<int> run(const CleanFlags& flags, const Config& config, Output& output) {
  CleanSpec spec;
  spec.dry_run = flags.dry_run;
  const Result<Millis> older_than = parse_duration(flags.older_than);
  if (!older_than) {
    return Error{Remedy::fix_call, "--older-than: " + older_than.error().text,
                 older_than.error().hint};
  }
  spec.older_than = *older_than;
  const Result<Console> console = open_console(config);
  if (!console) return console.error();
  if (const Status kept = check_retention(*console->store, spec.older_than); !kept) {
    return kept.error();
  }
  Cleaned cleaned;
  const Status swept = sweep(*console->session, spec, cleaned);
  if (!swept && swept.error().remedy == Remedy::fix_call) return swept.error();
  print(spec, cleaned, output);
  if (!swept) return swept.error();
  return kExitOk;
}

}  // namespace

void add_clean_command(CLI::App& app, Invocation& invocation) {
  CLI::App& command =
      add_command(app, invocation, "clean",
                  "Delete finished messages (SUCCESS, CANCELLED) that are old, in small batches",
                  {"waybill clean --older-than 30d --store sqlite:///var/lib/shop/orders.db",
                   "0 the table is clean"});
  const auto flags = std::make_shared<CleanFlags>();  // between flags and callback
  flags->older_than = "7d";
  add_option(command, "--older-than", flags->older_than, "DURATION",
             "Since their last change, by the database's clock", Presence::defaulted);
  add_switch(command, "--dry-run", flags->dry_run, "Only say how many");
  add_store_flags(command, invocation);
  set_run(command, invocation,
          [flags](const Config& config, Output& output) { return run(*flags, config, output); });
}

}  // namespace waybill::cli
