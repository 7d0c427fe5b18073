WITH turn AS MATERIALIZED (
    SELECT CASE WHEN (SELECT count(*) FROM (SELECT FROM {s}.tally LIMIT $1) t) >= $1
        THEN pg_try_advisory_xact_lock({lock}) ELSE false END AS mine
),
taken AS (
    DELETE FROM {s}.tally USING turn WHERE turn.mine
    RETURNING type, not_started, running, completed, failed
)
INSERT INTO {s}.tally (type, not_started, running, completed, failed)
SELECT type, sum(not_started), sum(running), sum(completed), sum(failed)
FROM taken
GROUP BY type
HAVING sum(not_started) <> 0 OR sum(running) <> 0 OR sum(completed) <> 0 OR sum(failed) <> 0
