// The demo: orders in all three dispatch modes while processes are killed and answers are lost,
// the naive service beside it, and an audit of both.
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>

#include "lost_answer.hpp"
#include "report.hpp"
#include "stage.hpp"
#include "waybill/testing/server.hpp"

namespace demo {
namespace {
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr const char* kModes[] = {"sync", "async", "relay"};
// The first of each lives in files and needs no server.
const std::vector<std::string> kStores = {"sqlite", "postgres", "mariadb"};
const std::vector<std::string> kBrokers = {"embedded", "kafka", "rabbitmq"};
constexpr double kOrdersPerSecond = 50;
constexpr int kAuditPatienceSeconds = 60;
constexpr int kNaivePatienceSeconds = 3;

volatile sig_atomic_t g_interrupted = 0;

struct DemoOptions {
  std::uint32_t orders = 2000;
  std::uint64_t seed = 0;
  std::string json;
  bool keep = false;
  bool scenes_only = false;
  std::string programs;
  std::string waybill;
  std::string store = "sqlite";
  std::string broker = "embedded";
  std::string servers;
};

// A server of the demo's own, gone at the end; or nothing for what lives in files.
std::optional<waybill::testing::Server> start_server(const DemoOptions& options,
                                                     const std::string& name) {
  if (name == kStores[0] || name == kBrokers[0]) return std::nullopt;
  std::printf("starting a %s server\n", name.c_str());
  std::fflush(stdout);
  // Where the server's own user can reach it.
  return waybill::testing::Server::own(options.servers, name,
                                       "/var/tmp/waybill-demo-" + std::to_string(::getpid()));
}

// Those of a fresh RabbitMQ are what everybody takes for granted; no command line shows any.
std::string without_credentials(std::string url) {
  const std::size_t begin = url.find("//") + 2;
  const std::size_t at = url.find('@');
  return at == std::string::npos ? url : url.erase(begin, at + 1 - begin);
}

// A folder of its own, removed at the end unless it shall be kept.
class Folder {
 public:
  explicit Folder(bool keep) : keep_(keep) {
    std::string name = std::filesystem::temp_directory_path() / "waybill-demo-XXXXXX";
    if (!::mkdtemp(name.data())) throw std::runtime_error("cannot create the folder " + name);
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    if (!keep_) std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  bool keep_;
  std::filesystem::path path_;
};

// Kills at random moments, 1 to 2.4 s apart.
class Killer {
 public:
  explicit Killer(std::uint64_t seed) : random_(seed) { plan(); }
  void tick(Stage& stage) {
    if (steady_clock::now() < next_) return;
    stage.kill_one(random_);
    plan();
  }

 private:
  void plan() {
    next_ =
        steady_clock::now() + milliseconds(std::uniform_int_distribution<int>(1000, 2400)(random_));
  }
  std::mt19937_64 random_;
  SteadyTime next_;
};

class Progress {
 public:
  explicit Progress(std::uint32_t orders) : orders_(orders) {}
  void tell(const Stage& stage, const char* mode, bool now = false) {
    const auto time = steady_clock::now();
    if (!now && time < next_) return;
    next_ = time + std::chrono::seconds(2);
    const std::uint64_t answered = stage.answered();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time - start_).count();
    std::printf("[%3d%%] %-5s  %5llu of %u orders answered, %3d kills, %3lld s\n",
                static_cast<int>(answered * 100 / orders_), mode,
                static_cast<unsigned long long>(answered), orders_, stage.kills(),
                static_cast<long long>(seconds));
    std::fflush(stdout);
  }

