//! What is kept in two ways, and where the two differ. What was dropped is counted by what was carried
//! of it.

use async_trait::async_trait;
use keyward_storage::postgres::{Row, Session};

use super::super::{ProofStore, StoreError};
use super::PostgresStore;
use super::row::{self, get};
use super::{lists, sums};
use crate::domain::account::AccountKey;
use crate::domain::proof::{Check, Discrepancy, Priceable};

/// Each gives: what it is about, its account, what is kept, what that should be.
const CHECKS: [(Check, &str); 12] = [
    (
        Check::Balance,
        "WITH kept AS (
             SELECT name, balance FROM account
             UNION ALL SELECT name, sum(balance)::bigint FROM platform_balance GROUP BY name),
         proven AS (
             SELECT account, sum(amount)::bigint AS amount FROM (
                 SELECT account, amount FROM entry
                 UNION ALL SELECT account, amount FROM transfer_carried) AS parts
             GROUP BY account)
         SELECT name, name, balance, coalesce(amount, 0) FROM kept
         LEFT JOIN proven ON proven.account = name
         WHERE balance <> coalesce(amount, 0)",
    ),
    (
        Check::Lots,
        "WITH proven AS (
             SELECT account, sum(remaining)::bigint AS amount FROM lot GROUP BY account)
         SELECT name, name, greatest(balance, 0), coalesce(amount, 0) FROM account
         LEFT JOIN proven ON proven.account = name
         WHERE greatest(balance, 0) <> coalesce(amount, 0)",
    ),
    (
        Check::Held,
        "WITH proven AS (
             SELECT account, sum(amount)::bigint AS amount FROM hold
             WHERE state = 'open' GROUP BY account)
         SELECT name, name, held, coalesce(amount, 0) FROM account
         LEFT JOIN proven ON proven.account = name
         WHERE held <> coalesce(amount, 0)",
    ),
    (
        Check::Leased,
        "WITH proven AS (
             SELECT account, sum(remaining)::bigint AS amount FROM lease
             WHERE state = 'open' GROUP BY account)
         SELECT name, name, leased, coalesce(amount, 0) FROM account
         LEFT JOIN proven ON proven.account = name
         WHERE leased <> coalesce(amount, 0)",
    ),
    (
        Check::BudgetHeld,
        "WITH proven AS (
             SELECT (value ->> 0)::uuid AS budget, (value ->> 1)::bigint AS start,
                 max(account) AS account, sum(amount)::bigint AS amount
             FROM hold, json_array_elements(hold.budgets) AS budgets (value)
             WHERE state = 'open' GROUP BY budget, start)
         SELECT 'budget ' || replace(budget_id::text, '-', ''), coalesce(account, ''), held,
             coalesce(amount, 0)
         FROM budget_period LEFT JOIN proven ON budget = budget_id AND start = start_ms
         WHERE held <> coalesce(amount, 0)",
    ),
    // Not of periods of which something may have been dropped or removed.
    (
        Check::BudgetSpent,
        "WITH proven AS (
             SELECT (value ->> 0)::uuid AS budget, (value ->> 1)::bigint AS start,
                 max(hold.account) AS account, sum(charge)::bigint AS amount
             FROM hold JOIN usage_record USING (hold_id),
                 json_array_elements(hold.budgets) AS budgets (value)
             GROUP BY budget, start)
         SELECT 'budget ' || replace(budget_id::text, '-', ''), coalesce(account, ''), spent,
             coalesce(amount, 0)
         FROM budget_period LEFT JOIN proven ON budget = budget_id AND start = start_ms
         WHERE spent <> coalesce(amount, 0) AND start_ms >=
             coalesce((SELECT max(day) + 1 FROM partition_dropped), 0)::bigint * 86400000
             AND start_ms >= coalesce((SELECT max(until_ms) FROM hold_forgotten), 0)",
    ),
    (
        Check::Charges,
        "WITH kept AS (
             SELECT account, sum(charge)::bigint AS amount FROM usage_record GROUP BY account),
         proven AS (
             SELECT account, sum(amount)::bigint AS amount FROM transfer
             WHERE kind = 'charge' GROUP BY account)
         SELECT account, account, coalesce(kept.amount, 0), coalesce(proven.amount, 0)
         FROM kept FULL JOIN proven USING (account)
         WHERE coalesce(kept.amount, 0) <> coalesce(proven.amount, 0)",
    ),
    (
        Check::Attempts,
        "WITH kept AS (
             SELECT account, sum(amount)::bigint AS amount FROM (
                 SELECT account, count(*) AS amount FROM usage_record GROUP BY account
                 UNION ALL SELECT account, attempts FROM usage_carried) AS parts
             GROUP BY account),
         proven AS (
             SELECT account, sum(attempts)::bigint AS amount FROM usage_hour GROUP BY account)
         SELECT account, account, coalesce(kept.amount, 0), coalesce(proven.amount, 0)
         FROM kept FULL JOIN proven USING (account)
         WHERE coalesce(kept.amount, 0) <> coalesce(proven.amount, 0)",
    ),
    (
        Check::SumOfCharges,
        "WITH kept AS (
             SELECT account, sum(amount)::bigint AS amount FROM (
                 SELECT account, sum(charge) AS amount FROM usage_record GROUP BY account
                 UNION ALL SELECT account, charge FROM usage_carried) AS parts
             GROUP BY account),
         proven AS (
             SELECT account, sum(charge)::bigint AS amount FROM usage_hour GROUP BY account)
         SELECT account, account, coalesce(kept.amount, 0), coalesce(proven.amount, 0)
         FROM kept FULL JOIN proven USING (account)
         WHERE coalesce(kept.amount, 0) <> coalesce(proven.amount, 0)",
    ),
    (
        Check::SumOfListCosts,
        "WITH kept AS (
             SELECT account, sum(amount)::bigint AS amount FROM (
                 SELECT account, sum(list_cost) AS amount FROM usage_record GROUP BY account
                 UNION ALL SELECT account, list_cost FROM usage_carried) AS parts
             GROUP BY account),
         proven AS (
             SELECT account, sum(list_cost)::bigint AS amount FROM usage_hour GROUP BY account)
         SELECT account, account, coalesce(kept.amount, 0), coalesce(proven.amount, 0)
         FROM kept FULL JOIN proven USING (account)
         WHERE coalesce(kept.amount, 0) <> coalesce(proven.amount, 0)",
    ),
    (Check::Days, sums::DIFFERING),
    (Check::Days, sums::DIFFERING_TAGS),
];

