-- Who took a parked message up again, and why.
-- Index: waybill_inbox_identity. Concurrency: in one transaction with parked, which found it.
INSERT INTO waybill_audit (operator, action, message_table, message_row, state_before, reason)
VALUES (?1, 'replay', 'waybill_inbox',
        COALESCE((SELECT position FROM waybill_inbox WHERE consumer = ?2 AND message_id = ?3), 0), 'failed', ?4)
