-- How many RETRY rows may be published now; next_attempt_at is NULL in every other state.
-- Index: {table}_due, read whole. Concurrency: a reader of a snapshot.
SELECT COUNT(*) FROM {table}_delivery WHERE next_attempt_at IS NOT NULL AND next_attempt_at <= utc_timestamp(6)
