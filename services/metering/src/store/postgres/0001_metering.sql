-- Metering's schema; the same tables and columns as in SQLite, and what partitions need besides.
-- Amounts are nano-credits, times milliseconds since 1970.
--
-- Usage records and transfers lie in partitions by `day`: that of the time in their ids, which are
-- UUIDv7, counted from 1970; day 0 is of ids without a time. So what is old is dropped as a whole,
-- and an id that comes again always meets itself, because uniqueness needs the partition's key. There
-- are no references to accounts: they would lock the rows of those that everybody moves.

-- Balances: projections of `transfer`, moved in the transaction that inserts the transfers. Room is
-- left on each page, so that they move without touching an index. The platform's own are apart, in as
-- many rows as there are writers, so that none waits for another.
CREATE TABLE account (
    name TEXT NOT NULL PRIMARY KEY,
    balance BIGINT NOT NULL,
    held BIGINT NOT NULL,
    leased BIGINT NOT NULL,
    frozen BOOLEAN NOT NULL,
    CONSTRAINT account_held_not_negative CHECK (held >= 0),
    CONSTRAINT account_leased_not_negative CHECK (leased >= 0)
) WITH (fillfactor = 50);

CREATE TABLE platform_balance (
    name TEXT NOT NULL,
    shard INTEGER NOT NULL,
    balance BIGINT NOT NULL,
    CONSTRAINT platform_balance_pk PRIMARY KEY (name, shard)
) WITH (fillfactor = 10);

INSERT INTO platform_balance (name, shard, balance)
    SELECT name, shard, 0
    FROM unnest(ARRAY['platform/grants', 'platform/revenue', 'platform/absorbed',
        'platform/breakage']) AS names (name), generate_series(0, 7) AS shards (shard);

-- What is left of a grant or refund. Empty ones are gone.
CREATE TABLE lot (
    account TEXT NOT NULL,
    lot_id UUID NOT NULL,
    remaining BIGINT NOT NULL,
    priority BIGINT NOT NULL,
    expire_ms BIGINT,
    CONSTRAINT lot_pk PRIMARY KEY (account, lot_id),
    CONSTRAINT lot_remaining_positive CHECK (remaining > 0)
) WITH (fillfactor = 50);

CREATE INDEX lot_by_expiry ON lot (expire_ms) WHERE expire_ms IS NOT NULL;

-- What may be spent in each calendar period, on what fits all that is given. What was spent is in
-- budget_period, which outlives its budget: open holds may still be charged to it.
CREATE TABLE budget (
    budget_id UUID NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    account_name TEXT NOT NULL,
    amount BIGINT NOT NULL,
    period TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    action TEXT NOT NULL,
    user_id TEXT,
    project_id TEXT,
    access_key_id TEXT,
    model TEXT,
    tag TEXT,
    revision BIGINT NOT NULL,
    create_ms BIGINT NOT NULL,
    update_ms BIGINT NOT NULL,
    CONSTRAINT budget_amount_not_negative CHECK (amount >= 0),
    CONSTRAINT budget_period_known CHECK (period IN ('hour', 'day', 'week', 'month')),
    CONSTRAINT budget_action_known CHECK (action IN ('block', 'notify'))
);

CREATE INDEX budget_by_account ON budget (account, budget_id);

CREATE TABLE budget_period (
    budget_id UUID NOT NULL,
    start_ms BIGINT NOT NULL,
    amount_limit BIGINT NOT NULL,
    spent BIGINT NOT NULL,
    held BIGINT NOT NULL,
    CONSTRAINT budget_period_pk PRIMARY KEY (budget_id, start_ms),
    CONSTRAINT budget_period_held_not_negative CHECK (held >= 0)
) WITH (fillfactor = 50);

CREATE INDEX budget_period_by_start ON budget_period (start_ms);

