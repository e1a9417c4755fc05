-- Whether a type with several consumers has, or had, receipts.
-- Index: none. Concurrency: as read_fresh.
SELECT 1 FROM {table}_receipt LIMIT 1
