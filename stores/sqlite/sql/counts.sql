-- Rows per state, also of states outside the closed set.
-- Index: none; a scan of the table, for operators. Concurrency: a reader of a snapshot.
SELECT state, COUNT(*) FROM {table} GROUP BY state ORDER BY state