CREATE TABLE hold (
    hold_id UUID NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    user_uid TEXT NOT NULL,
    organization_uid TEXT NOT NULL,
    project_uid TEXT NOT NULL,
    access_key_id TEXT NOT NULL,
    inference_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    amount BIGINT NOT NULL,
    charge_cap BIGINT,
    price_version BIGINT NOT NULL,
    prices JSON NOT NULL,
    markup_basis_points BIGINT NOT NULL,
    state TEXT NOT NULL,
    create_ms BIGINT NOT NULL,
    expire_ms BIGINT NOT NULL,
    user_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    -- Budgets that it is held in: [[budget, period's start, whether it blocks], ...].
    budgets JSON NOT NULL,
    -- The event that it was charged for.
    event_id UUID,
    CONSTRAINT hold_amount_not_negative CHECK (amount >= 0),
    CONSTRAINT hold_charge_cap_not_negative CHECK (charge_cap >= 0),
    CONSTRAINT hold_state_known CHECK (state IN ('open', 'settled', 'void', 'expired'))
) WITH (fillfactor = 80);

CREATE INDEX hold_open_by_expiry ON hold (expire_ms) WHERE state = 'open';

-- Until when closed holds were removed: what budgets' periods that began before it have spent can be
-- proven no more.
CREATE TABLE hold_forgotten (
    until_ms BIGINT NOT NULL CONSTRAINT hold_forgotten_pk PRIMARY KEY
);

-- What is lent to routers. Ended ones stay: settles under them may come late.
CREATE TABLE lease (
    lease_id UUID NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    router UUID NOT NULL,
    start BIGINT NOT NULL,
    price_version BIGINT NOT NULL,
    markup_basis_points BIGINT NOT NULL,
    granted BIGINT NOT NULL,
    returned BIGINT NOT NULL,
    remaining BIGINT NOT NULL,
    state TEXT NOT NULL,
    create_ms BIGINT NOT NULL,
    expire_ms BIGINT NOT NULL,
    CONSTRAINT lease_remaining_not_negative CHECK (remaining >= 0),
    CONSTRAINT lease_state_known CHECK (state IN ('open', 'ended')),
    CONSTRAINT lease_ended_is_empty CHECK (state = 'open' OR remaining = 0)
) WITH (fillfactor = 50);

CREATE INDEX lease_open_by_account ON lease (account) WHERE state = 'open';
CREATE INDEX lease_open_by_expiry ON lease (expire_ms) WHERE state = 'open';

-- What meterings that share this store tell each other of the routers that hold from leases. Nothing
-- of it outlives a crash of the database, nor has to: writing it waits for no disk.

-- Which routers are connected to each metering: one row a metering, replaced as it goes.
CREATE UNLOGGED TABLE lease_watch (
    metering UUID NOT NULL CONSTRAINT lease_watch_pk PRIMARY KEY,
    routers UUID[] NOT NULL,
    -- Of the same routers, in the same order.
    starts BIGINT[] NOT NULL,
    stated TIMESTAMPTZ NOT NULL
);

-- What somebody asks of a router that is connected to another metering; `in_flight` is there once it
-- is done.
CREATE UNLOGGED TABLE lease_mark (
    mark_id UUID NOT NULL CONSTRAINT lease_mark_pk PRIMARY KEY,
    router UUID NOT NULL,
    start BIGINT NOT NULL,
    kind TEXT NOT NULL,
    account TEXT,
    taken_by UUID,
    in_flight BIGINT,
    asked TIMESTAMPTZ NOT NULL
);

CREATE INDEX lease_mark_by_router ON lease_mark (router, start) WHERE in_flight IS NULL;

CREATE SEQUENCE transfer_sequence;

-- `account` is the customer's; the other side follows from the kind. A charge's id follows from its
-- event's, so that no event moves money twice.
CREATE TABLE transfer (
    day INTEGER NOT NULL,
    transfer_id UUID NOT NULL,
    sequence BIGINT NOT NULL DEFAULT nextval('transfer_sequence'),
    kind TEXT NOT NULL,
    account TEXT NOT NULL,
    amount BIGINT NOT NULL,
    overrun BIGINT NOT NULL,
    late BOOLEAN NOT NULL,
    event_id UUID,
    inference_id TEXT NOT NULL,
    request_id TEXT,
    note TEXT NOT NULL,
    post_ms BIGINT NOT NULL,
    CONSTRAINT transfer_pk PRIMARY KEY (day, transfer_id),
    CONSTRAINT transfer_amount_positive CHECK (amount > 0),
    CONSTRAINT transfer_overrun_within CHECK (overrun BETWEEN 0 AND amount),
    CONSTRAINT transfer_kind_known CHECK (kind IN ('grant', 'charge', 'absorbed', 'refund', 'expiry')),
    CONSTRAINT transfer_asked_has_request
        CHECK ((kind IN ('grant', 'refund')) = (request_id IS NOT NULL)),
    CONSTRAINT transfer_usage_has_event
        CHECK ((kind IN ('charge', 'absorbed', 'refund')) = (event_id IS NOT NULL))
) PARTITION BY RANGE (day);

CREATE INDEX transfer_by_account ON transfer (account, sequence);

CREATE FUNCTION transfer_refuse_change() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'transfers are immutable';
END
$$;

CREATE TRIGGER transfer_never_changed BEFORE UPDATE OR DELETE ON transfer
    FOR EACH ROW EXECUTE FUNCTION transfer_refuse_change();
CREATE TRIGGER transfer_never_emptied BEFORE TRUNCATE ON transfer
    FOR EACH STATEMENT EXECUTE FUNCTION transfer_refuse_change();

-- Both sides of every transfer: what they add up to is what accounts have.
CREATE VIEW entry (day, account, amount) AS
    SELECT day, CASE kind WHEN 'absorbed' THEN 'platform/revenue' ELSE account END,
        CASE WHEN kind IN ('charge', 'expiry') THEN -amount ELSE amount END
    FROM transfer
    UNION ALL
    SELECT day, CASE kind
            WHEN 'grant' THEN 'platform/grants'
            WHEN 'absorbed' THEN 'platform/absorbed'
            WHEN 'expiry' THEN 'platform/breakage'
            ELSE 'platform/revenue'
        END,
        CASE WHEN kind IN ('charge', 'expiry') THEN amount ELSE -amount END
    FROM transfer;

-- What transfers added to each account whose partitions were dropped: with it balances can still be
-- proven.
CREATE TABLE transfer_carried (
    account TEXT NOT NULL CONSTRAINT transfer_carried_pk PRIMARY KEY,
    amount BIGINT NOT NULL
);

-- Where what was asked for under an idempotency key is, once for all partitions.
CREATE TABLE posting (
    account TEXT NOT NULL,
    request_id TEXT NOT NULL,
    day INTEGER NOT NULL,
    transfer_id UUID NOT NULL,
    CONSTRAINT posting_pk PRIMARY KEY (account, request_id)
);

-- What of an event's charge was given back, in whichever partitions.
CREATE TABLE refunded (
    event_id UUID NOT NULL CONSTRAINT refunded_pk PRIMARY KEY,
    day INTEGER NOT NULL,
    amount BIGINT NOT NULL
);

-- In which partitions an account's transfers of a day are, and from which number on: so that a page
-- of them looks into few.
CREATE TABLE transfer_day (
    account TEXT NOT NULL,
    post_day INTEGER NOT NULL,
    day INTEGER NOT NULL,
    first_sequence BIGINT NOT NULL,
    CONSTRAINT transfer_day_pk PRIMARY KEY (account, post_day, day)
);

CREATE SEQUENCE usage_record_sequence;

-- One row for each attempt that reached a provider. `event` is the whole message; the columns
-- beside it are what is searched and summed.
CREATE TABLE usage_record (
    day INTEGER NOT NULL,
    event_id UUID NOT NULL,
    sequence BIGINT NOT NULL DEFAULT nextval('usage_record_sequence'),
    inference_id TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    client_request_id TEXT NOT NULL,
    account TEXT NOT NULL,
    user_uid TEXT NOT NULL,
    organization_uid TEXT NOT NULL,
    project_uid TEXT NOT NULL,
    access_key_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    key_source BIGINT NOT NULL,
    provider_key_id TEXT NOT NULL,
    status BIGINT NOT NULL,
    hold_id UUID,
    list_cost BIGINT,
    charge BIGINT NOT NULL,
    absorbed BIGINT NOT NULL,
    price_version BIGINT NOT NULL,
    markup_basis_points BIGINT NOT NULL,
    record_ms BIGINT NOT NULL,
    event BYTEA NOT NULL,
    -- When it was dispatched.
    start_ms BIGINT NOT NULL,
    user_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    tags JSON NOT NULL,
    CONSTRAINT usage_record_pk PRIMARY KEY (day, event_id),
    CONSTRAINT usage_record_charge_not_negative CHECK (charge >= 0),
    CONSTRAINT usage_record_absorbed_not_negative CHECK (absorbed >= 0),
    CONSTRAINT usage_record_list_cost_not_negative CHECK (list_cost >= 0)
) PARTITION BY RANGE (day);

CREATE INDEX usage_record_by_time ON usage_record (account, start_ms, sequence);
CREATE INDEX usage_record_by_sequence ON usage_record (sequence);
CREATE INDEX usage_record_by_inference ON usage_record (inference_id, attempt);
CREATE INDEX usage_record_by_client_request ON usage_record (client_request_id)
    WHERE client_request_id <> '';

-- In which partitions an account's records of a day are: the time in an id is that of whoever made
-- it, and need not be that of the dispatch.
CREATE TABLE usage_day (
    account TEXT NOT NULL,
    start_day INTEGER NOT NULL,
    day INTEGER NOT NULL,
    CONSTRAINT usage_day_pk PRIMARY KEY (account, start_day, day)
);

-- What records counted whose partitions were dropped, and which those were.
CREATE TABLE usage_carried (
    account TEXT NOT NULL CONSTRAINT usage_carried_pk PRIMARY KEY,
    attempts BIGINT NOT NULL,
    list_cost BIGINT NOT NULL,
    charge BIGINT NOT NULL
);

CREATE TABLE partition_dropped (
    day INTEGER NOT NULL CONSTRAINT partition_dropped_pk PRIMARY KEY
);

-- Makes the partitions of a day, where there are none. They are made apart and then attached, which
-- stops nobody who reads or writes.
CREATE FUNCTION partition_make(wanted INTEGER) RETURNS BOOLEAN LANGUAGE plpgsql AS $$
DECLARE
    parent TEXT;
    part TEXT;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('keyward_metering.partitions', 0));
    FOREACH parent IN ARRAY ARRAY['usage_record', 'transfer'] LOOP
        part := parent || '_' || wanted;
        IF to_regclass(part) IS NULL THEN
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)',
                part, parent);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                parent, part, wanted, wanted + 1);
        END IF;
    END LOOP;
    RETURN true;
