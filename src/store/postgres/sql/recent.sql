SELECT h.horizon, f.feed, f.id
FROM (
    SELECT ((pg_snapshot_xmin(pg_current_snapshot())::text::bigint + {base}) << {bits}) - 1 AS horizon
) h
LEFT JOIN LATERAL (
    SELECT f.feed, f.id FROM {s}.feed f WHERE f.feed > $1 ORDER BY f.feed DESC LIMIT $2
) f ON true
