-- The message table and its lane indexes.
CREATE TABLE IF NOT EXISTS {table} (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  gmt_create   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  gmt_modified TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  message_type TEXT NOT NULL,
  biz_type     TEXT NOT NULL,
  identifier   TEXT NOT NULL,
  content      TEXT NOT NULL,
  state        TEXT NOT NULL DEFAULT 'INIT',
  headers      TEXT,
  UNIQUE (biz_type, message_type, identifier)
);
CREATE INDEX IF NOT EXISTS {table}_fresh ON {table} (message_type, id) WHERE state = 'INIT';
CREATE INDEX IF NOT EXISTS {table}_overdue ON {table} (message_type, gmt_modified, id) WHERE state = 'SENT';
CREATE INDEX IF NOT EXISTS {table}_stuck ON {table} (message_type, state, id) WHERE state IN ('PARKED', 'DEAD');
