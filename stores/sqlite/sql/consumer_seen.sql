-- Keeps the newest send time that a consumer confirmed, and its retention as last announced.
-- Index: primary key. Concurrency: inside BEGIN IMMEDIATE; one statement a batch and type.
INSERT INTO waybill_consumer (message_type, consumer, confirmed_sent, retention) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (message_type, consumer) DO UPDATE SET
  confirmed_sent = MAX(confirmed_sent, excluded.confirmed_sent), retention = excluded.retention
