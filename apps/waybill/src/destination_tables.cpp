#include "destination_tables.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "address.hpp"
#include "suggestion.hpp"

namespace waybill::cli {
namespace {

using Destination = Config::Destination;

constexpr std::size_t kDestinationsMax = 1000;

struct TextKey {
  std::string_view name;
  std::string Destination::*member;
};

constexpr TextKey kTextKeys[] = {{"url", &Destination::url},
                                 {"topic", &Destination::topic},
                                 {"format", &Destination::format},
                                 {"user", &Destination::user},
                                 {"password_file", &Destination::password_file},
                                 {"password_env", &Destination::password_env},
                                 {"ca_file", &Destination::ca_file},
                                 {"certificate_file", &Destination::certificate_file},
                                 {"key_file", &Destination::key_file},
                                 {"sasl_mechanism", &Destination::sasl_mechanism}};

// What means nothing for an embedded queue.
const std::vector<std::string> kNotForQueue = {
    "queues",  "format",           "user",     "password_file", "password_env", "tls",
    "ca_file", "certificate_file", "key_file", "sasl_mechanism"};

// One table, with the reader to complain to.
class DestinationTable {
 public:
  DestinationTable(const toml::table& table, std::string name, TomlReader& reader)
      : table_(table), name_(std::move(name)), reader_(reader) {}

  Destination read() {
    std::vector<std::string> known = {"tls", "queues"};
    Destination destination;
    for (const TextKey& key : kTextKeys) {
      known.emplace_back(key.name);
      if (const auto value = reader_.text(table_, name_, key.name)) {
        if (value->empty()) complain(key.name, "is empty", "leave the key out");
        destination.*key.member = *value;
      }
    }
    destination.tls = reader_.boolean(table_, name_, "tls").value_or(false);
    destination.queues = reader_.texts(table_, name_, "queues").value_or(destination.queues);
    reader_.check_keys(table_, name_, known);
    check_url(destination);
    check_credentials(destination);
    check_one_of("sasl_mechanism", destination.sasl_mechanism,
                 {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"});
    check_one_of("format", destination.format, {"cloudevents", "plain"});
    return destination;
  }

 private:
  void complain(std::string_view key, std::string_view text, std::string_view hint) {
    reader_.complain(table_.get(key)->source(), dotted(name_, key), text, hint);
  }

  void check_url(const Destination& destination) {
    if (!table_.contains("url")) {
      reader_.complain(table_.source(), name_, "has no url", "write url = \"queue:///…\"");
    }
    if (destination.url.empty()) return;
    if (const Result<std::string> address = parse_queue_url(destination.url); !address) {
      complain("url", address.error().text, address.error().hint);
    } else if (is_kafka_url(destination.url)) {
      refuse({"queues"}, "means nothing for Kafka", "leave the key out");
    } else if (is_amqp_url(destination.url)) {
      refuse({"sasl_mechanism"}, "means nothing for RabbitMQ", "leave the key out");
      refuse({"tls"}, "means nothing for RabbitMQ", "write amqps:// in url");
      if (destination.url.starts_with("amqp://")) {
        refuse({"ca_file", "certificate_file", "key_file"}, "needs TLS", "write amqps:// in url");
      }
    } else {
      refuse(kNotForQueue, "means nothing for an embedded queue", "leave the key out");
    }
  }

  void refuse(const std::vector<std::string>& keys, std::string_view text, std::string_view hint) {
    for (const std::string& key : keys) {
      if (table_.contains(key)) complain(key, text, hint);
    }
  }

  void check_credentials(const Destination& destination) {
    const bool has_password = table_.contains("password_file") || table_.contains("password_env");
    if (table_.contains("password_file") && table_.contains("password_env")) {
      complain("password_env", "stands beside password_file", "write one of them");
    }
    if (!destination.user.empty() && !has_password) {
      complain("user", "has no password", "write password_file or password_env");
    }
    for (const std::string_view key : {"password_file", "password_env", "sasl_mechanism"}) {
      if (table_.contains(key) && destination.user.empty())
        complain(key, "has no user", "write user");
    }
    if (table_.contains("certificate_file") != table_.contains("key_file")) {
      complain(table_.contains("key_file") ? "key_file" : "certificate_file", "stands alone",
               "write certificate_file and key_file, or none of them");
    }
    if (table_.contains("tls") && !destination.tls && uses_tls_files(destination)) {
      complain("tls", "is false, but there are files for TLS", "leave them out, or tls");
    }
  }

  void check_one_of(std::string_view key, const std::string& value,
                    const std::vector<std::string>& known) {
    if (value.empty() || std::find(known.begin(), known.end(), value) != known.end()) return;
    complain(key, fmt::format("unknown value '{}'", value), suggest(value, known));
  }

  static bool uses_tls_files(const Destination& destination) {
    return !destination.ca_file.empty() || !destination.certificate_file.empty();
  }

  const toml::table& table_;
  const std::string name_;
  TomlReader& reader_;
};

}  // namespace

void read_destinations(const toml::table& table, TomlReader& reader,
                       Config::Destinations& destinations) {
  for (const auto& [key, node] : table) {
    const bool is_default = key == "default";
    if (is_default && !node.is_table()) continue;  // an ordinary setting
    const std::string name = dotted("destinations", key.str());
    const toml::table* own = node.as_table();
    if (own == nullptr) {
      reader.complain(node.source(), name,
                      fmt::format("must be a table with a url, not {}", type_in_words(node)),
                      fmt::format("write [{}] url = \"queue:///absolute/path\"", name));
      continue;
    }
    if (destinations.named.size() >= kDestinationsMax) {
      reader.complain(node.source(), name,
                      fmt::format("more than {} destinations", kDestinationsMax));
      return;
    }
    Destination destination = DestinationTable(*own, name, reader).read();
    if (is_default) {
      destinations.fallback = std::move(destination);
    } else {
      destinations.named[std::string(key.str())] = std::move(destination);
    }
  }
}

}  // namespace waybill::cli
