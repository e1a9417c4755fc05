-- Rows per state, also of states outside the closed set: how many, since when, and how many did not change for 7 days.
-- Index: none; a scan of the table, for operators. Concurrency: a reader of a snapshot.
SELECT state, COUNT(*), MIN(gmt_create), COUNT(IF(gmt_modified < utc_timestamp(6) - INTERVAL 7 DAY, 1, NULL))
FROM {table} GROUP BY state ORDER BY state
