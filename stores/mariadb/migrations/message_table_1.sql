-- The message table and its lane indexes. InnoDB has no partial indexes: the state leads.
CREATE TABLE IF NOT EXISTS {table} (
  id           bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  gmt_create   datetime(6) NOT NULL DEFAULT (utc_timestamp(6)),
  gmt_modified datetime(6) NOT NULL DEFAULT (utc_timestamp(6)),
  message_type varchar(128) NOT NULL,
  biz_type     varchar(64) NOT NULL,
  identifier   varchar(128) NOT NULL,
  content      longtext NOT NULL,
  state        varchar(16) NOT NULL DEFAULT 'INIT',
  headers      text,
  UNIQUE KEY {table}_identity (biz_type, message_type, identifier),
  KEY {table}_fresh (state, message_type, id),
  KEY {table}_overdue (state, message_type, gmt_modified, id)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
