-- Rows per state, also of states outside the closed set: how many, since when, and how many did not change for 7 days.
-- Index: none; a scan of the table, for operators. Concurrency: a reader of a snapshot.
SELECT state, COUNT(*), MIN(gmt_create),
       SUM(CASE WHEN gmt_modified < strftime('%Y-%m-%d %H:%M:%f', 'now', '-7 days') THEN 1 ELSE 0 END)
FROM {table} GROUP BY state ORDER BY state
