WITH state AS MATERIALIZED (
    SELECT m.purged, pg_snapshot_xmin(s.now)::text::bigint AS oldest, pg_snapshot_xmax(s.now)::text::bigint AS newest,
        ((pg_snapshot_xmin(s.now)::text::bigint + m.base) << {bits}) - 1 AS horizon
    FROM {s}.meta m, (SELECT pg_current_snapshot() AS now) s
),
item AS (
    SELECT f.feed, o.id, o.record
    FROM {s}.feed f JOIN {s}.operation o ON o.id = f.id AND o.feed = f.feed
    WHERE f.feed > $1 AND f.feed <= (SELECT horizon FROM state)
    ORDER BY f.feed
    LIMIT $2
)
SELECT state.purged, state.horizon, item.feed, item.id, item.record, state.oldest, state.newest
FROM state LEFT JOIN item ON true
ORDER BY item.feed
