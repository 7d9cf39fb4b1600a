INSERT INTO provider_keys (
    uid, owner_kind, owner_uid, provider, label, masked, fingerprint, enabled, health,
    health_reason, version, base_url, endpoint, api_version, deployments, skip_format_check, weight,
    origin, create_time, update_time, secret_time, failing_since, expire_time, revision, record,
    state_mac, allowed_models, allowed_users
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
    $22, $23, $24, $25, $26, $27, $28
)
