-- The age of the oldest unfinished row in milliseconds, or no row.
-- Index: none; a scan of the table, for operators. Concurrency: a reader of a snapshot.
SELECT CAST((julianday('now') - julianday(MIN(gmt_create))) * 86400000 AS INTEGER)
FROM {table} WHERE state IN ('INIT', 'SENT', 'RETRY', 'PARKED') HAVING COUNT(*) > 0
