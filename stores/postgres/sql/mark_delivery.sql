-- Any other arrow, with the delivery rows that it writes. $1 fence, $2 holder; per row $3 ids, $4 epochs, $5 next attempt in ms from
-- now, $6 reasons ('' = keep); for all $7 accepted now, $8 sends, $9 refusals, $10 epochs (each added), $11 it starts anew.
-- Index: primary keys, as in mark. Concurrency: behind lock, so that `past` is what the row was until now; answers which rows changed.
WITH changed AS (
  UPDATE {table} AS m SET state = '{to}', gmt_modified = now()
  FROM unnest($3, $4, $5, $6) AS w(id, epoch, due_in, reason)
  JOIN {table} AS past ON past.id = w.id
  LEFT JOIN {table}_delivery AS d ON d.id = w.id
  WHERE m.id = w.id AND m.state || '' = '{from}' AND COALESCE(d.epoch, 0) = w.epoch{fence}
  RETURNING m.id, m.message_type, waybill_key({headers}) AS partition_key, past.gmt_modified AS since, w.due_in, w.reason)
INSERT INTO {table}_delivery AS d
  (id, message_type, partition_key, next_attempt_at, first_accepted_at, sends, refusals, epoch, reason)
SELECT id, message_type, partition_key,
       CASE WHEN '{to}' = 'RETRY' THEN now() + due_in * interval '1 millisecond' END,
       CASE WHEN $11 THEN NULL
            WHEN '{from}' IN ('SENT', 'SUCCESS') THEN since
            WHEN $7 THEN now() END,
       $8 + ('{from}' IN ('SENT', 'SUCCESS'))::int, $9, $10, NULLIF(reason, '')
FROM changed
ON CONFLICT (id) DO UPDATE SET
  next_attempt_at = excluded.next_attempt_at,
  first_accepted_at = CASE WHEN NOT $11 THEN COALESCE(d.first_accepted_at, excluded.first_accepted_at) END,
  sends = d.sends + $8,
  refusals = CASE WHEN $11 THEN 0 ELSE d.refusals END + $9,
  epoch = d.epoch + $10,
  reason = COALESCE(excluded.reason, d.reason)
RETURNING id
