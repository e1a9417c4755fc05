-- The next rows in id order: id, whether it may be deleted, whether it is too young for that by its creation already. ?1 id,
-- ?2 most rows, ?3 age.
-- Index: primary key. Concurrency: a reader of a snapshot; clean looks again.
SELECT id, state IN ('SUCCESS', 'CANCELLED') AND gmt_modified < strftime('%Y-%m-%d %H:%M:%f', 'now', ?3),
       gmt_create >= strftime('%Y-%m-%d %H:%M:%f', 'now', ?3)
FROM {table} WHERE id > ?1 ORDER BY id LIMIT ?2
