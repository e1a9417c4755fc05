#include "setting.hpp"

#include <sys/wait.h>

#include <random>
#include <sstream>
#include <stdexcept>
#include <type_traits>

#include "../database.hpp"
#include "process.hpp"

namespace demo {

std::string Setting::database(const std::string& name) const {
  if (server.empty()) return file(name + ".db");
  return server.substr(0, server.rfind('/') + 1) + name;
}

void Setting::create_database(const std::string& name) const {
  if (server.empty()) return;
  order_points::with_kind_of(server, [&](auto handle) {
    using Handle = decltype(handle);
    const auto existing =
        order_points::open_database<Handle>(server, order_points::OpenAs::existing);
    const std::string compared_as_bytes =
        std::is_same_v<Handle, MYSQL*> ? " CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin" : "";
    order_points::run_sql(existing.get(), "CREATE DATABASE " + name + compared_as_bytes);
  });
}

std::string Setting::store_url(const std::string& name) const {
  return server.empty() ? "sqlite://" + database(name) : database(name);
}

std::string Setting::run_waybill(const std::vector<std::string>& arguments,
                                 const std::function<void()>& meanwhile) const {
  const Ran ran = run_program(join(join({waybill}, arguments), {"--json"}),
                              file("waybill_answer.json"), meanwhile);
  if (ran.status != 0) throw std::runtime_error("waybill " + arguments[0] + ": " + ran.output);
  return ran.output;
}

std::string Setting::audit(const std::string& orders, const std::string& points,
                           const std::vector<std::string>& more,
                           const std::function<void()>& meanwhile) const {
  const Ran ran = run_program(
      join({program("auditor"), "--orders", orders, "--points", points, "--json"}, more),
      file("audit.json"), meanwhile);
  if (WEXITSTATUS(ran.status) > 1)
    throw std::runtime_error("the auditor cannot tell: " + ran.output);
  return ran.output;
}

std::string new_key() {
  std::random_device device;
  std::ostringstream line;
  line << "k1 points ";
  for (int i = 0; i < 8; ++i) line << std::hex << (device() | 0x10000000U);
  return line.str() + '\n';
}

}  // namespace demo
