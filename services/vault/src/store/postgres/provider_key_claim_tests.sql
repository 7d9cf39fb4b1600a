UPDATE provider_keys SET test_claim_until = $4
WHERE uid IN (
    SELECT uid FROM provider_keys
        CROSS JOIN LATERAL (SELECT
            coalesce(last_tested_time, secret_time) AS tested,
            greatest(last_tested_time, last_used_time, secret_time) AS seen,
            greatest(coalesce(last_tested_time, secret_time), failing_since) AS refused
        ) AS times
    WHERE enabled AND coalesce(expire_time > $1, true) AND coalesce(test_claim_until <= $1, true)
        AND CASE
            WHEN failing_since IS NULL THEN $1 - seen >= $2
            ELSE $1 - refused >= least(greatest(refused - failing_since, $3), $2)
        END
    ORDER BY tested, uid
    LIMIT $5
    FOR UPDATE OF provider_keys SKIP LOCKED
)
RETURNING uid
