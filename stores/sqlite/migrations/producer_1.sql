-- The message table's side tables, and what is there once per database.
CREATE TABLE IF NOT EXISTS {table}_delivery (
  id                INTEGER PRIMARY KEY,
  message_type      TEXT NOT NULL,
  partition_key     TEXT,
  next_attempt_at   TEXT,
  first_accepted_at TEXT,
  sends             INTEGER NOT NULL DEFAULT 0,
  refusals          INTEGER NOT NULL DEFAULT 0,
  epoch             INTEGER NOT NULL DEFAULT 0,
  reason            TEXT
);
CREATE INDEX IF NOT EXISTS {table}_due ON {table}_delivery (message_type, next_attempt_at, id)
  WHERE next_attempt_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS {table}_receipt (
  id         INTEGER NOT NULL,
  consumer   TEXT NOT NULL,
  verdict    TEXT NOT NULL,
  epoch      INTEGER NOT NULL,
  reason     TEXT,
  gmt_create TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  PRIMARY KEY (id, consumer)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS {table}_lease (
  id      INTEGER PRIMARY KEY CHECK (id = 1),
  fence   INTEGER NOT NULL,
  counter INTEGER NOT NULL,
  holder  TEXT NOT NULL
);
INSERT OR IGNORE INTO {table}_lease (id, fence, counter, holder) VALUES (1, 0, 0, '');
CREATE TABLE IF NOT EXISTS waybill_route (
  message_type     TEXT PRIMARY KEY,
  destination      TEXT NOT NULL,
  consumers        TEXT NOT NULL DEFAULT '',
  confirm_deadline INTEGER NOT NULL DEFAULT 30000,
  ordering         TEXT NOT NULL DEFAULT 'none',
  dispatch         TEXT NOT NULL DEFAULT 'relay',
  version          INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS waybill_consumer (
  message_type   TEXT NOT NULL,
  consumer       TEXT NOT NULL,
  confirmed_sent TEXT NOT NULL,
  retention      INTEGER NOT NULL,
  PRIMARY KEY (message_type, consumer)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS waybill_audit (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  gmt_create    TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  operator      TEXT NOT NULL,
  action        TEXT NOT NULL,
  message_table TEXT NOT NULL,
  message_row   INTEGER NOT NULL,
  state_before  TEXT NOT NULL,
  reason        TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS waybill_audit_row ON waybill_audit (message_table, message_row);
