-- The types that have RETRY rows, and those with rows that are parked or dead, by jumping from type to type (loose index
-- scan).
-- Index: {table}_due, {table}_stuck (both partial); one look-up a type and index.
-- Concurrency: a reader of a snapshot.
WITH RECURSIVE
due(message_type) AS (
  SELECT MIN(message_type) FROM {table}_delivery WHERE next_attempt_at IS NOT NULL
  UNION ALL
  SELECT (SELECT MIN(message_type) FROM {table}_delivery
          WHERE next_attempt_at IS NOT NULL AND message_type > due.message_type)
  FROM due WHERE due.message_type IS NOT NULL
),
stuck(message_type) AS (
  SELECT MIN(message_type) FROM {table} WHERE state IN ('PARKED', 'DEAD')
  UNION ALL
  SELECT (SELECT MIN(message_type) FROM {table}
          WHERE state IN ('PARKED', 'DEAD') AND message_type > stuck.message_type)
  FROM stuck WHERE stuck.message_type IS NOT NULL
)
SELECT message_type FROM due WHERE message_type IS NOT NULL
UNION
SELECT message_type FROM stuck WHERE message_type IS NOT NULL
