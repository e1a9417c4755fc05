#include "program.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <boost/json/parse.hpp>
#include <fstream>
#include <sstream>

namespace waybill::cli {
namespace {

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> environment(const Variables& variables) {
  std::vector<std::string> result;
  for (const char* name : {"PATH", "HOME", "ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"}) {
    if (const char* value = ::getenv(name)) result.push_back(fmt::format("{}={}", name, value));
  }
  for (const auto& [name, value] : variables) result.push_back(name + "=" + value);
  return result;
}

}  // namespace

boost::json::value Answer::json() const {
  boost::system::error_code problem;
  boost::json::value value = boost::json::parse(out, problem);
  EXPECT_FALSE(problem) << "no JSON: " << out << "\n" << err;
  return value;
}

Process::Process(const std::vector<std::string>& arguments, const std::filesystem::path& folder,
                 const Variables& variables) {
  static std::atomic<int> number = 0;
  const int n = ++number;
  out_path_ = folder / fmt::format("out.{}", n);
  err_path_ = folder / fmt::format("err.{}", n);
  std::vector<std::string> texts = arguments;
  std::vector<std::string> settings = environment(variables);
  std::vector<char*> argv = pointers(texts);
  std::vector<char*> envp = pointers(settings);
  pid_ = fork();
  if (pid_ != 0) return;
  const int in = open("/dev/null", O_RDONLY);
  const int out = open(out_path_.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
  const int err = open(err_path_.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
  if (chdir(folder.c_str()) != 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) {
    _exit(126);
  }
  execvpe(argv[0], argv.data(), envp.data());
  _exit(127);
}

Process::~Process() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Process::send(int signal) const {
  kill(pid_, signal);
}

std::string Process::err() const {
  return read(err_path_);
}

bool Process::wait_for_log(const std::string& text) const {
  return wait_until([&] { return err().find(text) != std::string::npos; });
}

Answer Process::wait() {
  int status = 0;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  pid_t ended = 0;
  while ((ended = waitpid(pid_, &status, WNOHANG)) == 0) {
    if (std::chrono::steady_clock::now() > deadline) {
      ADD_FAILURE() << "the program did not end within 30 s: " << err();
      kill(pid_, SIGKILL);
      ended = waitpid(pid_, &status, 0);
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_EQ(ended, pid_);
  pid_ = -1;
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read(out_path_),
          read(err_path_)};
}

void ProgramTest::SetUp() {
  std::string pattern = (std::filesystem::temp_directory_path() / "waybill_XXXXXX").string();
  ASSERT_NE(mkdtemp(pattern.data()), nullptr);
  folder_ = pattern;
}

void ProgramTest::TearDown() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::unique_ptr<Process> ProgramTest::start(std::vector<std::string> arguments,
                                            const Variables& variables) const {
  arguments.insert(arguments.begin(), WAYBILL_PROGRAM);
  return std::make_unique<Process>(arguments, folder_, variables);
}

Answer ProgramTest::waybill(std::vector<std::string> arguments, const Variables& variables) const {
  return start(std::move(arguments), variables)->wait();
}

std::string ProgramTest::sql(const std::string& file, const std::string& statements) const {
  Process shell({"sqlite3", "-bail", "-cmd", ".timeout 5000", path(file), statements}, folder_, {});
  const Answer run = shell.wait();
  EXPECT_EQ(run.exit_code, 0) << statements << "\n" << run.err;
  return run.out;
}

void ProgramTest::write(const std::string& name, const std::string& text) const {
  std::ofstream(folder_ / name) << text;
}

void ProgramTest::set_up_shop(const std::string& consumers) const {
  write("waybill.toml", fmt::format("[store]\nurl = \"{}\"\n[destinations]\ndefault = \"{}\"\n",
                                    store_url(), queue_url()));
  const Answer schema = waybill({"schema", "apply"});
  ASSERT_EQ(schema.exit_code, 0) << schema.err;
  const Answer route = waybill(
      {"routes", "set", "order.placed", "--destination", "orders", "--consumers", consumers});
  ASSERT_EQ(route.exit_code, 0) << route.err;
}

void ProgramTest::insert_orders(int first, int count) const {
  std::string statements = "BEGIN IMMEDIATE;";
  for (int i = first; i < first + count; ++i) {
    statements += fmt::format(
        "INSERT INTO local_message(message_type, biz_type, identifier, content) "
        "VALUES('order.placed', 'order', 'A-{0}', '{{\"order\":{0}}}');",
        i);
  }
  sql("orders.db", statements + "COMMIT;");
}

std::string ProgramTest::states() const {
  return sql("orders.db", "SELECT state, count(*) FROM local_message GROUP BY state;");
}

}  // namespace waybill::cli
