SELECT type, sum(not_started)::bigint, sum(running)::bigint, sum(completed)::bigint, sum(failed)::bigint
FROM {s}.tally
GROUP BY type
