WITH due AS MATERIALIZED (
    SELECT o.id, o.feed FROM {s}.operation o
    WHERE o.status = -1
        AND o.deleted < greatest(
            clock_timestamp() - make_interval(hours => 1) * $1,
            -- The newest one too many.
            (SELECT s.deleted FROM {s}.operation s WHERE s.status = -1 ORDER BY s.deleted DESC OFFSET $2 LIMIT 1)
        )
        -- Readers may not have seen more than this.
        AND o.feed < (pg_snapshot_xmin(pg_current_snapshot())::text::bigint + {base}) << {bits}
    ORDER BY o.deleted
    LIMIT $3
    FOR UPDATE SKIP LOCKED
),
gone AS (
    DELETE FROM {s}.operation o USING due WHERE o.id = due.id AND o.status = -1 RETURNING due.feed
),
unfed AS (
    DELETE FROM {s}.feed f USING gone WHERE f.feed = gone.feed
),
marked AS (
    UPDATE {s}.meta m SET purged = greatest(m.purged, p.feed)
    FROM (SELECT max(gone.feed) AS feed FROM gone) p
    WHERE p.feed IS NOT NULL
)
SELECT count(*) FROM gone