END
$$;

-- Drops the partitions of a day, and carries what its transfers added to each account.
CREATE FUNCTION partition_drop(unwanted INTEGER) RETURNS BOOLEAN LANGUAGE plpgsql AS $$
DECLARE
    transfers TEXT := 'transfer_' || unwanted;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('keyward_metering.partitions', 0));
    IF to_regclass(transfers) IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('LOCK TABLE %I, %I IN SHARE ROW EXCLUSIVE MODE', transfers,
        'usage_record_' || unwanted);
    INSERT INTO transfer_carried (account, amount)
        SELECT account, sum(amount)::bigint FROM entry WHERE day = unwanted
        GROUP BY account ORDER BY account
        ON CONFLICT (account) DO UPDATE SET amount = transfer_carried.amount + excluded.amount;
    INSERT INTO usage_carried (account, attempts, list_cost, charge)
        SELECT account, count(*), coalesce(sum(list_cost), 0)::bigint, sum(charge)::bigint
        FROM usage_record WHERE day = unwanted GROUP BY account ORDER BY account
        ON CONFLICT (account) DO UPDATE
        SET attempts = usage_carried.attempts + excluded.attempts,
            list_cost = usage_carried.list_cost + excluded.list_cost,
            charge = usage_carried.charge + excluded.charge;
    INSERT INTO partition_dropped (day) VALUES (unwanted) ON CONFLICT DO NOTHING;
    EXECUTE format('DROP TABLE %I', transfers);
    EXECUTE format('DROP TABLE %I', 'usage_record_' || unwanted);
    DELETE FROM transfer_day WHERE day = unwanted;
    DELETE FROM usage_day WHERE day = unwanted;
    DELETE FROM posting WHERE day = unwanted;
    DELETE FROM refunded WHERE day = unwanted;
    RETURN true;
