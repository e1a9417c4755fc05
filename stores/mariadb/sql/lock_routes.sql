-- Lets one writer of routes work at a time, so that versions only grow. The version rows stand for the database: waybill_route
-- may be empty, and LOCK TABLES would end the transaction.
-- Index: primary key. Concurrency: held until the routes are committed.
SELECT part FROM waybill_schema ORDER BY part FOR UPDATE
