SELECT record FROM {s}.operation WHERE id = $1 AND status >= 0
