-- Deletes the delivery rows of deleted messages: $1 ids. Index: primary key. Concurrency: as its transaction.
DELETE FROM {table}_delivery WHERE id = ANY($1)
