-- The database's clock.
SELECT utc_timestamp(6)
