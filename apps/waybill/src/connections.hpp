// From the configured address to an open store.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "config.hpp"
#include "waybill/error.hpp"
#include "waybill/inbox_store.hpp"
#include "waybill/message_store.hpp"
#include "waybill/stores/mariadb.hpp"
#include "waybill/stores/postgres.hpp"
#include "waybill/stores/sqlite.hpp"

namespace waybill::cli {

// The error with the file's name in front, if it does not tell it already.
[[nodiscard]] Error about_file(const std::string& path, const Error& error);

// The configured database, of whichever kind.
using StoreOptions = std::variant<sqlite::Options, postgres::Options, mariadb::Options>;

// **Errors**: fix_call when no store is configured, or its URL cannot be read.
[[nodiscard]] Result<StoreOptions> store_options(const Config& config);
// For messages: a path, or a URL without its password.
[[nodiscard]] std::string name_of(const StoreOptions& options);

[[nodiscard]] std::string print_schema(const StoreOptions& options, store::SchemaPart part);
// **Errors**: fix_call for a database without roles.
[[nodiscard]] Result<std::string> print_roles(const StoreOptions& options, store::SchemaPart part);
[[nodiscard]] Result<store::SchemaApplied> apply_schema(const StoreOptions& options,
                                                        store::SchemaPart part);
[[nodiscard]] Result<std::vector<store::SchemaFinding>> check_schema(const StoreOptions& options,
                                                                     store::SchemaPart part);

[[nodiscard]] bool is_missing(const std::string& path);

// As store_options; a file must be there. `apply` is the command that creates it.
[[nodiscard]] Result<StoreOptions> existing_store(const Config& config,
                                                  std::string_view apply = "waybill schema apply");

// **Errors**: fix_call when the file is missing or is no waybill database, retry when it is busy.
[[nodiscard]] Result<std::unique_ptr<MessageStore>> open_store(const Config& config);

// A store and one console session on it.
struct Console {
  std::unique_ptr<MessageStore> store;
  std::unique_ptr<ConsoleSession> session;
};
[[nodiscard]] Result<Console> open_console(const Config& config);

// One inbox session on the configured store, which is a consumer's database here.
struct InboxConsole {
  std::unique_ptr<InboxStore> store;
  std::unique_ptr<InboxSession> session;
};
// **Errors**: as open_store.
[[nodiscard]] Result<InboxConsole> open_inbox_console(const Config& config);

}  // namespace waybill::cli
