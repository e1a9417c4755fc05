-- The receipts of these rows.
-- Index: primary key. Concurrency: as its transaction.
SELECT id, consumer, verdict, epoch, COALESCE(reason, ''), gmt_create FROM {table}_receipt
WHERE id = ANY($1) ORDER BY id, consumer
