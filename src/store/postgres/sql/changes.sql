WITH state AS MATERIALIZED (
    SELECT m.purged,
        ((pg_snapshot_xmin(pg_current_snapshot())::text::bigint + m.base) << {bits}) - 1 AS horizon,
        pg_snapshot_xmax(pg_current_snapshot())::text::bigint
            - pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS behind
    FROM {s}.meta m
),
item AS (
    SELECT f.feed, o.id, o.record
    FROM {s}.feed f JOIN {s}.operation o ON o.id = f.id AND o.feed = f.feed
    WHERE f.feed > $1 AND f.feed <= (SELECT horizon FROM state)
    ORDER BY f.feed
    LIMIT $2
)
SELECT state.purged, state.horizon, state.behind, item.feed, item.id, item.record
FROM state LEFT JOIN item ON true
ORDER BY item.feed
