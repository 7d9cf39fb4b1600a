//! Routers that are connected to another metering on the same store. What is asked of them is left
//! there as marks, and each metering looks for those of its own routers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use keyward_money::Nanos;
use keyward_runtime::{error, ids};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::calls::wait;
use crate::MeteringError;
use crate::app::App;
use crate::domain::errand::{Errand, ErrandKind};
use crate::domain::ledger::Holder;
use crate::store::{CrossingStore, Mark};

/// How often a metering looks for marks, while routers are connected to it: often enough that a
/// router has done what it is asked for long before nobody waits any more.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How often it is looked whether others are done, while something waits for that.
const DONE_EVERY: Duration = Duration::from_millis(20);

/// How often a metering states which routers are connected to it, besides when that changes.
const STATE_EVERY: Duration = Duration::from_secs(1);

/// Whoever has stated nothing for this long has no routers any more: it is lost, and they are on
/// their way to another.
const STATED_WITHIN: Duration = Duration::from_secs(3);

/// Marks that are carried out at a time; the others wait in the store.
const UNDER_WAY_MAX: usize = 1_024;

/// The way to other meterings' routers.
pub(crate) struct Crossing {
    /// This metering, among those that share its store.
    metering: Uuid,
    store: Arc<dyn CrossingStore>,
}

/// What this metering has stated last.
#[derive(Default)]
struct Stated {
    holders: BTreeSet<Holder>,
    time: Option<Instant>,
}

impl Crossing {
    /// Over a store that several may write to.
    pub(crate) fn over(store: Arc<dyn CrossingStore>) -> Self {
        Self {
            metering: ids::new(),
            store,
        }
    }

    /// The routers that are connected to others.
    pub(super) async fn elsewhere(&self) -> Result<Vec<Holder>, MeteringError> {
        let stated = self.store.watched_elsewhere(self.metering, STATED_WITHIN);
        Ok(stated.await?)
    }

    /// Has routers do something, whichever metering they are connected to by then; gives what their
    /// requests in flight hold, of those that have done it in time.
    pub(super) async fn call(
        &self,
        holders: BTreeSet<Holder>,
        errand: Errand,
        wait: Duration,
    ) -> Result<Nanos, MeteringError> {
        if holders.is_empty() {
            return Ok(Nanos::ZERO);
        }
        let marks = holders.into_iter().map(|holder| Mark {
            id: ids::new(),
            holder,
            errand,
        });
        let marks: Vec<Mark> = marks.collect();
        let ids: Vec<Uuid> = marks.iter().map(|mark| mark.id).collect();
        let until = Instant::now() + wait;
        self.store.marks_put(marks).await?;
        let said = loop {
            tokio::time::sleep(DONE_EVERY).await;
            let said = self.store.marks_done(ids.clone()).await?;
            if said.len() == ids.len() || Instant::now() >= until {
                break said;
            }
        };
        self.store.marks_remove(ids).await?;
        Ok(said.into_iter().fold(Nanos::ZERO, Nanos::saturating_add))
    }

    async fn state(&self, holders: &BTreeSet<Holder>) -> Result<(), MeteringError> {
        let holders = holders.iter().copied().collect();
        Ok(self.store.watch_put(self.metering, holders).await?)
    }
}

impl App {
    /// Does what other meterings ask of the routers here, until told to stop.
    pub(crate) async fn attend_until(&self, stop: CancellationToken) {
        let Some(crossing) = &self.crossing else {
            return;
        };
        let attending = self.attend(crossing);
        stop.run_until_cancelled(attending).await;
        if let Err(fault) = crossing.state(&BTreeSet::new()).await {
            tracing::debug!(
                error.chain = %error::chain(&fault),
                "others will wait for routers that were here"
            );
        }
    }

    async fn attend(&self, crossing: &Crossing) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut under_way, mut stated) = (FuturesUnordered::new(), Stated::default());
        let mut is_failing = false;
        loop {
            tokio::select! {
                _ = ticks.tick(), if under_way.len() < UNDER_WAY_MAX => {
                    let found = self.look(crossing, &mut stated).await;
                    // Said once, not twenty times a second.
                    let was_failing = std::mem::replace(&mut is_failing, found.is_err());
                    match found {
                        Ok(marks) => under_way.extend(
                            marks.into_iter().map(|mark| self.carry_out(crossing, mark)),
                        ),
                        Err(fault) if !was_failing => tracing::warn!(
                            error.chain = %error::chain(&fault),
                            "cannot see what other meterings ask of routers here"
                        ),
                        Err(_) => {}
                    }
                }
                Some(()) = under_way.next() => {}
            }
        }
    }

    /// States who is here where that is due, and takes what is asked of them.
    async fn look(
        &self,
        crossing: &Crossing,
        stated: &mut Stated,
    ) -> Result<Vec<Mark>, MeteringError> {
        let holders: BTreeSet<Holder> = self.holders.all();
        let is_old = stated.time.is_none_or(|time| time.elapsed() >= STATE_EVERY);
        if holders != stated.holders || (is_old && !holders.is_empty()) {
            crossing.state(&holders).await?;
            *stated = Stated {
                holders: holders.clone(),
                time: Some(Instant::now()),
            };
        }
        if holders.is_empty() {
            return Ok(Vec::new());
        }
        let here = holders.into_iter().collect();
        Ok(crossing.store.marks_take(crossing.metering, here).await?)
    }

    async fn carry_out(&self, crossing: &Crossing, mark: Mark) {
        if let Err(fault) = self.do_errand(crossing, mark).await {
            tracing::warn!(
                error.chain = %error::chain(&fault),
                "another metering waits in vain for what a router here was to do"
            );
        }
    }

    async fn do_errand(&self, crossing: &Crossing, mark: Mark) -> Result<(), MeteringError> {
        if mark.errand.kind == ErrandKind::Recall {
            self.heed(mark.errand).await?;
        }
        let asked = self
            .holders
            .ask(mark.holder, mark.errand, wait(mark.errand))
            .await;
        if let Some(in_flight) = asked {
            crossing.store.mark_done(mark.id, in_flight).await?;
        }
        Ok(())
    }

    /// What another metering calls back must not be lent anew here by what was true before.
    async fn heed(&self, recall: Errand) -> Result<(), MeteringError> {
        if let Some(account) = recall.account {
            self.strict.is_short(account);
            return Ok(());
        }
        self.reload_idle_tiers().await?;
        self.follow_prices().await
    }
}
