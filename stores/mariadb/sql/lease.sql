-- The lease as it is.
-- Index: primary key. Concurrency: a reader of a snapshot.
SELECT fence, counter, holder FROM {table}_lease WHERE id = 1
