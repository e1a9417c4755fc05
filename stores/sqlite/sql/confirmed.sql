-- The producer answered for this row as it was sent; a row that a duplicate reopened meanwhile stays pending.
-- Index: primary key. Concurrency: compare-and-set on what was confirmed.
UPDATE waybill_inbox SET confirmed_at = strftime('%Y-%m-%d %H:%M:%f', 'now')
WHERE position = ?1 AND consumer = ?2 AND epoch = ?3 AND verdict = ?4 AND COALESCE(sent_at, '') = ?5
