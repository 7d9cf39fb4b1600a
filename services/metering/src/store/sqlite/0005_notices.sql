-- What accounts should know of without asking. One for each occasion: whoever finds it out again
-- writes nothing.
CREATE TABLE notice (
    sequence INTEGER PRIMARY KEY,
    notice_id TEXT NOT NULL,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    rule TEXT NOT NULL,
    period TEXT NOT NULL,
    threshold INTEGER NOT NULL,
    subject TEXT NOT NULL,
    message TEXT NOT NULL,
    data TEXT NOT NULL,
    create_ms INTEGER NOT NULL,
    CONSTRAINT notice_id_unique UNIQUE (notice_id),
    CONSTRAINT notice_once UNIQUE (account, rule, period, threshold)
) STRICT;

CREATE INDEX notice_by_account ON notice (account, sequence);
CREATE INDEX notice_by_time ON notice (create_ms);

-- Where notices are sent. `kinds` are names between commas, `,low_balance,key_failing,`, or nothing
-- for all. The secret signs what is sent there and is good for nothing else.
CREATE TABLE webhook (
    webhook_id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    account_name TEXT NOT NULL,
    url TEXT NOT NULL,
    kinds TEXT NOT NULL,
    label TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    secret TEXT,
    revision INTEGER NOT NULL,
    create_ms INTEGER NOT NULL,
    update_ms INTEGER NOT NULL,
    success_ms INTEGER,
    failure_ms INTEGER,
    failure TEXT NOT NULL,
    -- Nothing is sent before: something is under way, or failed a moment ago.
    rest_until_ms INTEGER NOT NULL,
    test_ms INTEGER NOT NULL,
    CONSTRAINT webhook_enabled_boolean CHECK (enabled IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_by_account ON webhook (account, webhook_id);

-- What is to be sent, and what was: a row for each notice and webhook, written with the notice.
CREATE TABLE outbox (
    outbox_id INTEGER PRIMARY KEY,
    notice_id TEXT NOT NULL REFERENCES notice (notice_id) ON DELETE CASCADE,
    webhook_id TEXT NOT NULL REFERENCES webhook (webhook_id) ON DELETE CASCADE,
    state TEXT NOT NULL,
    tries INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    create_ms INTEGER NOT NULL,
    end_ms INTEGER,
    CONSTRAINT outbox_once UNIQUE (notice_id, webhook_id),
    CONSTRAINT outbox_state_known CHECK (state IN ('waiting', 'delivered', 'failed'))
) STRICT;

CREATE INDEX outbox_due ON outbox (due_ms) WHERE state = 'waiting';
CREATE INDEX outbox_by_webhook ON outbox (webhook_id, outbox_id);
