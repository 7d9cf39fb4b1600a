-- What transfers and records that are gone counted for each account, and the days they were of. A file
-- drops none; a copy of a store that has dropped some needs it, so that its books can be proven.
CREATE TABLE transfer_carried (
    account TEXT NOT NULL PRIMARY KEY,
    amount INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_carried (
    account TEXT NOT NULL PRIMARY KEY,
    attempts INTEGER NOT NULL,
    list_cost INTEGER NOT NULL,
    charge INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
