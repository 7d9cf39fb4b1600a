UPDATE provider_keys SET
    label = $5,
    masked = $6,
    fingerprint = $7,
    enabled = $8,
    health = $9,
    health_reason = $10,
    version = $11,
    weight = $12,
    update_time = $13,
    expire_time = $14,
    revision = $15,
    record = coalesce($16, record),
    secret_time = $17,
    failing_since = $18
WHERE owner_kind = $1 AND owner_uid = $2 AND uid = $3 AND revision = $4