END
$$;

SELECT partition_make(0);

-- Events that contradict what is stored: kept aside for people to look at, never counted.
CREATE TABLE quarantine (
    sequence BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    event_id TEXT NOT NULL,
    hold_id UUID,
    reason TEXT NOT NULL,
    body BYTEA NOT NULL,
    quarantine_ms BIGINT NOT NULL
);

-- The same thing sent again and again is kept once; a body is too long for an index.
CREATE UNIQUE INDEX quarantine_body_unique ON quarantine (event_id, reason, sha256(body));

CREATE TABLE tier (
    name TEXT NOT NULL PRIMARY KEY,
    markup_basis_points BIGINT NOT NULL,
    organization_keys BOOLEAN NOT NULL,
    requests_per_minute BIGINT,
    tokens_per_minute BIGINT,
    concurrency BIGINT,
    -- Counts up with every change.
    revision BIGINT NOT NULL DEFAULT 1,
    create_ms BIGINT NOT NULL DEFAULT (extract(epoch FROM now()) * 1000)::bigint,
    update_ms BIGINT NOT NULL DEFAULT (extract(epoch FROM now()) * 1000)::bigint,
    CONSTRAINT tier_markup_not_negative CHECK (markup_basis_points >= 0),
    CONSTRAINT tier_requests_positive CHECK (requests_per_minute > 0),
    CONSTRAINT tier_tokens_positive CHECK (tokens_per_minute > 0),
    CONSTRAINT tier_concurrency_positive CHECK (concurrency > 0)
);

