-- The least that each process needs of the producer's side, as group roles; safe to repeat, by the tables' owner with CREATEROLE.
-- A login becomes a member of what its process does: GRANT waybill_relay TO shop_relay.
DO $$
DECLARE role_name text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['waybill_writer', 'waybill_sender', 'waybill_confirm', 'waybill_relay', 'waybill_console', 'waybill_cleaner'] LOOP
    IF to_regrole(role_name) IS NULL THEN EXECUTE format('CREATE ROLE %I NOLOGIN', role_name); END IF;
  END LOOP;
END $$;
GRANT SELECT ON waybill_schema, waybill_route
  TO waybill_writer, waybill_sender, waybill_confirm, waybill_relay, waybill_console, waybill_cleaner;
-- The business's own transactions.
GRANT SELECT, INSERT ON {table} TO waybill_writer;
-- A process with dispatch sync or async, beside waybill_writer: it marks what was acknowledged.
GRANT SELECT, UPDATE (state, gmt_modified) ON {table} TO waybill_sender;
GRANT SELECT ON {table}_delivery TO waybill_sender;
-- The process that serves the confirmation endpoint.
GRANT SELECT, UPDATE (state, gmt_modified) ON {table} TO waybill_confirm;
GRANT SELECT, INSERT, UPDATE ON {table}_delivery, {table}_receipt, waybill_consumer TO waybill_confirm;
GRANT SELECT, UPDATE (state, gmt_modified) ON {table} TO waybill_relay;
GRANT SELECT, INSERT, UPDATE ON {table}_delivery TO waybill_relay;
GRANT SELECT, UPDATE ON {table}_lease TO waybill_relay;
GRANT SELECT ON {table}_receipt, waybill_consumer TO waybill_relay;
-- Operators, and whoever sets routes.
GRANT SELECT, UPDATE (state, gmt_modified) ON {table} TO waybill_console;
GRANT SELECT, INSERT, UPDATE ON {table}_delivery, waybill_route TO waybill_console;
GRANT SELECT, INSERT ON waybill_audit TO waybill_console;
GRANT SELECT ON {table}_receipt, {table}_lease, waybill_consumer TO waybill_console;
-- Whoever runs waybill clean.
GRANT SELECT, DELETE ON {table}, {table}_delivery, {table}_receipt TO waybill_cleaner;
GRANT UPDATE (gmt_modified) ON {table} TO waybill_cleaner; -- to lock a row; PostgreSQL asks for it
GRANT SELECT ON {table}_lease, waybill_consumer, waybill_audit TO waybill_cleaner;
