SELECT
    count(*) AS stored,
    count(*) FILTER (WHERE secret_time <= :stored_by) AS rotation_due,
    count(*) FILTER (WHERE expire_time > :now AND expire_time <= :expires_by) AS expiring,
    count(*) FILTER (
        WHERE enabled = 1 AND coalesce(expire_time > :now, 1)
            AND coalesce(last_used_time, create_time) <= :used_by
    ) AS unused,
    count(*) FILTER (
        WHERE enabled = 1 AND coalesce(expire_time > :now, 1) AND failing_since IS NOT NULL
    ) AS failing
FROM provider_keys