/// A proof reads all there is: longer than a request could wait.
const CHECK_MAX: std::time::Duration = std::time::Duration::from_mins(30);

/// What a record is read from, then what it was priced by. Where its hold is gone, what was absorbed
/// tells the cap.
const PRICEABLES: &str = "
    SELECT record.sequence, record.event, record.record_ms, record.list_cost, record.charge,
        record.absorbed, record.price_version, record.markup_basis_points, record.start_ms,
        price.prices::text AS prices, record.hold_id IS NOT NULL AS is_held,
        coalesce(hold.charge_cap, CASE WHEN record.absorbed > 0 THEN record.charge END) AS charge_cap
    FROM usage_record AS record
    LEFT JOIN price ON price.version = record.price_version
        AND price.provider = record.provider AND price.model = record.model
    LEFT JOIN hold ON hold.hold_id = record.hold_id
    WHERE record.sequence > $1
    ORDER BY record.sequence LIMIT $2";

const FROZEN: &str = "SELECT name FROM account WHERE frozen";

async fn discrepancies(session: &Session) -> Result<Vec<Discrepancy>, StoreError> {
    let mut found = Vec::new();
    for (check, sql) in CHECKS {
        for row in &session.query_within(CHECK_MAX, sql, &[]).await? {
            found.push(Discrepancy {
                check,
                of: row.try_get(0).map_err(row::fault)?,
                account: row.try_get(1).map_err(row::fault)?,
                kept: row.try_get(2).map_err(row::fault)?,
                proven: row.try_get(3).map_err(row::fault)?,
            });
        }
    }
    Ok(found)
}

fn priceable(row: &Row) -> Result<Priceable, StoreError> {
    let prices: Option<String> = get(row, "prices")?;
    Ok(Priceable {
        record: lists::read(row)?,
        prices: prices.as_deref().map(row::prices).transpose()?,
        is_held: get(row, "is_held")?,
        cap: row::amount(get(row, "charge_cap")?),
    })
}

#[async_trait]
impl ProofStore for PostgresStore {
    async fn discrepancies(&self) -> Result<Vec<Discrepancy>, StoreError> {
        // All must see the same.
        let snapshot = self.postgres.snapshot().await?;
        let found = discrepancies(&snapshot).await;
        snapshot.end(found).await
    }

    async fn priceables(&self, after: i64, limit: u32) -> Result<Vec<Priceable>, StoreError> {
        let session = self.session().await?;
        let rows = session
            .query(PRICEABLES, &[&after, &i64::from(limit)])
            .await?;
        rows.iter().map(priceable).collect()
    }

    async fn frozen(&self) -> Result<Vec<AccountKey>, StoreError> {
        let rows = self.session().await?.query(FROZEN, &[]).await?;
        let account = |row: &Row| row::account(&get::<String>(row, "name")?);
        rows.iter().map(account).collect()
    }
}