 private:
  std::uint32_t orders_;
  SteadyTime start_ = steady_clock::now();
  SteadyTime next_{};
};

void check_interrupted() {
  if (g_interrupted) throw std::runtime_error("interrupted");
}

void play(Stage& stage, const DemoOptions& options) {
  Killer killer(options.seed);
  Progress progress(options.orders);
  std::uint32_t placed = 0;
  for (std::uint32_t i = 0; i < std::size(kModes); ++i) {
    const std::uint32_t until =
        options.orders * (i + 1) / static_cast<std::uint32_t>(std::size(kModes));
    stage.set_mode(kModes[i]);
    const bool last = i + 1 == std::size(kModes);
    // Enough of them that a short run has one.
    if (last) stage.freeze(std::clamp(3000 / static_cast<int>(options.orders), 2, 10));
    stage.start_loads(kModes[i], until - placed, kOrdersPerSecond);
    placed = until;
    while (!stage.loads_done()) {
      check_interrupted();
      stage.tick();
      killer.tick(stage);
      progress.tell(stage, kModes[i]);
      std::this_thread::sleep_for(milliseconds(20));
    }
    progress.tell(stage, kModes[i], true);
  }
}

// Some accounts were frozen meanwhile: their messages are DEAD with that reason. The accounts are
// thawed and an operator replays them.
void replay(Stage& stage) {
  const auto patience = steady_clock::now() + std::chrono::seconds(kAuditPatienceSeconds);
  Messages messages = stage.messages();
  while (messages.waiting > 0 && steady_clock::now() < patience) {
    std::this_thread::sleep_for(milliseconds(200));
    stage.tick();
    messages = stage.messages();
  }
  std::printf("a relay took over from another: %lld times\n",
              static_cast<long long>(messages.takeovers));
  std::printf(
      "%lld messages are DEAD: their accounts were frozen; thawed, and replayed by an operator\n"
      "(these accounts are not in p50 and p99)\n",
      static_cast<long long>(messages.dead));
  std::fflush(stdout);
  stage.freeze(0);
  if (messages.dead > 0) stage.replay_dead();
}

std::vector<LostAnswer> play_scenes(const Setting& setting) {
  if (setting.broker.empty()) {
    std::printf(
        "the embedded broker is a file: no network that could lose its answers one by one\n");
    return {};
  }
  return play_lost_answers(setting, check_interrupted);
}

int run(const DemoOptions& options) {
  const Folder folder(options.keep);
  std::printf("waybill demo: seed %llu, in %s\n", static_cast<unsigned long long>(options.seed),
              folder.path().c_str());
  const auto store = start_server(options, options.store);
  const auto broker = start_server(options, options.broker);
  Setting setting{options.programs, options.waybill, folder.path(), "", ""};
  StageOptions stage_options;
  if (store) setting.server = store->url();
  if (broker) {
    setting.broker = without_credentials(broker->url());
    stage_options.crash_broker = [&broker] {
      broker->kill();
      broker->start();
    };
  }
  stage_options.seed = options.seed;
  Report report;
  report.lost_answers = play_scenes(setting);
  if (options.scenes_only) {
    if (!options.json.empty()) write_json(report, options.json);
    return is_clean(report.lost_answers) ? 0 : 1;
  }
  std::printf("\n%u orders at both shops, while services are killed with -9\n", options.orders);
  std::printf(
      "lost on purpose, as a fraction: %s of the broker's answers, %s of the publishes, "
      "%s of the confirmations\n",
      kLoseAck, kLosePublish, kLoseConfirmation);
  Stage stage(setting, stage_options);
  stage.open();
  play(stage, options);
  std::printf("all orders answered; waiting until every message is finished or DEAD\n");
  std::fflush(stdout);
  replay(stage);
  report.waybill = stage.audit("waybill", kAuditPatienceSeconds);
  report.naive = stage.audit("naive", kNaivePatienceSeconds);
  print_table(report);
  if (!options.json.empty()) write_json(report, options.json);
  const std::vector<std::string> surprises = stage.surprises();
  for (const std::string& surprise : surprises) std::printf("unexpected: %s\n", surprise.c_str());
  const bool clean = is_clean(report.waybill) && is_clean(report.lost_answers) && surprises.empty();
  std::printf("%s\n", clean ? "waybill: every committed order has its points, once"
                            : "waybill: SOMETHING IS WRONG");
  if (!clean && !options.keep)
    std::printf("repeat with --seed %llu --keep to look at the files\n",
                static_cast<unsigned long long>(options.seed));
  return clean ? 0 : 1;
}

void describe(CLI::App& app, DemoOptions& options) {
  app.add_option("--orders", options.orders, "orders to place on each side")
      ->check(CLI::Range(30, 1'000'000))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "of orders, kills and losses; else a random one");
  app.add_option("--json", options.json, "file for the result");
  app.add_flag("--keep", options.keep, "keep files and logs");
  app.add_flag("--scenes-only", options.scenes_only,
               "end after the scenes of the lost answers, which --broker kafka|rabbitmq has");
  app.add_option("--store", options.store, "kind of waybill's databases")
      ->check(CLI::IsMember(kStores))
      ->capture_default_str();
  app.add_option("--broker", options.broker, "the broker between the services")
      ->check(CLI::IsMember(kBrokers))
      ->capture_default_str();
  app.add_option("--servers", options.servers, "folder of the scripts that start servers");
  app.add_option("--programs", options.programs, "folder of order_service and the others");
  app.add_option("--waybill", options.waybill, "the waybill program");
}

void find_programs(DemoOptions& options) {
  const std::filesystem::path here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  if (options.programs.empty()) options.programs = here;
  if (options.waybill.empty())
    options.waybill = here.parent_path().parent_path() / "apps" / "waybill" / "waybill";
  for (const std::string& name : {options.programs + "/order_service", options.waybill})
    if (::access(name.c_str(), X_OK) != 0) throw std::runtime_error("not built: " + name);
  const bool needs_server = options.store != kStores[0] || options.broker != kBrokers[0];
  if (needs_server && options.servers.empty())
    throw std::runtime_error("a server needs --servers (tools/demo gives it)");
}

}  // namespace
}  // namespace demo

int main(int argc, char** argv) {
  demo::DemoOptions options;
  options.seed = std::random_device()();
  CLI::App app(
      "Places orders in all three dispatch modes while services are killed and answers are lost.\n"
      "Exit code: 0 waybill kept its promise, 1 it did not, 2 the demo could not run.\n"
      "Example: tools/demo --orders 2000 --seed 7 --json demo.json");
  demo::describe(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  struct sigaction action = {};
  action.sa_handler = [](int) { demo::g_interrupted = 1; };
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(number, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  try {
    demo::find_programs(options);
    return demo::run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "demo: %s\n", error.what());
    return 2;
  }
}
