-- Messages are about to be handled: ?1 consumer, ?2 message ids.
-- Index: primary key. Concurrency: behind noted, in one transaction, before the handlers'.
INSERT INTO waybill_attempt (consumer, message_id, attempts)
SELECT ?1, w.message_id, 0
FROM JSON_TABLE(?2, '$[*]' COLUMNS (message_id varchar(768) CHARACTER SET ascii PATH '$[0]')) AS w
ON DUPLICATE KEY UPDATE attempts = waybill_attempt.attempts
