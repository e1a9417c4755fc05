-- The next rows in id order: id, whether it may be deleted, whether it is too young for that by its creation already.
-- $1 id, $2 most rows, $3 age in ms.
-- Index: primary key. Concurrency: a reader of a snapshot; clean.sql looks again.
SELECT id, (state IN ('SUCCESS', 'CANCELLED') AND gmt_modified < now() - $3 * interval '1 millisecond')::int,
       (gmt_create >= now() - $3 * interval '1 millisecond')::int
FROM {table} WHERE id > $1 ORDER BY id LIMIT $2
