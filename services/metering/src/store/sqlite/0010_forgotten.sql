-- Until when closed holds were removed: what budgets' periods that began before it have spent can be
-- proven no more.
CREATE TABLE hold_forgotten (
    until_ms INTEGER NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE INDEX budget_period_by_start ON budget_period (start_ms);
