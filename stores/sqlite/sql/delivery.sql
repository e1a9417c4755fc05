-- Writes the delivery row of a message that leaves the happy path, before its state changes: the old state tells
-- when it was first accepted. ?2 next attempt (modifier of 'now', NULL = none), ?3 accepted now, ?4 sends, ?5 refusals,
-- ?6 epoch (each added), ?7 reason, ?8 it starts anew (replay): refusals and the horizon count from here.
-- Index: primary keys. Concurrency: inside BEGIN IMMEDIATE, in the transaction of the mark.
INSERT INTO {table}_delivery
  (id, message_type, partition_key, next_attempt_at, first_accepted_at, sends, refusals, epoch, reason)
SELECT m.id, m.message_type,
       CASE WHEN json_valid({headers}) THEN json_extract({headers}, '$.key') END,
       CASE WHEN ?2 IS NOT NULL THEN strftime('%Y-%m-%d %H:%M:%f', 'now', ?2) END,
       CASE WHEN ?8 THEN NULL
            WHEN m.state IN ('SENT', 'SUCCESS') THEN m.gmt_modified
            WHEN ?3 THEN strftime('%Y-%m-%d %H:%M:%f', 'now') END,
       ?4 + (m.state IN ('SENT', 'SUCCESS')), ?5, ?6, ?7
FROM {table} AS m
WHERE m.id = ?1
ON CONFLICT (id) DO UPDATE SET
  next_attempt_at = excluded.next_attempt_at,
  first_accepted_at = CASE WHEN NOT ?8 THEN COALESCE(first_accepted_at, excluded.first_accepted_at) END,
  sends = sends + ?4,
  refusals = CASE WHEN ?8 THEN 0 ELSE refusals END + ?5,
  epoch = epoch + ?6,
  reason = COALESCE(?7, reason)
