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
                                 {"user", &Destination::user},
                                 {"password_file", &Destination::password_file},
                                 {"password_env", &Destination::password_env},
                                 {"ca_file", &Destination::ca_file},
                                 {"certificate_file", &Destination::certificate_file},
                                 {"key_file", &Destination::key_file},
                                 {"sasl_mechanism", &Destination::sasl_mechanism}};

// One table, with the reader to complain to.
class DestinationTable {
 public:
  DestinationTable(const toml::table& table, std::string name, TomlReader& reader)
      : table_(table), name_(std::move(name)), reader_(reader) {}

  Destination read() {
    std::vector<std::string> known = {"tls"};
    Destination destination;
    for (const TextKey& key : kTextKeys) {
      known.emplace_back(key.name);
      if (const auto value = reader_.text(table_, name_, key.name)) {
        if (value->empty()) complain(key.name, "is empty", "leave the key out");
        destination.*key.member = *value;
      }
    }
    destination.tls = reader_.boolean(table_, name_, "tls").value_or(false);
    reader_.check_keys(table_, name_, known);
    check_url(destination);
    check_credentials(destination);
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
    } else if (!is_kafka_url(destination.url)) {
      if (table_.contains("tls")) refuse_for_queue("tls");
      for (const TextKey& key : kTextKeys) {
        if (table_.contains(key.name) && key.name != "url" && key.name != "topic") {
          refuse_for_queue(key.name);
        }
      }
    }
  }

  void refuse_for_queue(std::string_view key) {
    complain(key, "means nothing for an embedded queue", "leave the key out");
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
    static const std::string kMechanisms[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
    const std::string& mechanism = destination.sasl_mechanism;
    if (!mechanism.empty() && std::find(std::begin(kMechanisms), std::end(kMechanisms),
                                        mechanism) == std::end(kMechanisms)) {
      complain("sasl_mechanism", fmt::format("unknown mechanism '{}'", mechanism),
               suggest(mechanism, kMechanisms));
    }
    if (table_.contains("tls") && !destination.tls && uses_tls_files(destination)) {
      complain("tls", "is false, but there are files for TLS", "leave them out, or tls");
    }
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
