-- What may be spent in each calendar period, on what fits all that is given. What was spent is in
-- budget_period, which outlives its budget: open holds may still be charged to it.
CREATE TABLE budget (
    budget_id BLOB NOT NULL,
    account TEXT NOT NULL,
    account_name TEXT NOT NULL,
    amount INTEGER NOT NULL,
    period TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    action TEXT NOT NULL,
    user_id TEXT,
    project_id TEXT,
    access_key_id TEXT,
    model TEXT,
    tag TEXT,
    revision INTEGER NOT NULL,
    create_ms INTEGER NOT NULL,
    update_ms INTEGER NOT NULL,
    CONSTRAINT budget_unique PRIMARY KEY (budget_id),
    CONSTRAINT budget_amount_not_negative CHECK (amount >= 0),
    CONSTRAINT budget_period_known CHECK (period IN ('hour', 'day', 'week', 'month')),
    CONSTRAINT budget_action_known CHECK (action IN ('block', 'notify'))
) STRICT, WITHOUT ROWID;

CREATE INDEX budget_by_account ON budget (account, budget_id);
