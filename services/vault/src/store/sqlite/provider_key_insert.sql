INSERT INTO provider_keys (
    uid, owner_kind, owner_uid, provider, label, masked, fingerprint, enabled, health,
    health_reason, version, base_url, endpoint, api_version, deployments, skip_format_check, weight,
    origin, create_time, update_time, secret_time, failing_since, expire_time, revision, record,
    state_mac, allowed_models, allowed_users
) VALUES (
    :uid, :owner_kind, :owner_uid, :provider, :label, :masked, :fingerprint, :enabled, :health,
    :health_reason, :version, :base_url, :endpoint, :api_version, :deployments, :skip_format_check,
    :weight, :origin, :create_time, :update_time, :secret_time, :failing_since, :expire_time, :revision, :record,
    :state_mac, :allowed_models, :allowed_users
)
