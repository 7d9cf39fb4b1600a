-- When the secret that a key holds now was stored, and since when its provider has refused it. For
-- keys from before there were these, the earliest and the latest that is known of them.

ALTER TABLE provider_keys ADD COLUMN secret_time BIGINT NOT NULL DEFAULT 0;
ALTER TABLE provider_keys ADD COLUMN failing_since BIGINT;

UPDATE provider_keys SET
    secret_time = CASE WHEN version = 1 THEN create_time ELSE update_time END,
    failing_since = CASE WHEN health IN (2, 3) THEN update_time END;
