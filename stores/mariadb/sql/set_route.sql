-- Writes one route.
-- Index: primary key. Concurrency: behind lock_routes.
INSERT INTO waybill_route (message_type, destination, consumers, confirm_deadline, ordering, dispatch, version)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, COALESCE(MAX(r.version), 0) + 1 FROM waybill_route AS r
ON DUPLICATE KEY UPDATE
  destination = VALUES(destination), consumers = VALUES(consumers), confirm_deadline = VALUES(confirm_deadline),
  ordering = VALUES(ordering), dispatch = VALUES(dispatch), version = VALUES(version)
