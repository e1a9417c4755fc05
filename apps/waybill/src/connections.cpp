#include "connections.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

#include "address.hpp"

namespace waybill::cli {

Error about_file(const std::string& path, const Error& error) {
  if (error.text.find(path) != std::string::npos) return error;
  return {error.remedy, fmt::format("{}: {}", path, error.text), error.hint};
}

Result<sqlite::Options> store_options(const Config& config) {
  if (config.store.url.empty()) {
    return Error{
        Remedy::fix_call, "no store is configured",
        "give --store sqlite:///absolute/path, set WAYBILL_STORE, or write url in [store]"};
  }
  const Result<std::string> path = parse_store_url(config.store.url);
  if (!path) return path.error();
  sqlite::Options options;
  options.path = *path;
  options.table = config.store.table;
  if (config.store.busy_timeout) options.busy_timeout = *config.store.busy_timeout;
  return options;
}

bool is_missing(const std::string& path) {
  std::error_code problem;
  return std::filesystem::status(path, problem).type() == std::filesystem::file_type::not_found;
}

Result<sqlite::Options> existing_store(const Config& config, std::string_view apply) {
  const Result<sqlite::Options> options = store_options(config);
  if (!options || !is_missing(options->path)) return options;
  return Error{Remedy::fix_call, fmt::format("no such file: {}", options->path),
               fmt::format("create it with: {} --store {}", apply, config.store.url)};
}

Result<std::unique_ptr<MessageStore>> open_store(const Config& config) {
  const Result<sqlite::Options> options = existing_store(config);
  if (!options) return options.error();
  Result<std::unique_ptr<MessageStore>> store = sqlite::open_message_store(*options);
  if (!store) return about_file(options->path, store.error());
  return store;
}

Result<Console> open_console(const Config& config) {
  Result<std::unique_ptr<MessageStore>> store = open_store(config);
  if (!store) return store.error();
  Result<std::unique_ptr<ConsoleSession>> session = (*store)->open_console();
  if (!session) return session.error();
  return Console{std::move(*store), std::move(*session)};
}

Result<InboxConsole> open_inbox_console(const Config& config) {
  const auto options = existing_store(config, "waybill schema apply --part consumer");
  if (!options) return options.error();
  Result<std::unique_ptr<InboxStore>> store = sqlite::open_inbox_store(*options);
  if (!store) return about_file(options->path, store.error());
  Result<std::unique_ptr<InboxSession>> session = (*store)->open();
  if (!session) return session.error();
  return InboxConsole{std::move(*store), std::move(*session)};
}

Result<embedded::Options> existing_queue(const Config& config, std::string_view destination) {
  const Result<embedded::Options> options = queue_options(config, destination);
  if (!options || !is_missing(options->path)) return options;
  return Error{Remedy::fix_call, fmt::format("no such file: {}", options->path),
               "the first publish creates it; is the path right?"};
}

Result<embedded::Options> queue_options(const Config& config, std::string_view destination) {
  const auto own = config.destinations.urls.find(std::string(destination));
  const std::string& url =
      own != config.destinations.urls.end() ? own->second : config.destinations.fallback;
  if (url.empty()) {
    return Error{Remedy::fix_call, fmt::format("destination '{}' has no address", destination),
                 fmt::format("write [destinations.\"{}\"] url = \"queue:///absolute/path\", "
                             "or a default in [destinations]",
                             destination)};
  }
  const Result<std::string> path = parse_queue_url(url);
  if (!path) return path.error();
  embedded::Options options;
  options.path = *path;
  return options;
}

OpenPublisher publishers_of(const Config& config) {
  return [config](std::string_view destination) -> Result<std::unique_ptr<Publisher>> {
    const Result<embedded::Options> options = queue_options(config, destination);
    if (!options) return options.error();
    return embedded::open_publisher(*options);
  };
}

}  // namespace waybill::cli
