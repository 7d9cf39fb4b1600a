-- The ledger as it is written in batches: transfers by the account they are about, lots of credits
-- that burn in order and expire, budgets as accounts for each period.

ALTER TABLE account ADD COLUMN frozen INTEGER NOT NULL DEFAULT 0;

INSERT INTO account (name, balance, held) VALUES ('platform/breakage', 0, 0);

-- `account` is the customer's; the other side follows from the kind. A charge's id follows from its
-- event's, so that no event moves money twice.
CREATE TABLE ledger_transfer (
    sequence INTEGER PRIMARY KEY,
    transfer_id BLOB NOT NULL,
    kind TEXT NOT NULL,
    account TEXT NOT NULL,
    amount INTEGER NOT NULL,
    overrun INTEGER NOT NULL DEFAULT 0,
    late INTEGER NOT NULL DEFAULT 0,
    event_id BLOB,
    inference_id TEXT NOT NULL,
    request_id TEXT,
    note TEXT NOT NULL,
    post_ms INTEGER NOT NULL,
    CONSTRAINT transfer_id_unique UNIQUE (transfer_id),
    CONSTRAINT transfer_amount_positive CHECK (amount > 0),
    CONSTRAINT transfer_overrun_within CHECK (overrun BETWEEN 0 AND amount),
    CONSTRAINT transfer_kind_known CHECK (kind IN ('grant', 'charge', 'absorbed', 'refund', 'expiry')),
    CONSTRAINT transfer_asked_has_request CHECK ((kind IN ('grant', 'refund')) = (request_id IS NOT NULL)),
    CONSTRAINT transfer_usage_has_event CHECK ((kind IN ('charge', 'absorbed', 'refund')) = (event_id IS NOT NULL))
) STRICT;

INSERT INTO ledger_transfer (sequence, transfer_id, kind, account, amount, event_id, inference_id,
        request_id, note, post_ms)
    SELECT sequence, unhex(replace(transfer_id, '-', '')), kind,
        CASE kind
            WHEN 'grant' THEN credit_account
            WHEN 'charge' THEN debit_account
            ELSE (SELECT account FROM usage_record WHERE usage_record.event_id = transfer.event_id)
        END,
        amount, unhex(replace(event_id, '-', '')), inference_id, request_id, note, post_ms
    FROM transfer;

DROP TABLE transfer;
ALTER TABLE ledger_transfer RENAME TO transfer;

CREATE INDEX transfer_by_account ON transfer (account, sequence);
CREATE UNIQUE INDEX transfer_request_unique ON transfer (account, request_id)
    WHERE request_id IS NOT NULL;
CREATE INDEX transfer_refund_by_event ON transfer (event_id) WHERE kind = 'refund';

CREATE TRIGGER transfer_never_updated BEFORE UPDATE ON transfer
BEGIN SELECT RAISE(ABORT, 'transfers are immutable'); END;

CREATE TRIGGER transfer_never_deleted BEFORE DELETE ON transfer
BEGIN SELECT RAISE(ABORT, 'transfers are immutable'); END;

-- Both sides of every transfer: what they add up to is what accounts have.
CREATE VIEW entry (account, amount) AS
    SELECT CASE kind WHEN 'absorbed' THEN 'platform/revenue' ELSE account END,
        CASE WHEN kind IN ('charge', 'expiry') THEN -amount ELSE amount END
    FROM transfer
    UNION ALL
    SELECT CASE kind
            WHEN 'grant' THEN 'platform/grants'
            WHEN 'absorbed' THEN 'platform/absorbed'
            WHEN 'expiry' THEN 'platform/breakage'
            ELSE 'platform/revenue'
        END,
        CASE WHEN kind IN ('charge', 'expiry') THEN amount ELSE -amount END
    FROM transfer;

-- What is left of a grant or refund. Empty ones are gone.
CREATE TABLE lot (
    account TEXT NOT NULL,
    lot_id BLOB NOT NULL,
    remaining INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    expire_ms INTEGER,
    CONSTRAINT lot_unique PRIMARY KEY (account, lot_id),
    CONSTRAINT lot_remaining_positive CHECK (remaining > 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX lot_by_expiry ON lot (expire_ms) WHERE expire_ms IS NOT NULL;

-- What accounts have from before there were lots is one of them.
INSERT INTO lot (account, lot_id, remaining, priority)
    SELECT name, (SELECT transfer_id FROM transfer WHERE account = name AND kind = 'grant'
                  ORDER BY sequence DESC LIMIT 1),
        balance, 0
    FROM account WHERE balance > 0 AND name NOT LIKE 'platform/%';

CREATE TABLE budget_period (
    budget_id BLOB NOT NULL,
    start_ms INTEGER NOT NULL,
    amount_limit INTEGER NOT NULL,
    spent INTEGER NOT NULL,
    held INTEGER NOT NULL,
    CONSTRAINT budget_period_unique PRIMARY KEY (budget_id, start_ms),
    CONSTRAINT budget_period_held_not_negative CHECK (held >= 0)
) STRICT, WITHOUT ROWID;

-- Budgets that it is held in, as JSON: [[budget, period's start, whether it blocks], ...].
ALTER TABLE hold ADD COLUMN budgets TEXT NOT NULL DEFAULT '[]';
-- The event that it was charged for.
ALTER TABLE hold ADD COLUMN event_id TEXT;

UPDATE hold SET event_id = (
    SELECT event_id FROM usage_record
    WHERE usage_record.hold_id = hold.hold_id AND status <> 2 LIMIT 1)
WHERE state = 'settled';
