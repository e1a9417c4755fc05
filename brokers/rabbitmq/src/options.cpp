#include "options.hpp"

#include <algorithm>

namespace waybill::rabbitmq {
namespace {

constexpr std::size_t kMebibyte = std::size_t{1} << 20;

Error refuse(std::string text, std::string hint) {
  return {Remedy::fix_call, std::move(text), std::move(hint)};
}

template <class T>
bool is_in(T value, T least, T most) {
  return value >= least && value <= most;
}

Status check_limits(const Options& options) {
  using std::chrono::minutes;
  using std::chrono::seconds;
  const auto within = [](Millis time, Millis least, Millis most) {
    return is_in(time, least, most);
  };
  if (!within(options.connect_timeout, seconds(1), minutes(5)) ||
      !within(options.admin_timeout, seconds(1), minutes(5)) ||
      !within(options.publish_timeout, seconds(1), minutes(15)) ||
      !within(options.heartbeat, seconds(1), minutes(5)) ||
      !within(options.handling_max, seconds(10), minutes(30)) ||
      !within(options.close_timeout, Millis(0), seconds(60))) {
    return refuse("a time-out is out of its range", "see waybill/brokers/rabbitmq.hpp");
  }
  if (!is_in<std::uint32_t>(options.window_max, 1, 100'000) ||
      !is_in<std::uint32_t>(options.unsettled_max, 1, 65'535) ||
      !is_in<std::size_t>(options.unsettled_bytes_max, 1, 1024 * kMebibyte) ||
      options.body_bytes_max > 128 * kMebibyte) {
    return refuse("a limit is out of its range", "see waybill/brokers/rabbitmq.hpp");
  }
  return {};
}

}  // namespace

Result<Server> check(const Options& options) {
  auto address = parse_url(options.url);
  if (!address) return address.error();
  if (options.source.empty()) return refuse("source is empty", "name the system that publishes");
  if (options.tls.certificate_file.empty() != options.tls.key_file.empty()) {
    return refuse("one of certificate_file and key_file is missing", "give both or neither");
  }
  if (auto limits = check_limits(options); !limits) return limits.error();
  Server server{std::move(*address), nullptr};
  if (server.address.tls) {
    auto context = make_tls_context(options.tls);
    if (!context) return context.error();
    server.tls = std::move(*context);
  }
  return server;
}

bool is_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= 255;
}

std::chrono::seconds to_heartbeat(Millis time) noexcept {
  return std::max(std::chrono::seconds(1), std::chrono::round<std::chrono::seconds>(time));
}

}  // namespace waybill::rabbitmq
