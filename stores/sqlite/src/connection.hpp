// A connection of this store: the message table's name in its statements, and a gap between its
// writes.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "waybill/drivers/sqlite.hpp"
#include "waybill/stores/sqlite.hpp"

namespace waybill::sqlite {

// Keeps a gap between the write transactions of one process on one file, so that other writers get
// their turn.
class WriteGate {
 public:
  explicit WriteGate(Millis gap) : gap_(gap) {}
  // Waits for the gap and excludes the process's other sessions until the returned lock ends.
  [[nodiscard]] std::unique_lock<std::mutex> enter();
  void left() { last_ = std::chrono::steady_clock::now(); }

 private:
  const Millis gap_;
  std::mutex mutex_;
  Steady last_{};
};

// The gate of a file, shared by every store that is open on it in this process.
[[nodiscard]] std::shared_ptr<WriteGate> write_gate(const std::string& path, Millis gap);

class Connection {
 public:
  // Throws Failure with a hint for what is wrong with the file or the table's name.
  Connection(const Options& options, OpenMode mode);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The statement's text is a constant: its address is the cache's key. {table} and {headers} are
  // filled in.
  [[nodiscard]] Query query(std::string_view sql) {
    return database_.query(sql.data(), [&] { return fill_in(sql); });
  }
  void execute(const std::string& sql) { database_.execute(sql); }
  [[nodiscard]] std::string fill_in(std::string_view sql) const;
  // Looks whether the message table has `headers`; before that the table is taken as complete.
  void detect_headers();

  // Runs `body` in one BEGIN IMMEDIATE transaction behind the gate. Throws Failure; then nothing
  // was changed, except that an error with Remedy::look leaves it open.
  template <class Body>
  auto write(Body&& body) {
    const auto lock = gate_->enter();
    writing_ = true;
    struct Left {
      Connection& connection;
      ~Left() { connection.leave_gate(); }
    } const left{*this};
    return in_transaction(database_, std::forward<Body>(body));
  }

 private:
  static const Options& checked(const Options& options);
  // The gap begins when the write lock is free; copying the log back keeps no writer out.
  void leave_gate() {
    if (std::exchange(writing_, false)) gate_->left();
  }

  Database database_;
  std::shared_ptr<WriteGate> gate_;
  const std::string table_;
  bool has_headers_ = true;
  bool writing_ = false;  // behind the gate, before the commit
};

}  // namespace waybill::sqlite
