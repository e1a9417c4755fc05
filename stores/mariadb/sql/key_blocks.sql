-- The rows of one ordered type that hold back later rows of their keys: those that wait for another attempt, stand behind
-- such a row, or are dead; with ?2 (ordering = confirmed) also those that wait for their confirmation.
-- Index: that of (state, message_type, id), then primary keys.
-- Concurrency: a reader of a snapshot; the engine asks again while a key is held back.
SELECT m.id, d.partition_key, m.state, d.epoch, d.first_accepted_at IS NOT NULL
FROM {table} AS m {by_fresh}
STRAIGHT_JOIN {table}_delivery AS d ON d.id = m.id
WHERE m.state IN ('RETRY', 'PARKED', 'DEAD') AND m.message_type = ?1
  AND d.partition_key IS NOT NULL AND (?2 OR d.first_accepted_at IS NULL)
UNION ALL
SELECT m.id, JSON_VALUE({headers}, '$.key'), m.state, 0, 1
FROM {table} AS m {by_fresh}
WHERE ?2 AND m.state = 'SENT' AND m.message_type = ?1 AND JSON_VALUE({headers}, '$.key') IS NOT NULL
ORDER BY 1
LIMIT ?3
