-- A row that left RETRY for good is not due any more.
-- Index: primary key. Concurrency: in the transaction of the mark.
UPDATE {table}_delivery SET next_attempt_at = NULL WHERE id = ?1
