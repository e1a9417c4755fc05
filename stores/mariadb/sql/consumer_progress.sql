-- How far every consumer has come. Few rows: one a type and consumer.
-- Index: none needed. Concurrency: a reader of a snapshot.
SELECT message_type, consumer, confirmed_sent, retention FROM waybill_consumer ORDER BY message_type, consumer
