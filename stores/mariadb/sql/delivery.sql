-- The delivery rows of an arrow, from the message rows as they are before it: ?1 rows of id, next attempt in ms from now and
-- reason ('' = keep). What the arrow writes is filled in.
-- Index: primary keys. Concurrency: behind lock, which found these rows in the arrow's state and epoch; the state follows in
-- the same transaction.
INSERT INTO {table}_delivery
  (id, message_type, partition_key, next_attempt_at, first_accepted_at, sends, refusals, epoch, reason)
SELECT m.id, m.message_type, JSON_VALUE({headers}, '$.key'),
       IF('{to}' = 'RETRY', utc_timestamp(6) + INTERVAL w.due_in * 1000 MICROSECOND, NULL),
       CASE WHEN {fresh} THEN NULL
            WHEN '{from}' IN ('SENT', 'SUCCESS') THEN m.gmt_modified
            WHEN {accepted} THEN utc_timestamp(6) END,
       {sends} + ('{from}' IN ('SENT', 'SUCCESS')), {refusals}, {epochs}, NULLIF(w.reason, '')
FROM JSON_TABLE(?1, '$[*]' COLUMNS (
  id bigint PATH '$[0]', due_in bigint PATH '$[1]', reason text CHARACTER SET utf8mb4 PATH '$[2]')) AS w
STRAIGHT_JOIN {table} AS m {by_id} ON m.id = w.id
ON DUPLICATE KEY UPDATE
  next_attempt_at = VALUES(next_attempt_at),
  first_accepted_at = IF({fresh}, NULL, COALESCE({table}_delivery.first_accepted_at, VALUES(first_accepted_at))),
  sends = {table}_delivery.sends + {sends},
  refusals = IF({fresh}, 0, {table}_delivery.refusals) + {refusals},
  epoch = {table}_delivery.epoch + {epochs},
  reason = COALESCE(VALUES(reason), {table}_delivery.reason)
