// What the configuration file, the environment and the flags say, in growing precedence.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "waybill/clock.hpp"
#include "waybill/error.hpp"
#include "waybill/log.hpp"

namespace waybill::cli {

// Members that are not set leave the library's own defaults; docs/reference/configuration.md lists
// both.
struct Config {
  struct Store {
    std::string url;  // sqlite:///absolute/path, postgresql://… or mariadb://…; empty = not set
    std::string table = "local_message";
    std::optional<Millis> busy_timeout;
  };
  // A broker and how it is reached. Relative paths are taken from the configuration file's folder.
  struct Destination {
    std::string url;    // queue:///absolute/path, kafka://… or amqp(s)://…; empty = not set
    std::string topic;  // its name at the broker; empty = the destination's own
    std::vector<std::string> queues;  // RabbitMQ: what is bound to the exchange in `topic`
    std::string format;               // "cloudevents" or "plain"; empty = the library's default
    std::string user;                 // with one of the next two
    std::string password_file;
    std::string password_env;  // name of an environment variable
    bool tls = false;          // Kafka; also with any of the next three
    std::string ca_file;
    std::string certificate_file;
    std::string key_file;
    std::string sasl_mechanism;  // Kafka; empty = the library's default
  };
  struct Destinations {
    Destination fallback;                      // of every name without its own
    std::map<std::string, Destination> named;  // by the destination's name in the route
  };
  struct Relay {
    std::string holder;  // empty = host name and process id
    std::optional<Millis> ttl;
    std::optional<Millis> grace;
    std::optional<std::int64_t> window;
    std::optional<std::int64_t> window_bytes;
    std::optional<std::int64_t> sessions;
    std::optional<Millis> retry_first;
    std::optional<Millis> retry_max;
    std::optional<std::int64_t> refusals_max;
    std::optional<Millis> poll_idle;
    std::string doorbell;  // empty = none
    Millis once_timeout = std::chrono::seconds(60);
    Millis stop_timeout = std::chrono::seconds(10);
  };
  struct Confirm {
    std::string listen;           // "127.0.0.1:8081"; empty = no endpoint
    std::string keys_file;        // relative paths as in Destination
    std::string tls_certificate;  // PEM files, both or none; relative paths as keys_file
    std::string tls_key;
    bool allow_remote = false;
    std::string reply_destination;  // the reply topic, by its name in [destinations]; empty = none
    std::string reply_group = "waybill";  // of the relays that read it
    std::optional<Millis> reply_age_max;
  };
  struct Log {
    LogLevel level = LogLevel::info;
  };

  Store store;
  Destinations destinations;
  Relay relay;
  Confirm confirm;
  Log log;

  // Where a setting's value came from ("waybill.toml:7", "WAYBILL_STORE", "--store"), by its name.
  std::map<std::string, std::string> origins;
};

// One value given as a flag: the setting's name ("relay.ttl"), what the user typed before the value
// ("--ttl"), and the value.
struct FlagValue {
  std::string setting;
  std::string flag;
  std::string value;
};

// The value of an environment variable, or null.
using Environment = std::function<const char*(const char* name)>;

// Loads `file`, or when it is empty the file named by WAYBILL_CONFIG, or ./waybill.toml if there is
// one; then the environment; then the flags.
// **Errors**: fix_call naming file, line and key, or variable, or flag.
[[nodiscard]] Result<Config> load_config(const std::string& file, const Environment& environment,
                                         const std::vector<FlagValue>& flags);

// Applies the text of a configuration file; `file_name` is only for the texts and for relative
// paths.
[[nodiscard]] Status apply_config_text(std::string_view text, const std::string& file_name,
                                       Config& config);

// "127.0.0.1:8081" or "[::1]:8081" in its parts. **Errors**: fix_call.
struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;
};
[[nodiscard]] Result<ListenAddress> parse_listen(std::string_view text);

}  // namespace waybill::cli
