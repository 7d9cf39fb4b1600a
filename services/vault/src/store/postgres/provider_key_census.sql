SELECT
    count(*) AS stored,
    count(*) FILTER (WHERE secret_time <= $2) AS rotation_due,
    count(*) FILTER (WHERE expire_time > $1 AND expire_time <= $4) AS expiring,
    count(*) FILTER (
        WHERE enabled AND coalesce(expire_time > $1, true)
            AND coalesce(last_used_time, create_time) <= $3
    ) AS unused,
    count(*) FILTER (
        WHERE enabled AND coalesce(expire_time > $1, true) AND failing_since IS NOT NULL
    ) AS failing
FROM provider_keys
