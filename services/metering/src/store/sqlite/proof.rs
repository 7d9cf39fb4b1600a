//! What is kept in two ways, and where the two differ.

use async_trait::async_trait;
use rusqlite::Connection;

use super::{SqliteStore, row, sums, usage};
use crate::domain::account::AccountKey;
use crate::domain::proof::{Check, Discrepancy, Priceable};
use crate::store::{ProofStore, StoreError};

/// Each gives: what it is about, its account, what is kept, what that should be.
const CHECKS: [(Check, &str); 12] = [
    (
        Check::Balance,
        "WITH proven AS (
             SELECT account, sum(amount) AS amount FROM (
                 SELECT account, amount FROM entry
                 UNION ALL SELECT account, amount FROM transfer_carried)
             GROUP BY account)
         SELECT name, name, balance, coalesce(amount, 0) FROM account
         LEFT JOIN proven ON proven.account = name
         WHERE balance <> coalesce(amount, 0)",
    ),
    (
        Check::Lots,
        "WITH proven AS (SELECT account, sum(remaining) AS amount FROM lot GROUP BY account)
         SELECT name, name, max(balance, 0), coalesce(amount, 0) FROM account
         LEFT JOIN proven ON proven.account = name
         WHERE name NOT LIKE 'platform/%' AND max(balance, 0) <> coalesce(amount, 0)",
    ),
    (
        Check::Held,
        "WITH proven AS (
             SELECT account, sum(amount) AS amount FROM hold WHERE state = 'open' GROUP BY account)
         SELECT name, name, held, coalesce(amount, 0) FROM account
         LEFT JOIN proven ON proven.account = name
         WHERE held <> coalesce(amount, 0)",
    ),
    (
        Check::Leased,
        "WITH proven AS (
             SELECT account, sum(remaining) AS amount FROM lease
             WHERE state = 'open' GROUP BY account)
         SELECT name, name, leased, coalesce(amount, 0) FROM account
         LEFT JOIN proven ON proven.account = name
         WHERE leased <> coalesce(amount, 0)",
    ),
    (
        Check::BudgetHeld,
        "WITH proven AS (
             SELECT replace(json_extract(value, '$[0]'), '-', '') AS budget,
                 json_extract(value, '$[1]') AS start, max(account) AS account,
                 sum(amount) AS amount
             FROM hold, json_each(hold.budgets) WHERE state = 'open' GROUP BY budget, start)
         SELECT 'budget ' || lower(hex(budget_id)), coalesce(account, ''), held, coalesce(amount, 0)
         FROM budget_period
         LEFT JOIN proven ON budget = lower(hex(budget_id)) AND start = start_ms
         WHERE held <> coalesce(amount, 0)",
    ),
    (
        Check::BudgetSpent,
        "WITH proven AS (
             SELECT replace(json_extract(value, '$[0]'), '-', '') AS budget,
                 json_extract(value, '$[1]') AS start, max(hold.account) AS account,
                 sum(charge) AS amount
             FROM hold JOIN usage_record USING (hold_id), json_each(hold.budgets)
             GROUP BY budget, start)
         SELECT 'budget ' || lower(hex(budget_id)), coalesce(account, ''), spent,
             coalesce(amount, 0)
         FROM budget_period
         LEFT JOIN proven ON budget = lower(hex(budget_id)) AND start = start_ms
         WHERE spent <> coalesce(amount, 0)
             AND start_ms >= coalesce((SELECT max(day) + 1 FROM partition_dropped), 0) * 86400000
             AND start_ms >= coalesce((SELECT max(until_ms) FROM hold_forgotten), 0)",
    ),
    (
        Check::Charges,
        "WITH kept AS (SELECT account, sum(charge) AS amount FROM usage_record GROUP BY account),
             proven AS (SELECT account, sum(amount) AS amount FROM transfer
                 WHERE kind = 'charge' GROUP BY account)
         SELECT account, account, coalesce(kept.amount, 0), coalesce(proven.amount, 0)
         FROM kept FULL JOIN proven USING (account)
         WHERE coalesce(kept.amount, 0) <> coalesce(proven.amount, 0)",
    ),
    (
        Check::Attempts,
        "WITH kept AS (
                 SELECT account, sum(amount) AS amount FROM (
                     SELECT account, count(*) AS amount FROM usage_record
                     WHERE start_ms IS NOT NULL GROUP BY account
                     UNION ALL SELECT account, attempts FROM usage_carried)
                 GROUP BY account),
             proven AS (SELECT account, sum(attempts) AS amount FROM usage_hour GROUP BY account)
         SELECT account, account, coalesce(kept.amount, 0), coalesce(proven.amount, 0)
         FROM kept FULL JOIN proven USING (account)
         WHERE coalesce(kept.amount, 0) <> coalesce(proven.amount, 0)",
    ),
    (
        Check::SumOfCharges,
        "WITH kept AS (
                 SELECT account, sum(amount) AS amount FROM (
                     SELECT account, sum(charge) AS amount FROM usage_record
                     WHERE start_ms IS NOT NULL GROUP BY account
                     UNION ALL SELECT account, charge FROM usage_carried)
                 GROUP BY account),
             proven AS (SELECT account, sum(charge) AS amount FROM usage_hour GROUP BY account)
         SELECT account, account, coalesce(kept.amount, 0), coalesce(proven.amount, 0)
         FROM kept FULL JOIN proven USING (account)
         WHERE coalesce(kept.amount, 0) <> coalesce(proven.amount, 0)",
    ),
    (
        Check::SumOfListCosts,
        "WITH kept AS (
                 SELECT account, sum(amount) AS amount FROM (
                     SELECT account, sum(list_cost) AS amount FROM usage_record
                     WHERE start_ms IS NOT NULL GROUP BY account
                     UNION ALL SELECT account, list_cost FROM usage_carried)
                 GROUP BY account),
             proven AS (SELECT account, sum(list_cost) AS amount FROM usage_hour GROUP BY account)
         SELECT account, account, coalesce(kept.amount, 0), coalesce(proven.amount, 0)
         FROM kept FULL JOIN proven USING (account)
         WHERE coalesce(kept.amount, 0) <> coalesce(proven.amount, 0)",
    ),
    (Check::Days, sums::DIFFERING),
    (Check::Days, sums::DIFFERING_TAGS),
];

