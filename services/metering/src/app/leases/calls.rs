//! What is asked of routers that have leases: to tell what they have not told yet before somebody
//! reads, and to give back what others need or what is lent by old terms.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use keyward_money::Nanos;
use keyward_runtime::{error, time};
use tokio::sync::MutexGuard;

use super::Connected;
use crate::MeteringError;
use crate::app::App;
use crate::domain::account::AccountKey;
use crate::domain::errand::{Errand, ErrandKind};
use crate::domain::ledger::{Holder, Lease};

/// How long a read waits for routers to tell what they have not told yet. After that it shows what is
/// known.
const FLUSH_WAIT: Duration = Duration::from_secs(1);

/// How long routers have to give back what they were lent.
const RECALL_WAIT: Duration = Duration::from_millis(500);

/// How long a router is waited for.
pub(super) const fn wait(errand: Errand) -> Duration {
    match errand.kind {
        ErrandKind::Flush => FLUSH_WAIT,
        ErrandKind::Recall => RECALL_WAIT,
    }
}

impl App {
    /// A router is there to be asked.
    pub(crate) fn connect_holder(
        &self,
        holder: Holder,
    ) -> (Connected, tokio::sync::mpsc::Receiver<super::Call>) {
        self.holders.connect(holder)
    }

    /// Has routers tell what they have settled of an account until now; says what requests in flight
    /// hold from leases. Whoever has an answer reads books that include it.
    pub(crate) async fn flush(&self, account: AccountKey) -> Result<Nanos, MeteringError> {
        let leases = self.store.leases_of(account).await?;
        let holders = self.reachable(&leases).await?;
        self.call(holders, Errand::flush(Some(account))).await
    }

    /// The same of all accounts, for whoever sees all.
    pub(crate) async fn flush_all(&self) -> Result<(), MeteringError> {
        let everybody = self.everybody().await?;
        self.call(everybody, Errand::flush(None)).await.map(drop)
    }

    /// Calls an account's leases back, for it is short of credits; says whether there were any, so
    /// that there may be more now. Of many who are short at a time one does it for all.
    pub(crate) async fn recall_short(&self, account: AccountKey) -> Result<bool, MeteringError> {
        let short_at = Instant::now();
        let mut last = self.recalls.turn(account).await;
        if last.is_some_and(|last| last.account == account && last.began >= short_at) {
            return Ok(true);
        }
        let began = Instant::now();
        *last = Some(Recalled { account, began });
        self.strict.is_short(account);
        let leases = self.store.leases_of(account).await?;
        if !leases.is_empty() {
            self.recall(account, &leases).await?;
        }
        Ok(!leases.is_empty())
    }

    /// Calls an account's leases back: its terms are about to change, or have.
    pub(crate) async fn recall_of(&self, account: AccountKey) -> Result<(), MeteringError> {
        let leases = self.store.leases_of(account).await?;
        self.recall(account, &leases).await
    }

    /// Routers of other meterings are called whether they have a lease or not: by that these hear
    /// that nothing is to be lent for a while.
    async fn recall(&self, account: AccountKey, leases: &[Lease]) -> Result<(), MeteringError> {
        let mut holders = self.reachable(leases).await?;
        holders.extend(self.elsewhere().await?);
        if !holders.is_empty() {
            self.meters.recalled();
            let recall = Errand::recall(Some(account));
            self.call(holders, recall).await?;
        }
        Ok(())
    }

    /// Calls all leases back: prices or a tier's terms were changed here.
    pub(crate) async fn recall_all(&self) {
        self.meters.recalled();
        if let Err(fault) = self.recall_everybody().await {
            tracing::warn!(
                error.chain = %error::chain(&fault),
                "leases of routers elsewhere stand by their old terms until they are renewed"
            );
        }
    }

    async fn recall_everybody(&self) -> Result<(), MeteringError> {
        let (mut holders, elsewhere) = (self.holders.all(), self.elsewhere().await);
        holders.extend(elsewhere.iter().flatten());
        self.call(holders, Errand::recall(None)).await?;
        elsewhere.map(drop)
    }

    /// Calls all leases of the routers here back: what another metering changed was taken over.
    pub(crate) async fn recall_here(&self) {
        self.meters.recalled();
        let (here, recall) = (self.holders.all(), Errand::recall(None));
        self.holders.call(here, recall, wait(recall)).await;
    }

    /// The routers that have these leases and may answer. One that is connected nowhere is waited for
    /// only as long as it may use its lease.
    async fn reachable(&self, leases: &[Lease]) -> Result<BTreeSet<Holder>, MeteringError> {
        let mut connected = self.holders.all();
        let is_here = |lease: &Lease| connected.contains(&lease.holder);
        if !leases.iter().all(is_here) {
            connected.extend(self.elsewhere().await?);
        }
        let now = time::now();
        let may_answer =
            |lease: &&Lease| connected.contains(&lease.holder) || lease.expire_time > now;
        let holders = leases.iter().filter(may_answer);
        Ok(holders.map(|lease| lease.holder).collect())
    }

    /// All routers that are connected, here or to other meterings on the same store.
    pub(super) async fn everybody(&self) -> Result<BTreeSet<Holder>, MeteringError> {
        let mut everybody = self.holders.all();
        everybody.extend(self.elsewhere().await?);
        Ok(everybody)
    }

    async fn elsewhere(&self) -> Result<Vec<Holder>, MeteringError> {
        match &self.crossing {
            Some(crossing) => crossing.elsewhere().await,
            None => Ok(Vec::new()),
        }
    }

    /// Who is not connected here may be elsewhere, or come back.
    async fn call(
        &self,
        holders: BTreeSet<Holder>,
        errand: Errand,
    ) -> Result<Nanos, MeteringError> {
        let Some(crossing) = &self.crossing else {
            return Ok(self.holders.call(holders, errand, wait(errand)).await);
        };
        let connected = self.holders.all();
        let is_here = |holder: &Holder| connected.contains(holder);
        let (here, away): (BTreeSet<_>, BTreeSet<_>) = holders.into_iter().partition(is_here);
        let (here, away) = tokio::join!(
            self.holders.call(here, errand, wait(errand)),
            crossing.call(away, errand, wait(errand)),
        );
        Ok(here.saturating_add(away?))
    }
}

/// Turns for who calls leases back: a lock for each of a few parts of all accounts, with the last
/// that had it.
#[derive(Debug, Default)]
pub(crate) struct Recalls([tokio::sync::Mutex<Option<Recalled>>; 16]);

/// When an account's leases were called back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recalled {
    account: AccountKey,
    began: Instant,
}

impl Recalls {
    async fn turn(&self, account: AccountKey) -> MutexGuard<'_, Option<Recalled>> {
        let place = account.uid.as_u128() % self.0.len() as u128;
        self.0[usize::try_from(place).unwrap_or(0)].lock().await
    }
}
