-- Deletes the receipts of deleted messages: $1 ids. Index: primary key. Concurrency: a receipt is written only by who has
-- locked its message, so none comes after.
DELETE FROM {table}_receipt WHERE id = ANY($1)
