-- Keeps the newest send time that a consumer confirmed, and its retention as last announced: ?1 rows of type, consumer,
-- send time and retention in seconds.
-- Index: primary key. Concurrency: in the order of types and consumers, so that two batches cannot lock each other out.
INSERT INTO waybill_consumer (message_type, consumer, confirmed_sent, retention)
SELECT w.message_type, w.consumer, w.sent, w.retention
FROM JSON_TABLE(?1, '$[*]' COLUMNS (
  message_type varchar(128) CHARACTER SET utf8mb4 PATH '$[0]', consumer varchar(64) CHARACTER SET utf8mb4 PATH '$[1]',
  sent datetime(6) PATH '$[2]', retention bigint PATH '$[3]')) AS w
ON DUPLICATE KEY UPDATE
  confirmed_sent = GREATEST(waybill_consumer.confirmed_sent, VALUES(confirmed_sent)), retention = VALUES(retention)
