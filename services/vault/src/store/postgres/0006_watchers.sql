-- How far the watchers of each vault are: one row a vault, replaced as it goes.
CREATE TABLE watchers (
    vault UUID NOT NULL CONSTRAINT watchers_pk PRIMARY KEY,
    -- The last change that each of its watchers has confirmed.
    confirmed BIGINT[] NOT NULL,
    stated TIMESTAMPTZ NOT NULL
);
