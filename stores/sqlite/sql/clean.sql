-- Deletes a final row: ?1 id, ?2 age. Its side rows go after it, in the same transaction.
-- Index: primary key. Concurrency: inside BEGIN IMMEDIATE; the caller checks the affected rows.
DELETE FROM {table}
WHERE id = ?1 AND state IN ('SUCCESS', 'CANCELLED') AND gmt_modified < strftime('%Y-%m-%d %H:%M:%f', 'now', ?2)
