-- The producer answered for these rows as they were sent; a row that a duplicate reopened meanwhile stays pending.
-- ?1 consumer, ?2 rows of position, epoch, verdict and send time.
-- Index: primary key. Concurrency: compare-and-set on what was confirmed.
UPDATE JSON_TABLE(?2, '$[*]' COLUMNS (
  position bigint PATH '$[0]', epoch int PATH '$[1]', verdict varchar(16) CHARACTER SET utf8mb4 PATH '$[2]',
  sent_at datetime(6) PATH '$[3]')) AS w
STRAIGHT_JOIN waybill_inbox AS i FORCE INDEX (PRIMARY) ON i.position = w.position
SET i.confirmed_at = utc_timestamp(6)
WHERE i.consumer = ?1 AND i.epoch = w.epoch AND i.verdict = w.verdict
  AND COALESCE(i.sent_at, TIMESTAMP '1970-01-01 00:00:00') = w.sent_at
