-- The consumer's tables: what was applied, what was set aside, and what crashed before.
CREATE TABLE IF NOT EXISTS waybill_inbox (
  position     bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  consumer     varchar(64) NOT NULL,
  message_id   varchar(768) CHARACTER SET ascii COLLATE ascii_nopad_bin NOT NULL,
  epoch        int NOT NULL DEFAULT 0,
  gmt_create   datetime(6) NOT NULL DEFAULT (utc_timestamp(6)),
  confirmed_at datetime(6),
  verdict      varchar(16) NOT NULL DEFAULT 'done',
  reason       text,
  sent_at      datetime(6),
  UNIQUE KEY waybill_inbox_identity (consumer, message_id),
  KEY waybill_inbox_pending (consumer, confirmed_at, position)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
CREATE TABLE IF NOT EXISTS waybill_parked (
  consumer     varchar(64) NOT NULL,
  message_id   varchar(768) CHARACTER SET ascii COLLATE ascii_nopad_bin NOT NULL,
  message_type varchar(128) NOT NULL,
  body         longblob NOT NULL,
  reason       text NOT NULL,
  epoch        int NOT NULL,
  attempts     int NOT NULL,
  gmt_create   datetime(6) NOT NULL DEFAULT (utc_timestamp(6)),
  PRIMARY KEY (consumer, message_id)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
CREATE TABLE IF NOT EXISTS waybill_attempt (
  consumer   varchar(64) NOT NULL,
  message_id varchar(768) CHARACTER SET ascii COLLATE ascii_nopad_bin NOT NULL,
  attempts   int NOT NULL,
  PRIMARY KEY (consumer, message_id)
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
