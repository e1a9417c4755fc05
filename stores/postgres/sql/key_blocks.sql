-- The rows of one ordered type that hold back later rows of their keys: those that wait for another attempt, stand behind
-- such a row, or are dead; with $2 (ordering = confirmed) also those that wait for their confirmation.
-- Index: {table}_due, {table}_stuck, {table}_overdue (all partial), then primary keys.
-- Concurrency: a reader of a snapshot; the engine asks again while a key is held back.
SELECT m.id, d.partition_key, m.state, d.epoch, d.first_accepted_at IS NOT NULL
FROM {table}_delivery AS d
JOIN {table} AS m ON m.id = d.id
WHERE d.message_type = $1 AND d.next_attempt_at IS NOT NULL AND m.state = 'RETRY'
  AND d.partition_key IS NOT NULL AND ($2 OR d.first_accepted_at IS NULL)
UNION ALL
SELECT m.id, d.partition_key, m.state, d.epoch, d.first_accepted_at IS NOT NULL
FROM {table} AS m
JOIN {table}_delivery AS d ON d.id = m.id
WHERE m.message_type = $1 AND m.state IN ('PARKED', 'DEAD')
  AND d.partition_key IS NOT NULL AND ($2 OR d.first_accepted_at IS NULL)
UNION ALL
SELECT m.id, waybill_key({headers}), m.state, 0, true
FROM {table} AS m
WHERE $2 AND m.state = 'SENT' AND m.message_type = $1 AND waybill_key({headers}) IS NOT NULL
ORDER BY 1
LIMIT $3
