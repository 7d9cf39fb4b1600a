SELECT provider_keys.*, coalesce(accounts.id, projects.id, '') AS owner_id
FROM provider_keys
    LEFT JOIN accounts ON accounts.uid = owner_uid AND owner_kind IN (1, 2)
    LEFT JOIN projects ON projects.uid = owner_uid AND owner_kind = 3
WHERE owner_kind = :owner_kind AND owner_uid = :owner_uid AND provider_keys.uid < :below
ORDER BY provider_keys.uid DESC
LIMIT :limit
