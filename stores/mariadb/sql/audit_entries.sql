-- What operators did to one row, oldest first.
-- Index: waybill_audit_row. Concurrency: a reader of a snapshot.
SELECT gmt_create, operator, action, state_before, reason FROM waybill_audit
WHERE message_table = '{table}' AND message_row = ?1
ORDER BY id
