INSERT INTO {s}.instance (id, opened, seen) VALUES ($1, clock_timestamp(), clock_timestamp())
ON CONFLICT (id) DO UPDATE SET seen = excluded.seen
