-- Writes one route.
-- Index: primary key. Concurrency: behind lock_routes.
INSERT INTO waybill_route (message_type, destination, consumers, confirm_deadline, ordering, dispatch, version)
VALUES ($1, $2, $3, $4, $5, $6, (SELECT COALESCE(MAX(version), 0) + 1 FROM waybill_route))
ON CONFLICT (message_type) DO UPDATE SET
  destination = excluded.destination, consumers = excluded.consumers, confirm_deadline = excluded.confirm_deadline,
  ordering = excluded.ordering, dispatch = excluded.dispatch, version = excluded.version
