-- The message table's side tables, and what is there once per database. Every statement may run again: DDL ends the
-- transaction, so a migration can break off halfway.
CREATE TABLE IF NOT EXISTS {table}_delivery (
  id                bigint NOT NULL PRIMARY KEY,
  message_type      varchar(128) NOT NULL,
  partition_key     text,
  next_attempt_at   datetime(6),
  first_accepted_at datetime(6),
  sends             int NOT NULL DEFAULT 0,
  refusals          int NOT NULL DEFAULT 0,
  epoch             int NOT NULL DEFAULT 0,
  reason            text,
  KEY {table}_due (message_type, next_attempt_at, id)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
CREATE TABLE IF NOT EXISTS {table}_receipt (
  id         bigint NOT NULL,
  consumer   varchar(64) NOT NULL,
  verdict    varchar(16) NOT NULL,
  epoch      int NOT NULL,
  reason     text,
  gmt_create datetime(6) NOT NULL DEFAULT (utc_timestamp(6)),
  PRIMARY KEY (id, consumer)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
CREATE TABLE IF NOT EXISTS {table}_lease (
  id      int NOT NULL PRIMARY KEY CHECK (id = 1),
  fence   bigint NOT NULL,
  counter bigint NOT NULL,
  holder  varchar(255) NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
INSERT INTO {table}_lease (id, fence, counter, holder) VALUES (1, 0, 0, '') ON DUPLICATE KEY UPDATE id = 1;
CREATE TABLE IF NOT EXISTS waybill_route (
  message_type     varchar(128) NOT NULL PRIMARY KEY,
  destination      text NOT NULL,
  consumers        text NOT NULL DEFAULT '',
  confirm_deadline bigint NOT NULL DEFAULT 30000,
  ordering         varchar(16) NOT NULL DEFAULT 'none',
  dispatch         varchar(16) NOT NULL DEFAULT 'relay',
  version          bigint NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
CREATE TABLE IF NOT EXISTS waybill_consumer (
  message_type   varchar(128) NOT NULL,
  consumer       varchar(64) NOT NULL,
  confirmed_sent datetime(6) NOT NULL,
  retention      bigint NOT NULL,
  PRIMARY KEY (message_type, consumer)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
CREATE TABLE IF NOT EXISTS waybill_audit (
  id            bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  gmt_create    datetime(6) NOT NULL DEFAULT (utc_timestamp(6)),
  operator      text NOT NULL,
  action        varchar(32) NOT NULL,
  message_table varchar(64) NOT NULL,
  message_row   bigint NOT NULL,
  state_before  varchar(16) NOT NULL,
  reason        text NOT NULL,
  KEY waybill_audit_row (message_table, message_row)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
