SELECT id, record FROM {s}.operation WHERE unique_key = $1 AND status IN (0, 1)
