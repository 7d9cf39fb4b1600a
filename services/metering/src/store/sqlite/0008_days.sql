-- Sums by the day (UTC), beside those by the hour and kept in the same transaction: a month is read
-- as thirty rows of a kind. `hour` is the first of the day, counted from 1970.
CREATE TABLE usage_sum_day (
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
    CONSTRAINT usage_sum_day_unique PRIMARY KEY
        (account, hour, user_uid, user_id, project_id, provider, model, key_source, provider_key_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_sum_day_tag (
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
    CONSTRAINT usage_sum_day_tag_unique PRIMARY KEY
        (account, hour, tag_name, tag_value, user_uid, user_id, project_id, provider, model,
        key_source, provider_key_id)
) STRICT, WITHOUT ROWID;

-- What was recorded before. A figure that no longer fits stays at the highest that does.
INSERT INTO usage_sum_day (
    account, hour, user_uid, user_id, project_id, provider, model, key_source, provider_key_id,
    requests, attempts, failed_attempts, unpriced_attempts, list_cost, charge, own_key_list_cost,
    input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
    input_audio_tokens, input_image_tokens, output_tokens, reasoning_tokens, output_audio_tokens,
    output_image_tokens, searches, images, audio_ms, characters)
SELECT
    account, hour - ((hour % 24) + 24) % 24, user_uid, user_id, project_id, provider, model,
    key_source, provider_key_id, requests, attempts, failed_attempts, unpriced_attempts, list_cost,
    charge, own_key_list_cost, input_tokens, cache_read_tokens, cache_write_5m_tokens,
    cache_write_1h_tokens, input_audio_tokens, input_image_tokens, output_tokens, reasoning_tokens,
    output_audio_tokens, output_image_tokens, searches, images, audio_ms, characters
FROM usage_hour WHERE true
ON CONFLICT DO UPDATE SET
    requests = requests + min(excluded.requests, 9223372036854775807 - requests),
    attempts = attempts + min(excluded.attempts, 9223372036854775807 - attempts),
    failed_attempts = failed_attempts
        + min(excluded.failed_attempts, 9223372036854775807 - failed_attempts),
    unpriced_attempts = unpriced_attempts
        + min(excluded.unpriced_attempts, 9223372036854775807 - unpriced_attempts),
    list_cost = list_cost + min(excluded.list_cost, 9223372036854775807 - list_cost),
    charge = charge + min(excluded.charge, 9223372036854775807 - charge),
    own_key_list_cost = own_key_list_cost
        + min(excluded.own_key_list_cost, 9223372036854775807 - own_key_list_cost),
    input_tokens = input_tokens + min(excluded.input_tokens, 9223372036854775807 - input_tokens),
    cache_read_tokens = cache_read_tokens
        + min(excluded.cache_read_tokens, 9223372036854775807 - cache_read_tokens),
    cache_write_5m_tokens = cache_write_5m_tokens
        + min(excluded.cache_write_5m_tokens, 9223372036854775807 - cache_write_5m_tokens),
    cache_write_1h_tokens = cache_write_1h_tokens
        + min(excluded.cache_write_1h_tokens, 9223372036854775807 - cache_write_1h_tokens),
    input_audio_tokens = input_audio_tokens
        + min(excluded.input_audio_tokens, 9223372036854775807 - input_audio_tokens),
    input_image_tokens = input_image_tokens
        + min(excluded.input_image_tokens, 9223372036854775807 - input_image_tokens),
    output_tokens = output_tokens
        + min(excluded.output_tokens, 9223372036854775807 - output_tokens),
    reasoning_tokens = reasoning_tokens
        + min(excluded.reasoning_tokens, 9223372036854775807 - reasoning_tokens),
    output_audio_tokens = output_audio_tokens
        + min(excluded.output_audio_tokens, 9223372036854775807 - output_audio_tokens),
    output_image_tokens = output_image_tokens
        + min(excluded.output_image_tokens, 9223372036854775807 - output_image_tokens),
    searches = searches + min(excluded.searches, 9223372036854775807 - searches),
    images = images + min(excluded.images, 9223372036854775807 - images),
    audio_ms = audio_ms + min(excluded.audio_ms, 9223372036854775807 - audio_ms),
    characters = characters + min(excluded.characters, 9223372036854775807 - characters);

INSERT INTO usage_sum_day_tag (
    account, hour, tag_name, tag_value, user_uid, user_id, project_id, provider, model, key_source,
    provider_key_id, requests, attempts, failed_attempts, unpriced_attempts, list_cost, charge,
    own_key_list_cost, input_tokens, cache_read_tokens, cache_write_5m_tokens,
    cache_write_1h_tokens, input_audio_tokens, input_image_tokens, output_tokens, reasoning_tokens,
    output_audio_tokens, output_image_tokens, searches, images, audio_ms, characters)
SELECT
    account, hour - ((hour % 24) + 24) % 24, tag_name, tag_value, user_uid, user_id, project_id,
    provider, model, key_source, provider_key_id, requests, attempts, failed_attempts,
    unpriced_attempts, list_cost, charge, own_key_list_cost, input_tokens, cache_read_tokens,
    cache_write_5m_tokens, cache_write_1h_tokens, input_audio_tokens, input_image_tokens,
    output_tokens, reasoning_tokens, output_audio_tokens, output_image_tokens, searches, images,
    audio_ms, characters
FROM usage_hour_tag WHERE true
ON CONFLICT DO UPDATE SET
    requests = requests + min(excluded.requests, 9223372036854775807 - requests),
    attempts = attempts + min(excluded.attempts, 9223372036854775807 - attempts),
    failed_attempts = failed_attempts
        + min(excluded.failed_attempts, 9223372036854775807 - failed_attempts),
    unpriced_attempts = unpriced_attempts
        + min(excluded.unpriced_attempts, 9223372036854775807 - unpriced_attempts),
    list_cost = list_cost + min(excluded.list_cost, 9223372036854775807 - list_cost),
    charge = charge + min(excluded.charge, 9223372036854775807 - charge),
    own_key_list_cost = own_key_list_cost
        + min(excluded.own_key_list_cost, 9223372036854775807 - own_key_list_cost),
    input_tokens = input_tokens + min(excluded.input_tokens, 9223372036854775807 - input_tokens),
    cache_read_tokens = cache_read_tokens
        + min(excluded.cache_read_tokens, 9223372036854775807 - cache_read_tokens),
    cache_write_5m_tokens = cache_write_5m_tokens
        + min(excluded.cache_write_5m_tokens, 9223372036854775807 - cache_write_5m_tokens),
    cache_write_1h_tokens = cache_write_1h_tokens
        + min(excluded.cache_write_1h_tokens, 9223372036854775807 - cache_write_1h_tokens),
    input_audio_tokens = input_audio_tokens
        + min(excluded.input_audio_tokens, 9223372036854775807 - input_audio_tokens),
    input_image_tokens = input_image_tokens
        + min(excluded.input_image_tokens, 9223372036854775807 - input_image_tokens),
    output_tokens = output_tokens
        + min(excluded.output_tokens, 9223372036854775807 - output_tokens),
    reasoning_tokens = reasoning_tokens
        + min(excluded.reasoning_tokens, 9223372036854775807 - reasoning_tokens),
    output_audio_tokens = output_audio_tokens
        + min(excluded.output_audio_tokens, 9223372036854775807 - output_audio_tokens),
    output_image_tokens = output_image_tokens
        + min(excluded.output_image_tokens, 9223372036854775807 - output_image_tokens),
    searches = searches + min(excluded.searches, 9223372036854775807 - searches),
    images = images + min(excluded.images, 9223372036854775807 - images),
    audio_ms = audio_ms + min(excluded.audio_ms, 9223372036854775807 - audio_ms),
    characters = characters + min(excluded.characters, 9223372036854775807 - characters);
