-- The least that each process needs of the consumer's side, as roles; safe to repeat, as roles_producer.
CREATE ROLE IF NOT EXISTS waybill_consumer, waybill_console;
GRANT SELECT ON waybill_schema TO waybill_consumer, waybill_console;
GRANT SELECT, INSERT, UPDATE ON waybill_inbox TO waybill_consumer;
GRANT SELECT, INSERT, UPDATE ON waybill_parked TO waybill_consumer;
GRANT SELECT, INSERT, UPDATE, DELETE ON waybill_attempt TO waybill_consumer;
GRANT SELECT (id) ON waybill_audit TO waybill_consumer;
GRANT SELECT ON waybill_inbox TO waybill_console;
GRANT SELECT ON waybill_parked TO waybill_console;
GRANT SELECT (consumer) ON waybill_attempt TO waybill_console;
GRANT SELECT, INSERT ON waybill_audit TO waybill_console;
