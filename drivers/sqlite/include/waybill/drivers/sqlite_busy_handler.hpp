// A fair busy handler for every connection to a database that waybill also writes, yours included.
#pragma once

#include <sqlite3.h>

#include "waybill/clock.hpp"

namespace waybill::sqlite {

// Waits in short random steps of 0.2 to 3 ms until `timeout` is over. SQLite's own busy_timeout
// waits ever longer, up to 100 ms, and so loses against whoever writes often.
//
// Advice for the connection beside it: `PRAGMA journal_mode=WAL`, `PRAGMA synchronous=FULL` (with
// NORMAL a power cut may take the last commits back), and BEGIN IMMEDIATE for every transaction
// that will write.
//
// **Ownership**: the handler lives with the connection; a second call replaces the time-out.
// **Thread safety**: as the connection's.
void install_busy_handler(sqlite3* db, Millis timeout);

}  // namespace waybill::sqlite
