//! What is let go of, piece by piece.

use jiff::Timestamp;

use super::super::StoreError;
use super::{PostgresStore, Values};
use crate::domain::day::first_id;

/// Along the ids, which begin with the time at which they were made. Notes until when it was.
const HOLDS: &str = "
    WITH gone AS (
        DELETE FROM hold WHERE hold_id IN (
            SELECT hold_id FROM hold WHERE hold_id < $1 AND state <> 'open' AND expire_ms < $2
            ORDER BY hold_id LIMIT $3 FOR UPDATE SKIP LOCKED)
        RETURNING 1),
    before AS (
        DELETE FROM hold_forgotten WHERE until_ms < $2 AND EXISTS (SELECT FROM gone)),
    noted AS (
        INSERT INTO hold_forgotten (until_ms) SELECT $2 WHERE EXISTS (SELECT FROM gone)
        ON CONFLICT DO NOTHING)
    SELECT count(*) AS gone FROM gone";

const PERIODS: &str = "
    DELETE FROM budget_period WHERE (budget_id, start_ms) IN (
        SELECT budget_id, start_ms FROM budget_period WHERE start_ms < $1 AND held = 0
        ORDER BY start_ms LIMIT $2 FOR UPDATE SKIP LOCKED)";

impl PostgresStore {
    pub(super) async fn forget_holds(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> Result<usize, StoreError> {
        let (first, before) = (first_id(before), before.as_millisecond());
        let values: Values<'_> = &[&first, &before, &i64::from(limit)];
        let gone = self.session().await?.query_first(HOLDS, values).await?;
        let gone = gone.map_or(Ok(0), |row| super::row::small(&row, "gone"))?;
        Ok(gone)
    }

    pub(super) async fn forget_periods(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> Result<usize, StoreError> {
        let values: Values<'_> = &[&before.as_millisecond(), &i64::from(limit)];
        let gone = self.session().await?.execute(PERIODS, values).await?;
        Ok(usize::try_from(gone).unwrap_or(usize::MAX))
    }
}
