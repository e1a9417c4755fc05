-- Deletes final rows: $1 ids, $2 age in ms. Answers which; their side rows go after them, in the same transaction.
-- Index: primary key; `state || ''` as in mark.
-- Concurrency: looks at each row under its lock, and leaves out what somebody else has locked.
DELETE FROM {table} WHERE id = ANY(ARRAY(
  SELECT id FROM {table}
  WHERE id = ANY($1) AND state || '' IN ('SUCCESS', 'CANCELLED') AND gmt_modified < now() - $2 * interval '1 millisecond'
  FOR UPDATE SKIP LOCKED))
RETURNING id
