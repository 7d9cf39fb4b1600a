//! The proof that the books add up, made again and again. Where they do not, there is an alarm, and
//! the account's books are closed until they do.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keyward_runtime::{error, time};
use tokio_util::sync::CancellationToken;

use super::App;
use crate::MeteringError;
use crate::domain::account::AccountKey;
use crate::domain::ledger::Freeze;
use crate::store;

/// How long after the start the books are proven, and how often from then on.
const FIRST: Duration = Duration::from_mins(1);
const EVERY: Duration = Duration::from_hours(1);

/// How far back records are priced anew each time; `usage verify` prices all.
const AGAIN: SignedDuration = SignedDuration::from_hours(24);

impl App {
    /// Proves the books every hour, until told to stop.
    pub(crate) async fn prove_until(&self, stop: CancellationToken) {
        let mut wait = FIRST;
        while stop
            .run_until_cancelled(tokio::time::sleep(wait))
            .await
            .is_some()
        {
            wait = EVERY;
            let proving = stop.run_until_cancelled(self.prove_and_freeze()).await;
            if let Some(Err(fault)) = proving {
                tracing::error!(error.chain = %error::chain(&fault), "cannot prove the books");
            }
        }
    }

    /// Proves the books; closes those of accounts that do not add up, and opens those that do again.
    pub(crate) async fn prove_and_freeze(&self) -> Result<(), MeteringError> {
        let proof = store::prove(&*self.store, self.priced_since().await?).await?;
        self.meters.discrepancies(proof.discrepancies.len());
        for discrepancy in &proof.discrepancies {
            tracing::error!(%discrepancy, "the books do not add up");
        }
        let of_money = proof.discrepancies.iter();
        let of_money = of_money.filter(|found| found.check.is_of_money());
        let wrong: BTreeSet<AccountKey> = of_money
            .filter_map(|found| found.account.parse().ok())
            .collect();
        for account in &wrong {
            self.freeze(*account, true).await?;
        }
        for account in self.store.frozen().await? {
            if !wrong.contains(&account) {
                self.freeze(account, false).await?;
            }
        }
        Ok(())
    }

    /// From when on records are priced anew. What is older was, and does not change; but an account
    /// that is closed may be so for a record of any age.
    async fn priced_since(&self) -> Result<Option<Timestamp>, MeteringError> {
        let is_open = self.store.frozen().await?.is_empty();
        Ok(is_open.then(|| time::now().checked_sub(AGAIN).unwrap_or(Timestamp::MIN)))
    }

    async fn freeze(&self, account: AccountKey, frozen: bool) -> Result<(), MeteringError> {
        match (self.ledger.run(Freeze { account, frozen }).await?, frozen) {
            (true, true) => {
                tracing::error!(
                    account.key = %account,
                    "nothing is written to this account until its books add up again"
                );
                self.recall_of(account).await?;
            }
            (true, false) => tracing::warn!(
                account.key = %account,
                "this account's books add up again, and are open"
            ),
            (false, _) => {}
        }
        Ok(())
    }
}