INSERT INTO tier (name, markup_basis_points, organization_keys) VALUES
    ('trial', 1500, false),
    ('starter', 1000, false),
    ('professional', 500, false),
    ('enterprise', 0, true);

-- Answers to changes, for those who ask again under the same id.
CREATE TABLE answer (
    caller TEXT NOT NULL,
    method TEXT NOT NULL,
    request_id TEXT NOT NULL,
    request BYTEA NOT NULL,
    answer BYTEA NOT NULL,
    answer_ms BIGINT NOT NULL,
    CONSTRAINT answer_unique PRIMARY KEY (caller, method, request_id)
);

CREATE INDEX answer_by_time ON answer (answer_ms);

-- A version never changes. How it differs from the one before is counted when it is installed.
CREATE TABLE price_book (
    version BIGINT NOT NULL PRIMARY KEY,
    create_ms BIGINT NOT NULL,
    prices BIGINT NOT NULL,
    added BIGINT NOT NULL,
    removed BIGINT NOT NULL,
    changed BIGINT NOT NULL
);

-- One row, once there is a version: `active` is in force, `catalog` has the prices of the catalogue
-- that came last.
CREATE TABLE price_active (
    slot BIGINT NOT NULL CONSTRAINT price_active_pk PRIMARY KEY,
    active BIGINT NOT NULL CONSTRAINT price_active_known REFERENCES price_book (version),
    catalog BIGINT NOT NULL CONSTRAINT price_active_of_catalog REFERENCES price_book (version),
    CONSTRAINT price_active_once CHECK (slot = 1)
);

CREATE TABLE price (
    version BIGINT NOT NULL CONSTRAINT price_version_known REFERENCES price_book (version),
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    prices JSON NOT NULL,
    CONSTRAINT price_unique PRIMARY KEY (version, provider, model)
);

-- Sums by the hour, kept in the transaction of each record. `hour` counts from 1970 in UTC.
-- `own_key_list_cost` is that of attempts which delivered.
CREATE TABLE usage_hour (
    account TEXT NOT NULL,
    hour BIGINT NOT NULL,
    user_uid TEXT NOT NULL,
    user_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    key_source BIGINT NOT NULL,
    provider_key_id TEXT NOT NULL,
    requests BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    failed_attempts BIGINT NOT NULL,
    unpriced_attempts BIGINT NOT NULL,
    list_cost BIGINT NOT NULL,
    charge BIGINT NOT NULL,
    own_key_list_cost BIGINT NOT NULL,
    input_tokens BIGINT NOT NULL,
    cache_read_tokens BIGINT NOT NULL,
    cache_write_5m_tokens BIGINT NOT NULL,
    cache_write_1h_tokens BIGINT NOT NULL,
    input_audio_tokens BIGINT NOT NULL,
    input_image_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    reasoning_tokens BIGINT NOT NULL,
    output_audio_tokens BIGINT NOT NULL,
    output_image_tokens BIGINT NOT NULL,
    searches BIGINT NOT NULL,
    images BIGINT NOT NULL,
    audio_ms BIGINT NOT NULL,
    characters BIGINT NOT NULL,
    CONSTRAINT usage_hour_unique PRIMARY KEY (account, hour, user_uid, user_id, project_id,
        provider, model, key_source, provider_key_id)
) WITH (fillfactor = 50);

