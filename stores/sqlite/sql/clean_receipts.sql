-- Deletes the receipts of a deleted message. Index: primary key. Concurrency: as its transaction.
DELETE FROM {table}_receipt WHERE id = ?1
