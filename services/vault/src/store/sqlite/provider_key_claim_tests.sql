UPDATE provider_keys SET test_claim_until = :until
WHERE uid IN (
    SELECT uid FROM (
        SELECT uid, failing_since,
            coalesce(last_tested_time, secret_time) AS tested,
            max(coalesce(last_tested_time, secret_time), coalesce(last_used_time, secret_time),
                secret_time) AS seen,
            max(coalesce(last_tested_time, secret_time), failing_since) AS refused
        FROM provider_keys
        WHERE enabled = 1 AND coalesce(expire_time > :now, 1)
            AND coalesce(test_claim_until <= :now, 1)
    )
    WHERE CASE
        WHEN failing_since IS NULL THEN :now - seen >= :interval
        ELSE :now - refused >= min(max(refused - failing_since, :retry_first), :interval)
    END
    ORDER BY tested, uid
    LIMIT :limit
)
RETURNING uid
