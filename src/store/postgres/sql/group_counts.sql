SELECT type, count(*) FILTER (WHERE status = 0), count(*) FILTER (WHERE status = 1),
    count(*) FILTER (WHERE status = 2), count(*) FILTER (WHERE status = 3)
FROM {s}.operation
WHERE group_name = $1 AND status >= 0
GROUP BY type
