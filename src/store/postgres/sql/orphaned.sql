WITH RECURSIVE held AS (
    SELECT min(o.holder) AS holder FROM {s}.operation o WHERE o.status = 1 AND o.holder IS NOT NULL
    UNION ALL
    SELECT (SELECT min(o.holder) FROM {s}.operation o WHERE o.status = 1 AND o.holder > held.holder)
    FROM held
    WHERE held.holder IS NOT NULL
),
dead AS MATERIALIZED (
    SELECT held.holder FROM held
    WHERE held.holder IS NOT NULL AND NOT EXISTS (
        SELECT FROM {s}.instance i
        WHERE i.id = held.holder AND i.seen >= clock_timestamp() - make_interval(secs => $3)
    )
)
SELECT o.id
FROM dead, LATERAL (
    SELECT o.id FROM {s}.operation o
    WHERE o.status = 1 AND o.holder = dead.holder AND o.id > $1
    ORDER BY o.id
    LIMIT $2
) o
ORDER BY o.id
LIMIT $2
