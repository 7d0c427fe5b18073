SELECT id FROM {s}.operation
WHERE status = 1 AND type = $1 AND id > $2 AND written < clock_timestamp() - make_interval(secs => $3)
ORDER BY id
LIMIT $4
