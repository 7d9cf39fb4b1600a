SELECT provider_keys.*, coalesce(accounts.id, projects.id, '') AS owner_id
FROM provider_keys
    LEFT JOIN accounts ON accounts.uid = owner_uid AND owner_kind IN (1, 2)
    LEFT JOIN projects ON projects.uid = owner_uid AND owner_kind = 3
WHERE provider_keys.uid > :after AND (
    secret_time <= :stored_by
    OR (expire_time > :now AND expire_time <= :expires_by)
    OR (enabled = 1 AND coalesce(expire_time > :now, 1) AND failing_since IS NOT NULL)
)
ORDER BY provider_keys.uid
LIMIT :limit
