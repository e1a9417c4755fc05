-- The database's clock.
SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')
