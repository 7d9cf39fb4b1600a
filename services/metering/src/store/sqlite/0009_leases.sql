-- What is lent to routers: `leased` is what of it is neither charged nor given back.
ALTER TABLE account ADD COLUMN leased INTEGER NOT NULL DEFAULT 0
    CONSTRAINT account_leased_not_negative CHECK (leased >= 0);

CREATE TABLE lease (
    lease_id BLOB NOT NULL,
    account TEXT NOT NULL,
    router BLOB NOT NULL,
    start INTEGER NOT NULL,
    price_version INTEGER NOT NULL,
    markup_basis_points INTEGER NOT NULL,
    granted INTEGER NOT NULL,
    returned INTEGER NOT NULL,
    remaining INTEGER NOT NULL,
    state TEXT NOT NULL,
    create_ms INTEGER NOT NULL,
    expire_ms INTEGER NOT NULL,
    CONSTRAINT lease_unique PRIMARY KEY (lease_id),
    CONSTRAINT lease_remaining_not_negative CHECK (remaining >= 0),
    CONSTRAINT lease_state_known CHECK (state IN ('open', 'ended')),
    CONSTRAINT lease_ended_is_empty CHECK (state = 'open' OR remaining = 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX lease_open_by_account ON lease (account) WHERE state = 'open';
CREATE INDEX lease_open_by_expiry ON lease (expire_ms) WHERE state = 'open';
