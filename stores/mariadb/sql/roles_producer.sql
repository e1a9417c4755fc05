-- The least that each process needs of the producer's side, as roles; safe to repeat, by whoever may create roles and grant on these
-- tables. A login has one default role: GRANT waybill_relay TO shop_relay; SET DEFAULT ROLE waybill_relay FOR shop_relay.
-- Where only a table's first column is granted, the session just sees by it that the table is there.
CREATE ROLE IF NOT EXISTS waybill_writer, waybill_sender, waybill_confirm, waybill_relay, waybill_console, waybill_cleaner;
GRANT SELECT ON waybill_schema TO waybill_writer, waybill_sender, waybill_confirm, waybill_relay, waybill_console, waybill_cleaner;
GRANT SELECT ON waybill_route TO waybill_writer, waybill_sender, waybill_confirm, waybill_relay, waybill_console, waybill_cleaner;
-- The business's own transactions.
GRANT SELECT, INSERT ON {table} TO waybill_writer;
GRANT SELECT (id) ON {table}_delivery TO waybill_writer;
GRANT SELECT (id) ON {table}_receipt TO waybill_writer, waybill_sender;
GRANT SELECT (id) ON {table}_lease TO waybill_writer, waybill_sender, waybill_confirm;
GRANT SELECT (message_type) ON waybill_consumer TO waybill_writer, waybill_sender;
GRANT SELECT (id) ON waybill_audit TO waybill_writer, waybill_sender, waybill_confirm, waybill_relay;
-- A process with dispatch sync or async, beside waybill_writer: it marks what was acknowledged.
GRANT SELECT, UPDATE (state, gmt_modified) ON {table} TO waybill_sender;
GRANT SELECT ON {table}_delivery TO waybill_sender;
-- The process that serves the confirmation endpoint.
GRANT SELECT, UPDATE (state, gmt_modified) ON {table} TO waybill_confirm;
GRANT SELECT, INSERT, UPDATE ON {table}_delivery TO waybill_confirm;
GRANT SELECT, INSERT, UPDATE ON {table}_receipt TO waybill_confirm;
GRANT SELECT, INSERT, UPDATE ON waybill_consumer TO waybill_confirm;
GRANT SELECT, UPDATE (state, gmt_modified) ON {table} TO waybill_relay;
GRANT SELECT, INSERT, UPDATE ON {table}_delivery TO waybill_relay;
GRANT SELECT, UPDATE ON {table}_lease TO waybill_relay;
GRANT SELECT ON {table}_receipt TO waybill_relay;
GRANT SELECT ON waybill_consumer TO waybill_relay;
-- Operators, and whoever sets routes.
GRANT SELECT, UPDATE (state, gmt_modified) ON {table} TO waybill_console;
GRANT SELECT, INSERT, UPDATE ON {table}_delivery TO waybill_console;
GRANT SELECT, INSERT, UPDATE ON waybill_route TO waybill_console;
GRANT SELECT, INSERT ON waybill_audit TO waybill_console;
GRANT SELECT ON {table}_receipt TO waybill_console;
GRANT SELECT ON {table}_lease TO waybill_console;
GRANT SELECT ON waybill_consumer TO waybill_console;
-- Whoever runs waybill clean.
GRANT SELECT, DELETE ON {table} TO waybill_cleaner;
GRANT SELECT, DELETE ON {table}_delivery TO waybill_cleaner;
GRANT SELECT, DELETE ON {table}_receipt TO waybill_cleaner;
GRANT SELECT (id) ON {table}_lease TO waybill_cleaner;
GRANT SELECT (id) ON waybill_audit TO waybill_cleaner;
GRANT SELECT ON waybill_consumer TO waybill_cleaner;