pub(super) fn discrepancies(connection: &Connection) -> Result<Vec<Discrepancy>, StoreError> {
    // All must see the same.
    let transaction = connection.unchecked_transaction()?;
    let mut found = Vec::new();
    for (check, sql) in CHECKS {
        let mut statement = transaction.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            Ok(Discrepancy {
                check,
                of: row.get(0)?,
                account: row.get(1)?,
                kept: row.get(2)?,
                proven: row.get(3)?,
            })
        })?;
        for row in rows {
            found.push(row?);
        }
    }
    Ok(found)
}

/// What a record is read from, then what it was priced by. Where its hold is gone, what was absorbed
/// tells the cap.
const PRICEABLES: &str = "
    SELECT record.sequence, record.event, record.record_ms, record.list_cost, record.charge,
        record.absorbed, record.price_version, record.markup_basis_points, record.start_ms,
        price.prices, record.hold_id IS NOT NULL,
        coalesce(hold.charge_cap, CASE WHEN record.absorbed > 0 THEN record.charge END)
    FROM usage_record AS record
    LEFT JOIN price ON price.version = record.price_version
        AND price.provider = record.provider AND price.model = record.model
    LEFT JOIN hold ON hold.hold_id = record.hold_id
    WHERE record.sequence > ?1 AND record.start_ms IS NOT NULL
    ORDER BY record.sequence LIMIT ?2";

pub(super) fn priceables(
    connection: &Connection,
    after: i64,
    limit: u32,
) -> Result<Vec<Priceable>, StoreError> {
    let mut statement = connection.prepare_cached(PRICEABLES)?;
    let mut rows = statement.query((after, limit))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let prices: Option<String> = row.get(9)?;
        found.push(Priceable {
            record: usage::to_record(row)?,
            prices: prices.as_deref().map(row::prices).transpose()?,
            is_held: row.get(10)?,
            cap: row::amount(row.get(11)?),
        });
    }
    Ok(found)
}

pub(super) fn frozen(connection: &Connection) -> Result<Vec<AccountKey>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT name FROM account WHERE frozen")?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    names.map(|name| row::account(&name?)).collect()
}

#[async_trait]
impl ProofStore for SqliteStore {
    async fn discrepancies(&self) -> Result<Vec<Discrepancy>, StoreError> {
        self.read(discrepancies).await
    }

    async fn priceables(&self, after: i64, limit: u32) -> Result<Vec<Priceable>, StoreError> {
        self.read(move |connection| priceables(connection, after, limit))
            .await
    }

    async fn frozen(&self) -> Result<Vec<AccountKey>, StoreError> {
        self.read(frozen).await
    }
}
