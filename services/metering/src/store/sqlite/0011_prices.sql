-- How a version of the price book differs from the one before, counted once when it is installed; and
-- which version is in force.
ALTER TABLE price_book ADD COLUMN prices INTEGER NOT NULL DEFAULT 0;
ALTER TABLE price_book ADD COLUMN added INTEGER NOT NULL DEFAULT 0;
ALTER TABLE price_book ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE price_book ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;

WITH pair AS (
    SELECT version,
        (SELECT max(version) FROM price_book AS earlier WHERE earlier.version < book.version)
            AS before
    FROM price_book AS book),
counted AS (
    SELECT pair.version,
        (SELECT count(*) FROM price WHERE price.version = pair.version) AS prices,
        (SELECT count(*) FROM price WHERE price.version = pair.version AND NOT EXISTS (
            SELECT 1 FROM price AS old WHERE old.version = pair.before
                AND old.provider = price.provider AND old.model = price.model)) AS added,
        (SELECT count(*) FROM price AS old WHERE old.version = pair.before AND NOT EXISTS (
            SELECT 1 FROM price WHERE price.version = pair.version
                AND old.provider = price.provider AND old.model = price.model)) AS removed,
        (SELECT count(*) FROM price JOIN price AS old ON old.version = pair.before
                AND old.provider = price.provider AND old.model = price.model
            WHERE price.version = pair.version AND price.prices <> old.prices) AS changed
    FROM pair)
UPDATE price_book SET prices = counted.prices, added = counted.added, removed = counted.removed,
    changed = counted.changed
FROM counted WHERE counted.version = price_book.version;

-- One row, once there is a version: `active` is in force, `catalog` has the prices of the catalogue
-- that came last.
CREATE TABLE price_active (
    slot INTEGER NOT NULL PRIMARY KEY CHECK (slot = 1),
    active INTEGER NOT NULL REFERENCES price_book (version),
    catalog INTEGER NOT NULL REFERENCES price_book (version)
) STRICT;

INSERT INTO price_active (slot, active, catalog)
    SELECT 1, max(version), max(version) FROM price_book HAVING count(*) > 0;
