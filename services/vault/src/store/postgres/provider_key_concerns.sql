SELECT provider_keys.*, coalesce(accounts.id, projects.id, '') AS owner_id
FROM provider_keys
    LEFT JOIN accounts ON accounts.uid = owner_uid AND owner_kind IN (1, 2)
    LEFT JOIN projects ON projects.uid = owner_uid AND owner_kind = 3
WHERE provider_keys.uid > $4 AND (
    secret_time <= $2
    OR (expire_time > $1 AND expire_time <= $3)
    OR (enabled AND coalesce(expire_time > $1, true) AND failing_since IS NOT NULL)
)
ORDER BY provider_keys.uid
LIMIT $5
