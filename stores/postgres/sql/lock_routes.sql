-- Lets one writer of routes work at a time, so that versions only grow.
LOCK TABLE waybill_route IN SHARE ROW EXCLUSIVE MODE
