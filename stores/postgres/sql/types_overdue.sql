-- The types that have SENT rows, by jumping from type to type (loose index scan).
-- Index: {table}_overdue; one look-up a type.
-- Concurrency: a reader of a snapshot.
WITH RECURSIVE present(message_type) AS (
  SELECT MIN(message_type) FROM {table} WHERE state = 'SENT'
  UNION ALL
  SELECT (SELECT MIN(message_type) FROM {table} WHERE state = 'SENT' AND message_type > present.message_type)
  FROM present WHERE present.message_type IS NOT NULL
)
SELECT message_type FROM present WHERE message_type IS NOT NULL