-- The same by tag: a record counts once for each of its tags, and once with an empty name if it has
-- none.
CREATE TABLE usage_hour_tag (
    tag_name TEXT NOT NULL,
    tag_value TEXT NOT NULL,
    LIKE usage_hour,
    CONSTRAINT usage_hour_tag_unique PRIMARY KEY (account, hour, tag_name, tag_value, user_uid,
        user_id, project_id, provider, model, key_source, provider_key_id)
) WITH (fillfactor = 50);

-- Both by the day (UTC), kept in the same transaction: a month is read as thirty rows of a kind.
-- `hour` is the first of the day.
CREATE TABLE usage_sum_day (
    LIKE usage_hour,
    CONSTRAINT usage_sum_day_unique PRIMARY KEY (account, hour, user_uid, user_id, project_id,
        provider, model, key_source, provider_key_id)
) WITH (fillfactor = 50);

CREATE TABLE usage_sum_day_tag (
    LIKE usage_hour_tag,
    CONSTRAINT usage_sum_day_tag_unique PRIMARY KEY (account, hour, tag_name, tag_value, user_uid,
        user_id, project_id, provider, model, key_source, provider_key_id)
) WITH (fillfactor = 50);

-- What accounts should know of without asking. One for each occasion: whoever finds it out again
-- writes nothing.
CREATE TABLE notice (
    sequence BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    notice_id TEXT NOT NULL CONSTRAINT notice_id_unique UNIQUE,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    rule TEXT NOT NULL,
    period TEXT NOT NULL,
    threshold BIGINT NOT NULL,
    subject TEXT NOT NULL,
    message TEXT NOT NULL,
    data TEXT NOT NULL,
    create_ms BIGINT NOT NULL,
    CONSTRAINT notice_once UNIQUE (account, rule, period, threshold)
);

CREATE INDEX notice_by_account ON notice (account, sequence);
CREATE INDEX notice_by_time ON notice (create_ms);

-- Where notices are sent. `kinds` are names between commas, `,low_balance,key_failing,`, or nothing
-- for all. The secret signs what is sent there and is good for nothing else.
CREATE TABLE webhook (
    webhook_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    account_name TEXT NOT NULL,
    url TEXT NOT NULL,
    kinds TEXT NOT NULL,
    label TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    secret TEXT,
    revision BIGINT NOT NULL,
    create_ms BIGINT NOT NULL,
    update_ms BIGINT NOT NULL,
    success_ms BIGINT,
    failure_ms BIGINT,
    failure TEXT NOT NULL,
    -- Nothing is sent before: something is under way, or failed a moment ago.
    rest_until_ms BIGINT NOT NULL,
    test_ms BIGINT NOT NULL
);

CREATE INDEX webhook_by_account ON webhook (account, webhook_id);

-- What is to be sent, and what was: a row for each notice and webhook, written with the notice.
CREATE TABLE outbox (
    outbox_id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    notice_id TEXT NOT NULL
        CONSTRAINT outbox_notice REFERENCES notice (notice_id) ON DELETE CASCADE,
    webhook_id TEXT COLLATE "C" NOT NULL
        CONSTRAINT outbox_webhook REFERENCES webhook (webhook_id) ON DELETE CASCADE,
    state TEXT NOT NULL,
    tries BIGINT NOT NULL,
    due_ms BIGINT NOT NULL,
    create_ms BIGINT NOT NULL,
    end_ms BIGINT,
    CONSTRAINT outbox_once UNIQUE (notice_id, webhook_id),
    CONSTRAINT outbox_state_known CHECK (state IN ('waiting', 'delivered', 'failed'))
);

CREATE INDEX outbox_due ON outbox (due_ms) WHERE state = 'waiting';
CREATE INDEX outbox_by_webhook ON outbox (webhook_id, outbox_id);
