// Where the demo plays: its programs, its files, and the servers of its own.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace demo {

struct Setting {
  std::filesystem::path programs;  // folder of order_service and the others
  std::filesystem::path waybill;
  std::filesystem::path folder;
  std::string server;  // URL of a database beside which waybill's are made; empty: SQLite files
  std::string
      broker;  // kafka://… or amqp://… of both sides; empty: a file of the embedded queue for each

  [[nodiscard]] std::string file(const std::string& name) const { return folder / name; }
  [[nodiscard]] std::string program(const std::string& name) const { return programs / name; }
  // One of waybill's: a file, or a URL on the server, where it is to be created first.
  [[nodiscard]] std::string database(const std::string& name) const;
  void create_database(const std::string& name) const;
  // That database as the waybill program names it.
  [[nodiscard]] std::string store_url(const std::string& name) const;
  // Runs the waybill program; its answer as JSON. Throws when it fails.
  [[nodiscard]] std::string run_waybill(const std::vector<std::string>& arguments,
                                        const std::function<void()>& meanwhile) const;
  // Runs the auditor on these databases; its JSON. Throws when it cannot tell.
  [[nodiscard]] std::string audit(const std::string& orders, const std::string& points,
                                  const std::vector<std::string>& more,
                                  const std::function<void()>& meanwhile) const;
};

// One line of a key file, with a secret that nobody knows.
[[nodiscard]] std::string new_key();

}  // namespace demo
