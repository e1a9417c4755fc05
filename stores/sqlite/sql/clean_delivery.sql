-- Deletes the delivery row of a deleted message. Index: primary key. Concurrency: as its transaction.
DELETE FROM {table}_delivery WHERE id = ?1
