UPDATE provider_keys SET
    label = :label,
    masked = :masked,
    fingerprint = :fingerprint,
    enabled = :enabled,
    health = :health,
    health_reason = :health_reason,
    version = :version,
    weight = :weight,
    update_time = :update_time,
    secret_time = :secret_time,
    failing_since = :failing_since,
    expire_time = :expire_time,
    revision = :next,
    record = coalesce(:record, record)
WHERE owner_kind = :owner_kind AND owner_uid = :owner_uid AND uid = :uid AND revision = :revision
