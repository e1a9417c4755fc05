-- The consumer's tables: what was applied, what was set aside, and what crashed before.
CREATE TABLE IF NOT EXISTS waybill_inbox (
  position     INTEGER PRIMARY KEY AUTOINCREMENT,
  consumer     TEXT NOT NULL,
  message_id   TEXT NOT NULL,
  epoch        INTEGER NOT NULL DEFAULT 0,
  gmt_create   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  confirmed_at TEXT,
  verdict      TEXT NOT NULL DEFAULT 'done',
  reason       TEXT,
  sent_at      TEXT,
  UNIQUE (consumer, message_id)
);
CREATE INDEX IF NOT EXISTS waybill_inbox_pending ON waybill_inbox (consumer, position) WHERE confirmed_at IS NULL;
CREATE TABLE IF NOT EXISTS waybill_parked (
  consumer     TEXT NOT NULL,
  message_id   TEXT NOT NULL,
  message_type TEXT NOT NULL,
  body         BLOB NOT NULL,
  reason       TEXT NOT NULL,
  epoch        INTEGER NOT NULL,
  attempts     INTEGER NOT NULL,
  gmt_create   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  PRIMARY KEY (consumer, message_id)
);
CREATE TABLE IF NOT EXISTS waybill_attempt (
  consumer   TEXT NOT NULL,
  message_id TEXT NOT NULL,
  attempts   INTEGER NOT NULL,
  PRIMARY KEY (consumer, message_id)
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
