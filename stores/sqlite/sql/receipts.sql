-- The receipts of one row.
-- Index: primary key. Concurrency: as its transaction.
SELECT consumer, verdict, epoch, COALESCE(reason, ''), gmt_create FROM {table}_receipt WHERE id = ?1 ORDER BY consumer
