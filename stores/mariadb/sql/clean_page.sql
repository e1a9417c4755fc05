-- The next rows in id order: id, whether it may be deleted, whether it is too young for that by its creation already.
-- ?1 id, ?2 most rows, ?3 age in ms.
-- Index: primary key. Concurrency: a reader of a snapshot; clean_lock looks again.
SELECT m.id, m.state IN ('SUCCESS', 'CANCELLED') AND m.gmt_modified < utc_timestamp(6) - INTERVAL ?3 * 1000 MICROSECOND,
       m.gmt_create >= utc_timestamp(6) - INTERVAL ?3 * 1000 MICROSECOND
FROM {table} AS m {by_id} WHERE m.id > ?1 ORDER BY m.id LIMIT ?2
