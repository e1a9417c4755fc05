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

Result<StoreOptions> store_options(const Config& config) {
  const std::string& url = config.store.url;
  if (url.empty()) {
    return Error{Remedy::fix_call, "no store is configured",
                 "give --store sqlite:///absolute/path, postgresql://user@host/database or "
                 "mariadb://user@host/database, set WAYBILL_STORE, or write url in [store]"};
  }
  const Result<std::string> address = parse_store_url(url);
  if (!address) return address.error();
  if (is_mariadb_url(url)) {
    mariadb::Options options;
    options.url = *address;
    options.table = config.store.table;
    return StoreOptions(options);
  }
  if (is_postgres_url(url)) {
    postgres::Options options;
    options.url = *address;
    options.table = config.store.table;
    return StoreOptions(options);
  }
  sqlite::Options options;
  options.path = *address;
  options.table = config.store.table;
  if (config.store.busy_timeout) options.busy_timeout = *config.store.busy_timeout;
  return StoreOptions(options);
}

std::string name_of(const StoreOptions& options) {
  if (const auto* server = std::get_if<mariadb::Options>(&options)) {
    return store::public_url(server->url);
  }
  if (const auto* server = std::get_if<postgres::Options>(&options)) {
    return store::public_url(server->url);
  }
  return std::get<sqlite::Options>(options).path;
}

std::string print_schema(const StoreOptions& options, store::SchemaPart part) {
  if (const auto* server = std::get_if<mariadb::Options>(&options)) {
    return mariadb::print_schema(part, server->table);
  }
  if (const auto* server = std::get_if<postgres::Options>(&options)) {
    return postgres::print_schema(part, server->table);
  }
  return sqlite::print_schema(part, std::get<sqlite::Options>(options).table);
}

Result<std::string> print_roles(const StoreOptions& options, store::SchemaPart part) {
  if (const auto* server = std::get_if<mariadb::Options>(&options)) {
    return mariadb::print_roles(part, server->table);
  }
  if (const auto* server = std::get_if<postgres::Options>(&options)) {
    return postgres::print_roles(part, server->table);
  }
  return Error{Remedy::fix_call, "SQLite has no roles",
               "who may read and write the file, its folder included, may do everything"};
}

// The namespaces' own functions, by the type of their options.
Result<store::SchemaApplied> apply_schema(const StoreOptions& options, store::SchemaPart part) {
  return std::visit([&](const auto& own) { return apply_schema(own, part); }, options);
}

Result<std::vector<store::SchemaFinding>> check_schema(const StoreOptions& options,
                                                       store::SchemaPart part) {
  return std::visit([&](const auto& own) { return check_schema(own, part); }, options);
}

bool is_missing(const std::string& path) {
  std::error_code problem;
  return std::filesystem::status(path, problem).type() == std::filesystem::file_type::not_found;
}

Result<StoreOptions> existing_store(const Config& config, std::string_view apply) {
  const Result<StoreOptions> options = store_options(config);
  const auto* file = options ? std::get_if<sqlite::Options>(&*options) : nullptr;
  if (file == nullptr || !is_missing(file->path)) return options;
  return Error{Remedy::fix_call, fmt::format("no such file: {}", file->path),
               fmt::format("create it with: {} --store {}", apply, config.store.url)};
}

Result<std::unique_ptr<MessageStore>> open_store(const Config& config) {
  const Result<StoreOptions> options = existing_store(config);
  if (!options) return options.error();
  auto store = std::visit([](const auto& own) { return open_message_store(own); }, *options);
  if (!store) return about_file(name_of(*options), store.error());
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
  auto store = std::visit([](const auto& own) { return open_inbox_store(own); }, *options);
  if (!store) return about_file(name_of(*options), store.error());
  Result<std::unique_ptr<InboxSession>> session = (*store)->open();
  if (!session) return session.error();
  return InboxConsole{std::move(*store), std::move(*session)};
}

}  // namespace waybill::cli
