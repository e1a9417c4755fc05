-- The receipts of rows: ?1 ids.
-- Index: primary key. Concurrency: as its transaction.
SELECT r.id, r.consumer, r.verdict, r.epoch, COALESCE(r.reason, ''), r.gmt_create
FROM JSON_TABLE(?1, '$[*]' COLUMNS (id bigint PATH '$')) AS w
STRAIGHT_JOIN {table}_receipt AS r FORCE INDEX (PRIMARY) ON r.id = w.id
ORDER BY r.id, r.consumer
