-- The messages set aside and not handled since, oldest first. A parameter that is NULL does not restrict.
-- Index: none for all of them, few rows, for operators; the primary keys for one. Concurrency: a reader of a snapshot.
SELECT p.message_id, p.message_type, p.body, p.reason, p.epoch, p.attempts, p.gmt_create, p.consumer,
       p.partition_key, p.traceparent
FROM waybill_parked AS p
LEFT JOIN waybill_inbox AS i ON i.consumer = p.consumer AND i.message_id = p.message_id
WHERE ($1 IS NULL OR p.consumer = $1) AND ($2 IS NULL OR p.message_id = $2)
  AND COALESCE(i.verdict, 'failed') = 'failed'
ORDER BY p.gmt_create, p.message_id, p.consumer
LIMIT $3
