    SELECT (pg_current_xact_id()::text::bigint + {base}) << {bits} AS feed,
        set_config('lock_timeout', {timeout}, true) AS patience,
        CASE WHEN {durable} AND current_setting('synchronous_commit') = 'off'
            THEN set_config('synchronous_commit', 'on', true) END AS durable
