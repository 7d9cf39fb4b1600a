-- What a key may serve (patterns of models as a JSON list, users as a JSON list of their UUIDs and ids),
-- and until when a router has it for a test.

ALTER TABLE provider_keys ADD COLUMN allowed_models TEXT NOT NULL DEFAULT '[]';
ALTER TABLE provider_keys ADD COLUMN allowed_users TEXT NOT NULL DEFAULT '[]';
ALTER TABLE provider_keys ADD COLUMN test_claim_until INTEGER;
