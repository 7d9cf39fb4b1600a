//! What is asked of routers that have leases: to tell what they have not told yet before somebody
//! reads, and to give back what others need or what is lent by old terms.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use keyward_money::Nanos;
use keyward_runtime::time;
use tokio::sync::MutexGuard;

use super::{CallKind, Connected};
use crate::MeteringError;
use crate::app::App;
use crate::domain::account::AccountKey;
use crate::domain::ledger::{Holder, Lease};

/// How long a read waits for routers to tell what they have not told yet. After that it shows what is
/// known.
const FLUSH_WAIT: Duration = Duration::from_secs(1);

/// How long routers have to give back what they were lent.
const RECALL_WAIT: Duration = Duration::from_millis(500);

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
        let call = (CallKind::Flush, Some(account));
        Ok(self.call(&leases, call, FLUSH_WAIT).await)
    }

    /// The same of all accounts, for whoever sees all.
    pub(crate) async fn flush_all(&self) {
        let call = (CallKind::Flush, None);
        self.holders
            .call(self.holders.all(), call, FLUSH_WAIT)
            .await;
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
        self.recall_of(account).await
    }

    /// Calls an account's leases back: its terms are about to change, or have.
    pub(crate) async fn recall_of(&self, account: AccountKey) -> Result<bool, MeteringError> {
        let leases = self.store.leases_of(account).await?;
        if !leases.is_empty() {
            self.meters.recalled();
            let call = (CallKind::Recall, Some(account));
            self.call(&leases, call, RECALL_WAIT).await;
        }
        Ok(!leases.is_empty())
    }

    /// Calls all leases back: prices or a tier's terms have changed.
    pub(crate) async fn recall_all(&self) {
        self.meters.recalled();
        let call = (CallKind::Recall, None);
        self.holders
            .call(self.holders.all(), call, RECALL_WAIT)
            .await;
    }

    /// A router that is not connected is waited for only as long as it may use its lease.
    async fn call(
        &self,
        leases: &[Lease],
        call: (CallKind, Option<AccountKey>),
        wait: Duration,
    ) -> Nanos {
        let (now, connected) = (time::now(), self.holders.all());
        let may_answer =
            |lease: &&Lease| connected.contains(&lease.holder) || lease.expire_time > now;
        let holders = leases.iter().filter(may_answer);
        let holders: BTreeSet<Holder> = holders.map(|lease| lease.holder).collect();
        self.holders.call(holders, call, wait).await
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
