    SELECT (CASE WHEN coalesce(own.last, low.feed - 1) + 1 < low.feed + (1 << {bits})
        THEN (coalesce(own.last, low.feed - 1) + 1)::text
        ELSE 'a transaction makes at most 2^{bits} changes' END)::bigint AS feed
    FROM (SELECT (pg_current_xact_id()::text::bigint + {base}) << {bits} AS feed) low,
        LATERAL (
            SELECT max(f.feed) AS last FROM {s}.feed f
            WHERE f.feed >= low.feed AND f.feed < low.feed + (1 << {bits})
        ) own
