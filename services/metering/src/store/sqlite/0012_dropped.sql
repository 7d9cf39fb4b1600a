-- Days of which transfers and records are gone. A file drops none; a copy of a store that has dropped
-- some needs it: what budgets' periods that began before have spent can be proven no more.
CREATE TABLE partition_dropped (
    day INTEGER NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
