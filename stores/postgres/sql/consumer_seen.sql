-- Keeps the newest send time that a consumer confirmed, and its retention as last announced. Per row: $1 types,
-- $2 consumers, $3 send times, $4 retentions in seconds.
-- Index: primary key. Concurrency: in the order of types and consumers, so that two batches cannot lock each other out.
INSERT INTO waybill_consumer AS c (message_type, consumer, confirmed_sent, retention)
SELECT * FROM unnest($1, $2, $3, $4)
ON CONFLICT (message_type, consumer) DO UPDATE SET
  confirmed_sent = GREATEST(c.confirmed_sent, excluded.confirmed_sent), retention = excluded.retention
