-- The least that each process needs of the consumer's side, as group roles; safe to repeat, by the tables' owner with CREATEROLE.
DO $$
DECLARE role_name text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['waybill_consumer', 'waybill_console'] LOOP
    IF to_regrole(role_name) IS NULL THEN EXECUTE format('CREATE ROLE %I NOLOGIN', role_name); END IF;
  END LOOP;
END $$;
GRANT SELECT ON waybill_schema TO waybill_consumer, waybill_console;
GRANT SELECT, INSERT, UPDATE ON waybill_inbox, waybill_parked TO waybill_consumer;
GRANT SELECT, INSERT, UPDATE, DELETE ON waybill_attempt TO waybill_consumer;
GRANT SELECT ON waybill_inbox, waybill_parked TO waybill_console;
GRANT SELECT, INSERT ON waybill_audit TO waybill_console;
