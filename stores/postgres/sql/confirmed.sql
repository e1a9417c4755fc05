-- The producer answered for these rows as they were sent; a row that a duplicate reopened meanwhile stays pending.
-- $1 consumer; per row $2 positions, $3 epochs, $4 verdicts, $5 send times.
-- Index: primary key; the consumer is compared as an expression, because under stale statistics an index that begins with it
-- would be read from end to end. Concurrency: compare-and-set on what was confirmed.
UPDATE waybill_inbox AS i SET confirmed_at = now()
FROM unnest($2, $3, $4, $5) AS w(position, epoch, verdict, sent_at)
WHERE i.position = w.position AND i.consumer || '' = $1 AND i.epoch = w.epoch AND i.verdict = w.verdict
  AND COALESCE(i.sent_at, 'epoch') = w.sent_at
