DELETE FROM {s}.instance WHERE id = $1 OR seen < clock_timestamp() - make_interval(days => 1)
