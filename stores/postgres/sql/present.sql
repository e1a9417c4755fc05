-- Which of these rows are there at all.
-- Index: primary key. Concurrency: a reader of a snapshot.
SELECT id FROM {table} WHERE id = ANY($1)
