// The commands, each defined in the file of its name.
#pragma once

#include "invocation.hpp"

namespace waybill::cli {

void add_schema_commands(CLI::App& app, Invocation& invocation);
void add_routes_commands(CLI::App& app, Invocation& invocation);
void add_relay_command(CLI::App& app, Invocation& invocation);
void add_status_command(CLI::App& app, Invocation& invocation);
void add_messages_commands(CLI::App& app, Invocation& invocation);
void add_message_actions(CLI::App& messages, Invocation& invocation);
void add_clean_command(CLI::App& app, Invocation& invocation);
void add_doctor_command(CLI::App& app, Invocation& invocation);
void add_inbox_commands(CLI::App& app, Invocation& invocation);
void add_queue_commands(CLI::App& app, Invocation& invocation);
void add_broker_commands(CLI::App& app, Invocation& invocation);

}  // namespace waybill::cli
