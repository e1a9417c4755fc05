-- Whether the lease is still ours: $1 fence, $2 holder; the statements behind this one compare again.
-- Index: primary key. Concurrency: a reader of a snapshot, in the transaction of the judgements.
SELECT 1 FROM {table}_lease WHERE id = 1 AND fence = $1 AND holder = $2
