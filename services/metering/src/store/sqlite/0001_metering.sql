-- Amounts are nano-credits, times milliseconds since 1970, ids UUIDs as text.

-- Balances: projections of `transfer`, moved in the transaction that inserts the transfers.
CREATE TABLE account (
    name TEXT NOT NULL PRIMARY KEY,
    balance INTEGER NOT NULL,
    held INTEGER NOT NULL,
    CONSTRAINT account_held_not_negative CHECK (held >= 0)
) STRICT, WITHOUT ROWID;

INSERT INTO account (name, balance, held) VALUES
    ('platform/grants', 0, 0),
    ('platform/revenue', 0, 0),
    ('platform/absorbed', 0, 0);

CREATE TABLE hold (
    hold_id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL REFERENCES account (name),
    user_uid TEXT NOT NULL,
    organization_uid TEXT NOT NULL,
    project_uid TEXT NOT NULL,
    access_key_id TEXT NOT NULL,
    inference_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    amount INTEGER NOT NULL,
    charge_cap INTEGER,
    price_version INTEGER NOT NULL,
    prices TEXT NOT NULL,
    markup_basis_points INTEGER NOT NULL,
    state TEXT NOT NULL,
    create_ms INTEGER NOT NULL,
    expire_ms INTEGER NOT NULL,
    CONSTRAINT hold_amount_not_negative CHECK (amount >= 0),
    CONSTRAINT hold_charge_cap_not_negative CHECK (charge_cap >= 0),
    CONSTRAINT hold_state_known CHECK (state IN ('open', 'settled', 'void', 'expired'))
) STRICT, WITHOUT ROWID;

CREATE INDEX hold_open_by_expiry ON hold (expire_ms) WHERE state = 'open';

-- One row carries both sides, so debits equal credits by construction.
CREATE TABLE transfer (
    sequence INTEGER PRIMARY KEY,
    transfer_id TEXT NOT NULL,
    debit_account TEXT NOT NULL REFERENCES account (name),
    credit_account TEXT NOT NULL REFERENCES account (name),
    amount INTEGER NOT NULL,
    kind TEXT NOT NULL,
    event_id TEXT,
    inference_id TEXT NOT NULL,
    request_id TEXT,
    note TEXT NOT NULL,
    post_ms INTEGER NOT NULL,
    CONSTRAINT transfer_id_unique UNIQUE (transfer_id),
    CONSTRAINT transfer_event_unique UNIQUE (event_id, kind),
    CONSTRAINT transfer_grant_unique UNIQUE (credit_account, request_id),
    CONSTRAINT transfer_amount_positive CHECK (amount > 0),
    CONSTRAINT transfer_between_two CHECK (debit_account <> credit_account),
    CONSTRAINT transfer_kind_known CHECK (kind IN ('grant', 'charge', 'absorbed')),
    CONSTRAINT transfer_grant_has_request CHECK ((kind = 'grant') = (request_id IS NOT NULL)),
    CONSTRAINT transfer_charge_has_event CHECK ((kind = 'grant') = (event_id IS NULL))
) STRICT;

CREATE INDEX transfer_by_debit ON transfer (debit_account, sequence);
CREATE INDEX transfer_by_credit ON transfer (credit_account, sequence);

CREATE TRIGGER transfer_never_updated BEFORE UPDATE ON transfer
BEGIN SELECT RAISE(ABORT, 'transfers are immutable'); END;

CREATE TRIGGER transfer_never_deleted BEFORE DELETE ON transfer
BEGIN SELECT RAISE(ABORT, 'transfers are immutable'); END;

-- One row for each attempt that reached a provider. `event` is the whole message; the columns
-- beside it are what is searched and summed.
CREATE TABLE usage_record (
    sequence INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL,
    inference_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    client_request_id TEXT NOT NULL,
    account TEXT NOT NULL,
    user_uid TEXT NOT NULL,
    organization_uid TEXT NOT NULL,
    project_uid TEXT NOT NULL,
    access_key_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    key_source INTEGER NOT NULL,
    provider_key_id TEXT NOT NULL,
    status INTEGER NOT NULL,
    hold_id TEXT,
    list_cost INTEGER,
    charge INTEGER NOT NULL,
    absorbed INTEGER NOT NULL,
    price_version INTEGER NOT NULL,
    markup_basis_points INTEGER NOT NULL,
    record_ms INTEGER NOT NULL,
    event BLOB NOT NULL,
    CONSTRAINT usage_record_event_unique UNIQUE (event_id),
    CONSTRAINT usage_record_charge_not_negative CHECK (charge >= 0),
    CONSTRAINT usage_record_absorbed_not_negative CHECK (absorbed >= 0),
    CONSTRAINT usage_record_list_cost_not_negative CHECK (list_cost >= 0)
) STRICT;

CREATE INDEX usage_record_by_account ON usage_record (account, sequence);
CREATE INDEX usage_record_by_inference ON usage_record (inference_id, attempt);
CREATE INDEX usage_record_by_client_request ON usage_record (client_request_id);

-- Events that contradict what is stored: kept aside for people to look at, never counted.
CREATE TABLE quarantine (
    sequence INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL,
    hold_id TEXT,
    reason TEXT NOT NULL,
    body BLOB NOT NULL,
    quarantine_ms INTEGER NOT NULL,
    -- The same thing sent again and again is kept once.
    CONSTRAINT quarantine_body_unique UNIQUE (event_id, reason, body)
) STRICT;

CREATE TABLE tier (
    name TEXT NOT NULL PRIMARY KEY,
    markup_basis_points INTEGER NOT NULL,
    organization_keys INTEGER NOT NULL,
    CONSTRAINT tier_markup_not_negative CHECK (markup_basis_points >= 0),
    CONSTRAINT tier_organization_keys_boolean CHECK (organization_keys IN (0, 1))
) STRICT, WITHOUT ROWID;

INSERT INTO tier (name, markup_basis_points, organization_keys) VALUES
    ('trial', 1500, 0),
    ('starter', 1000, 0),
    ('professional', 500, 0),
    ('enterprise', 0, 1);

CREATE TABLE price_book (
    version INTEGER NOT NULL PRIMARY KEY,
    create_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE price (
    version INTEGER NOT NULL REFERENCES price_book (version),
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    prices TEXT NOT NULL,
    CONSTRAINT price_unique PRIMARY KEY (version, provider, model)
) STRICT, WITHOUT ROWID;
