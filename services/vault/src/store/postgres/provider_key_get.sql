SELECT provider_keys.*, coalesce(accounts.id, projects.id, '') AS owner_id
FROM provider_keys
    LEFT JOIN accounts ON accounts.uid = owner_uid AND owner_kind IN (1, 2)
    LEFT JOIN projects ON projects.uid = owner_uid AND owner_kind = 3
WHERE owner_kind = $1 AND owner_uid = $2 AND provider_keys.uid = $3
