#include "settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "address.hpp"
#include "duration.hpp"
#include "suggestion.hpp"

namespace waybill::cli {
namespace {

using Setter = std::function<Status(Config&, std::string_view)>;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::size_t kTextBytesMax = 4096;
constexpr std::size_t kHolderBytesMax = 200;  // of RunnerOptions::holder

Error bad_value(std::string text, std::string hint) {
  return {Remedy::fix_call, std::move(text), std::move(hint)};
}

Status check_length(std::string_view value, std::size_t most) {
  if (value.empty()) return bad_value("is empty", "leave the key out to get the default");
  if (value.size() > most) {
    return bad_value(fmt::format("has {} bytes", value.size()), fmt::format("at most {}", most));
  }
  return {};
}

template <class Member>
Setter text(Member member, std::size_t most = kTextBytesMax) {
  return [member, most](Config& config, std::string_view value) -> Status {
    if (const Status status = check_length(value, most); !status) return status.error();
    *member(config) = value;
    return {};
  };
}

template <class Member>
Setter url(Result<std::string> (*parse)(std::string_view), Member member) {
  return [parse, member](Config& config, std::string_view value) -> Status {
    if (const Result<std::string> path = parse(value); !path) return path.error();
    *member(config) = value;
    return {};
  };
}

template <class Member>
Setter duration(Millis least, Millis most, Member member) {
  return [least, most, member](Config& config, std::string_view value) -> Status {
    const Result<Millis> parsed = parse_duration(value);
    if (!parsed) return parsed.error();
    if (*parsed < least || *parsed > most) {
      return bad_value(fmt::format("{} is out of range", value),
                       fmt::format("{} … {}", print_duration(least), print_duration(most)));
    }
    *member(config) = *parsed;
    return {};
  };
}

template <class Member>
Setter integer(std::int64_t least, std::int64_t most, Member member) {
  return [least, most, member](Config& config, std::string_view value) -> Status {
    const Result<std::int64_t> parsed = parse_integer(value);
    if (!parsed) return parsed.error();
    if (*parsed < least || *parsed > most) {
      return bad_value(fmt::format("{} is out of range", value),
                       fmt::format("{} … {}", least, most));
    }
    *member(config) = *parsed;
    return {};
  };
}

template <class Member>
Setter boolean(Member member) {
  return [member](Config& config, std::string_view value) -> Status {
    if (value != "true" && value != "false") {
      return bad_value(fmt::format("'{}' is no boolean", value), "write true or false");
    }
    *member(config) = value == "true";
    return {};
  };
}

// Starts with a letter or '_', so that it needs no quoting in any database.
Status set_table(Config& config, std::string_view value) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz_";
  constexpr std::string_view kDigits = "0123456789";
  constexpr std::size_t kTableBytesMax = 48;
  const bool plain = !value.empty() && kDigits.find(value.front()) == std::string_view::npos &&
                     std::all_of(value.begin(), value.end(), [&](char c) {
                       return kLetters.find(c) != std::string_view::npos ||
                              kDigits.find(c) != std::string_view::npos;
                     });
  if (!plain || value.size() > kTableBytesMax) {
    return bad_value(fmt::format("'{}' is no table name", value.substr(0, kTableBytesMax)),
                     "small letters, digits and '_', at most 48, no digit first");
  }
  config.store.table = value;
  return {};
}

// Replaces all of it: credentials are for the address that they were written with.
Status set_default_queue(Config& config, std::string_view value) {
  if (const Result<std::string> path = parse_queue_url(value); !path) return path.error();
  config.destinations.fallback = {};
  config.destinations.fallback.url = value;
  return {};
}

Status set_listen(Config& config, std::string_view value) {
  if (const Result<ListenAddress> address = parse_listen(value); !address) return address.error();
  config.confirm.listen = value;
  return {};
}

Status set_log_level(Config& config, std::string_view value) {
  static const std::vector<std::string> kNames = {"debug", "info", "warning", "alarm"};
  constexpr std::array kLevels = {LogLevel::debug, LogLevel::info, LogLevel::warning,
                                  LogLevel::alarm};
  const auto found = std::find(kNames.begin(), kNames.end(), value);
  if (found == kNames.end()) {
    return bad_value(fmt::format("unknown level '{}'", value), suggest(value, kNames));
  }
  config.log.level = kLevels.at(static_cast<std::size_t>(found - kNames.begin()));
  return {};
}

std::vector<Setting> make_settings() {
  return {
      {"store", "url", "WAYBILL_STORE", SettingKind::text,
       url(parse_store_url, [](Config& c) { return &c.store.url; })},
      {"store", "table", "WAYBILL_TABLE", SettingKind::text, set_table},
      {"store", "busy_timeout", "WAYBILL_STORE_BUSY_TIMEOUT", SettingKind::duration,
       duration(Millis(1), minutes(5), [](Config& c) { return &c.store.busy_timeout; })},
      {"destinations", "default", "WAYBILL_QUEUE", SettingKind::text, set_default_queue},
      {"relay", "holder", "WAYBILL_RELAY_HOLDER", SettingKind::text,
       cli::text([](Config& c) { return &c.relay.holder; }, kHolderBytesMax)},
      {"relay", "ttl", "WAYBILL_RELAY_TTL", SettingKind::duration,
       duration(Millis(200), minutes(5), [](Config& c) { return &c.relay.ttl; })},
      {"relay", "grace", "WAYBILL_RELAY_GRACE", SettingKind::duration,
       duration(Millis(10), minutes(1), [](Config& c) { return &c.relay.grace; })},
      {"relay", "window", "WAYBILL_RELAY_WINDOW", SettingKind::integer,
       integer(1, 10'000, [](Config& c) { return &c.relay.window; })},
      {"relay", "window_bytes", "WAYBILL_RELAY_WINDOW_BYTES", SettingKind::integer,
       integer(1 << 20, 1 << 30, [](Config& c) { return &c.relay.window_bytes; })},
      {"relay", "sessions", "WAYBILL_RELAY_SESSIONS", SettingKind::integer,
       integer(1, 16, [](Config& c) { return &c.relay.sessions; })},
      {"relay", "retry_first", "WAYBILL_RELAY_RETRY_FIRST", SettingKind::duration,
       duration(Millis(10), hours(1), [](Config& c) { return &c.relay.retry_first; })},
      {"relay", "retry_max", "WAYBILL_RELAY_RETRY_MAX", SettingKind::duration,
       duration(Millis(10), hours(24), [](Config& c) { return &c.relay.retry_max; })},
      {"relay", "refusals_max", "WAYBILL_RELAY_REFUSALS_MAX", SettingKind::integer,
       integer(1, 1000, [](Config& c) { return &c.relay.refusals_max; })},
      {"relay", "poll_idle", "WAYBILL_RELAY_POLL_IDLE", SettingKind::duration,
       duration(Millis(5), minutes(1), [](Config& c) { return &c.relay.poll_idle; })},
      {"relay", "doorbell", "WAYBILL_RELAY_DOORBELL", SettingKind::text,
       cli::text([](Config& c) { return &c.relay.doorbell; })},
      {"relay", "once_timeout", "WAYBILL_RELAY_ONCE_TIMEOUT", SettingKind::duration,
       duration(Millis(100), hours(24), [](Config& c) { return &c.relay.once_timeout; })},
      {"relay", "stop_timeout", "WAYBILL_RELAY_STOP_TIMEOUT", SettingKind::duration,
       duration(Millis(100), minutes(10), [](Config& c) { return &c.relay.stop_timeout; })},
      {"confirm", "listen", "WAYBILL_CONFIRM_LISTEN", SettingKind::text, set_listen},
      {"confirm", "keys_file", "WAYBILL_CONFIRM_KEYS_FILE", SettingKind::text,
       cli::text([](Config& c) { return &c.confirm.keys_file; })},
      {"confirm", "tls_certificate", "WAYBILL_CONFIRM_TLS_CERTIFICATE", SettingKind::text,
       cli::text([](Config& c) { return &c.confirm.tls_certificate; })},
      {"confirm", "tls_key", "WAYBILL_CONFIRM_TLS_KEY", SettingKind::text,
       cli::text([](Config& c) { return &c.confirm.tls_key; })},
      {"confirm", "allow_remote", "WAYBILL_CONFIRM_ALLOW_REMOTE", SettingKind::boolean,
       cli::boolean([](Config& c) { return &c.confirm.allow_remote; })},
      {"confirm", "reply_destination", "WAYBILL_CONFIRM_REPLY_DESTINATION", SettingKind::text,
       cli::text([](Config& c) { return &c.confirm.reply_destination; })},
      {"confirm", "reply_group", "WAYBILL_CONFIRM_REPLY_GROUP", SettingKind::text,
       cli::text([](Config& c) { return &c.confirm.reply_group; })},
      {"confirm", "reply_age_max", "WAYBILL_CONFIRM_REPLY_AGE_MAX", SettingKind::duration,
       duration(minutes(5), hours(24 * 3650), [](Config& c) { return &c.confirm.reply_age_max; })},
      {"log", "level", "WAYBILL_LOG_LEVEL", SettingKind::text, set_log_level},
  };
}

}  // namespace

std::span<const Setting> settings() {
  static const std::vector<Setting> kSettings = make_settings();
  return kSettings;
}

const Setting* find_setting(std::string_view name) {
  for (const Setting& setting : settings()) {
    if (name.size() == setting.section.size() + 1 + setting.key.size() &&
        name.starts_with(setting.section) && name.ends_with(setting.key)) {
      return &setting;
    }
  }
  return nullptr;
}

}  // namespace waybill::cli
