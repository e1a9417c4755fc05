-- Rows per state, also of states outside the closed set: how many, since when, and how many did not change for 7 days.
-- Index: none; a scan of the table, for operators. Concurrency: a reader of a snapshot.
SELECT state, COUNT(*), MIN(gmt_create), COUNT(*) FILTER (WHERE gmt_modified < now() - interval '7 days')
FROM {table} GROUP BY state ORDER BY state
