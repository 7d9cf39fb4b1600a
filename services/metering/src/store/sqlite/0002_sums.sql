-- Sums by the hour, kept in the transaction of each record, so that what a query costs does not
-- grow with the number of records; and what records are searched by.

-- When it was dispatched. NULL marks records from before there were sums, which are not in them
-- yet: the program adds them when it opens the store, and sets this.
ALTER TABLE usage_record ADD COLUMN start_ms INTEGER;
ALTER TABLE usage_record ADD COLUMN user_id TEXT NOT NULL DEFAULT '';
ALTER TABLE usage_record ADD COLUMN project_id TEXT NOT NULL DEFAULT '';
-- A JSON object.
ALTER TABLE usage_record ADD COLUMN tags TEXT NOT NULL DEFAULT '{}';

DROP INDEX usage_record_by_account;
CREATE INDEX usage_record_by_time ON usage_record (account, start_ms, sequence);
CREATE INDEX usage_record_not_summed ON usage_record (sequence) WHERE start_ms IS NULL;

ALTER TABLE hold ADD COLUMN user_id TEXT NOT NULL DEFAULT '';
ALTER TABLE hold ADD COLUMN project_id TEXT NOT NULL DEFAULT '';

-- `hour` counts from 1970 in UTC. `own_key_list_cost` is that of attempts which delivered.
CREATE TABLE usage_hour (
    account TEXT NOT NULL,
    hour INTEGER NOT NULL,
    user_uid TEXT NOT NULL,
    user_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    key_source INTEGER NOT NULL,
    provider_key_id TEXT NOT NULL,
    requests INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    failed_attempts INTEGER NOT NULL,
    unpriced_attempts INTEGER NOT NULL,
    list_cost INTEGER NOT NULL,
    charge INTEGER NOT NULL,
    own_key_list_cost INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL,
    input_audio_tokens INTEGER NOT NULL,
    input_image_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    output_audio_tokens INTEGER NOT NULL,
    output_image_tokens INTEGER NOT NULL,
    searches INTEGER NOT NULL,
    images INTEGER NOT NULL,
    audio_ms INTEGER NOT NULL,
    characters INTEGER NOT NULL,
    CONSTRAINT usage_hour_unique PRIMARY KEY (account, hour, user_uid, user_id, project_id,
        provider, model, key_source, provider_key_id)
) STRICT, WITHOUT ROWID;

-- The same by tag: a record counts once for each of its tags, and once with an empty name if it has
-- none.
CREATE TABLE usage_hour_tag (
    account TEXT NOT NULL,
    hour INTEGER NOT NULL,
    tag_name TEXT NOT NULL,
    tag_value TEXT NOT NULL,
    user_uid TEXT NOT NULL,
    user_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    key_source INTEGER NOT NULL,
    provider_key_id TEXT NOT NULL,
    requests INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    failed_attempts INTEGER NOT NULL,
    unpriced_attempts INTEGER NOT NULL,
    list_cost INTEGER NOT NULL,
    charge INTEGER NOT NULL,
    own_key_list_cost INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL,
    input_audio_tokens INTEGER NOT NULL,
    input_image_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    output_audio_tokens INTEGER NOT NULL,
    output_image_tokens INTEGER NOT NULL,
    searches INTEGER NOT NULL,
    images INTEGER NOT NULL,
    audio_ms INTEGER NOT NULL,
    characters INTEGER NOT NULL,
    CONSTRAINT usage_hour_tag_unique PRIMARY KEY (account, hour, tag_name, tag_value, user_uid,
        user_id, project_id, provider, model, key_source, provider_key_id)
) STRICT, WITHOUT ROWID;
