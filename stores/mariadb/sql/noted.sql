-- Which of these messages have an earlier note that was never taken back: ?1 consumer, ?2 message ids.
-- Index: primary key. Concurrency: in one transaction with note_attempts.
SELECT a.message_id
FROM JSON_TABLE(?2, '$[*]' COLUMNS (message_id varchar(768) CHARACTER SET ascii PATH '$[0]')) AS w
STRAIGHT_JOIN waybill_attempt AS a ON a.consumer = ?1 AND a.message_id = w.message_id
